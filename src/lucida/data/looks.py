"""What images look like, small: enough to find near-identical ones, and to tell them from what is merely alike."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from lucida.data.alignment import SIDE

if TYPE_CHECKING:
    from lucida.images import Image

Floats = NDArray[np.float32]
Pairs = NDArray[np.int64]

_THUMB: Final = 16
_CELLS: Final = 6
_DIRECTIONS: Final = 8
_AT_ONCE: Final = 256


@dataclass(frozen=True)
class Looks:
    """What n images look like; about 5 KB each.

    Attributes:
        hashes: (n,) uint64, perceptual hashes.
        thumbs: (n, 16, 16, 3) uint8, sRGB.
        greys: (n, 64, 64) uint8.
        seen: (n,) bool; an image that could not be decoded is near to nothing.
    """

    hashes: NDArray[np.uint64]
    thumbs: NDArray[np.uint8]
    greys: NDArray[np.uint8]
    seen: NDArray[np.bool_]

    @classmethod
    def empty(cls, count: int) -> Looks:
        """Make room for `count` images."""
        return cls(
            np.zeros(count, np.uint64),
            np.zeros((count, _THUMB, _THUMB, 3), np.uint8),
            np.zeros((count, SIDE, SIDE), np.uint8),
            np.zeros(count, np.bool_),
        )

    def put(self, row: int, image: Image) -> None:
        """Note what one image looks like; safe from several threads."""
        from PIL import Image as Pillow

        picture = Pillow.fromarray(image.rgb8())
        grey = np.asarray(picture.convert("L").resize((SIDE, SIDE), Pillow.Resampling.BILINEAR))
        self.greys[row] = grey
        self.hashes[row] = perceptual_hash(grey)
        self.thumbs[row] = np.asarray(picture.resize((_THUMB, _THUMB), Pillow.Resampling.BOX))
        self.seen[row] = True

    def colours_apart(self, pairs: Pairs, *, mirror: bool = False) -> Floats:
        """Return the mean difference of the colours of pairs, (m,), in levels of 0 to 255.

        Args:
            pairs: (m, 2) rows.
            mirror: Look at the second of each pair in a mirror.
        """
        result = np.zeros(len(pairs), np.float32)
        for start in range(0, len(pairs), 8 * _AT_ONCE):
            rows = pairs[start : start + 8 * _AT_ONCE]
            one, other = self.thumbs[rows[:, 0]], self.thumbs[rows[:, 1]][:, :, :: -1 if mirror else 1]
            result[start : start + len(rows)] = np.abs(one.astype(np.int16) - other).mean(axis=(1, 2, 3))
        return result

    def layouts(self, rows: NDArray[np.int64]) -> Floats:
        """Return what lies where in images, (m, 396) unit vectors: edges by direction and colours, 6 x 6 cells.

        A plain picture has zeros. Between a picture and the same one cut or turned a little the cosine is high.

        Args:
            rows: (m,) images.

        Source: after N. Dalal, B. Triggs, "Histograms of Oriented Gradients for Human Detection" (2005).
        """
        found = np.zeros((len(rows), _CELLS * _CELLS * (_DIRECTIONS + 3)), np.float32)
        for start in range(0, len(rows), _AT_ONCE):
            block = rows[start : start + _AT_ONCE]
            edges = np.sqrt(_cells(_edges(self.greys[block])))
            colours = _cells(self.thumbs[block].astype(np.float32))
            colours = colours - colours.mean(axis=(1, 2), keepdims=True)
            parts = [_unit(part.reshape(len(block), -1)) for part in (edges, colours)]
            found[start : start + len(block)] = np.concatenate(parts, axis=1) * 0.5**0.5
        return found


def mirrored(layouts: Floats) -> Floats:
    """Return the layouts of the mirror images: cells change sides, and directions their sense."""
    end = _CELLS * _CELLS * _DIRECTIONS
    edges = layouts[:, :end].reshape(-1, _CELLS, _CELLS, _DIRECTIONS)[:, :, ::-1]
    colours = layouts[:, end:].reshape(-1, _CELLS, _CELLS, 3)[:, :, ::-1]
    edges = edges[..., -np.arange(_DIRECTIONS) % _DIRECTIONS]
    flat = [part.reshape(len(layouts), int(np.prod(part.shape[1:]))) for part in (edges, colours)]
    return np.concatenate(flat, axis=1)


def perceptual_hash(grey: NDArray[np.uint8]) -> int:
    """Return the 64-bit perceptual hash of a grey picture of 64 x 64.

    One bit says whether a low-frequency coefficient of the cosine transform is above their median.

    Source: C. Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions" (2010).
    """
    low = _COSINES @ grey.astype(np.float64) @ _COSINES.T
    return int(np.packbits(low.ravel() > np.median(low)).view(">u8")[0])


_COSINES = np.cos(np.pi * np.outer(np.arange(8), 2 * np.arange(SIDE) + 1) / (2 * SIDE))


def _edges(greys: NDArray[np.uint8]) -> Floats:
    """Return how steep each place of 32 x 32 is in each of 8 directions, (m, 32, 32, 8); up and down are the same."""
    half = SIDE // 2
    small = greys.reshape(len(greys), half, 2, half, 2).mean(axis=(2, 4), dtype=np.float32)
    down, across = np.gradient(small, axis=(1, 2))
    steep = np.hypot(across, down)
    # Twice the angle, without an angle: a direction between two counts for both.
    scale = 1 / np.maximum(steep, 1e-6) ** 2
    cosine, sine = (across**2 - down**2) * scale, 2 * across * down * scale
    angles = np.arange(_DIRECTIONS, dtype=np.float32) * (2 * np.pi / _DIRECTIONS)
    along = np.maximum(cosine[..., None] * np.cos(angles) + sine[..., None] * np.sin(angles), 0)
    return np.asarray(steep[..., None] * (along * along) ** 2, np.float32)


def _cells(pictures: Floats) -> Floats:
    """Return the mean of pictures, (m, s, s, k), around each of 6 x 6 places."""
    near = _nearness(pictures.shape[1])
    return np.asarray(np.einsum("nyxk,yi,xj->nijk", pictures, near, near, optimize=True))


@cache
def _nearness(side: int) -> Floats:
    places = (np.arange(side) + 0.5) / side * _CELLS - 0.5
    weights = np.exp(-(((places[:, None] - np.arange(_CELLS)) / 0.6) ** 2) / 2)
    return np.asarray(weights / weights.sum(axis=0), np.float32)


def _unit(rows: Floats) -> Floats:
    rows = rows - rows.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.where(lengths > 1e-3, rows / np.maximum(lengths, 1e-3), 0)
