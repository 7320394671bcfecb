"""Where to look in an image of any size: the whole of it small, and pieces of it at finer scales.

These networks see things of about 10 to 300 pixels. In a large photo a face in the crowd is lost where the whole is
made small, and one that fills the image where it is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import PIL.Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

PIECES: Final = 48  # of one scale, at most: finer scales are left out
SHARED: Final = 4  # a piece shares so much of its side with the next: 1 / SHARED
EDGE: Final = 2.0  # pixels from an inner edge of a piece: what reaches it is seen whole elsewhere


@dataclass(frozen=True)
class Piece:
    """A part of an image at a scale.

    Attributes:
        scale: Pixels of the piece a pixel of the image.
        left: Pixels of the scaled image left of it.
        top: Pixels of the scaled image above it.
        width: Of the scaled image that lies in it.
        height: Of the scaled image that lies in it.
        inner: Whether its left, top, right and bottom edge lie within the image.
    """

    scale: float
    left: int
    top: int
    width: int
    height: int
    inner: tuple[bool, bool, bool, bool]

    def whole(self, boxes: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Tell which boxes of the piece (n, 4) are not cut by an inner edge."""
        limits = (EDGE, EDGE, self.width - EDGE, self.height - EDGE)
        kept = np.ones(len(boxes), bool)
        for side, (inner, limit) in enumerate(zip(self.inner, limits, strict=True)):
            if inner:
                kept &= boxes[:, side] > limit if side < 2 else boxes[:, side] < limit
        return kept


def pieces(width: int, height: int, size: tuple[int, int]) -> list[Piece]:
    """Return where to look, from the coarsest scale to the finest.

    Args:
        width: Of the image.
        height: Of the image.
        size: Height and width of the network's input.
    """
    fitting = min(1.0, size[0] / height, size[1] / width)
    # At half of that a face that fills the image is no larger than those that the network was trained on.
    scales = [fitting / 2, fitting]
    while scales[-1] < 1:
        scales.append(min(1.0, 2 * scales[-1]))
    found: list[Piece] = []
    for scale in scales:
        across, down = max(1, round(width * scale)), max(1, round(height * scale))
        columns, rows = _starts(across, size[1]), _starts(down, size[0])
        if len(columns) * len(rows) > PIECES:
            break
        found += [_piece(scale, left, top, across, down, size) for top in rows for left in columns]
    return found


def _starts(extent: int, side: int) -> list[int]:
    """Return where pieces of a side begin, evenly spread, so that neighbours share at least their share."""
    if extent <= side:
        return [0]
    count = 1 + -(-(extent - side) // (side - side // SHARED))
    return [round(k * (extent - side) / (count - 1)) for k in range(count)]


def _piece(scale: float, left: int, top: int, across: int, down: int, size: tuple[int, int]) -> Piece:
    width, height = min(size[1], across - left), min(size[0], down - top)
    return Piece(scale, left, top, width, height, (left > 0, top > 0, left + width < across, top + height < down))


def cut(pixels: NDArray[np.uint8], places: list[Piece], size: tuple[int, int]) -> Iterator[NDArray[np.float32]]:
    """Yield each piece as the networks take it: float32 (1, 3, height, width), BGR, 0 to 255, black where nothing is.

    Args:
        pixels: uint8 (height, width, 3), RGB; not changed.
        places: Those of one scale one after the other.
        size: Height and width of the input.
    """
    scaled, scale = pixels, 1.0
    for place in places:
        if place.scale != scale:
            shape = (max(1, round(pixels.shape[1] * place.scale)), max(1, round(pixels.shape[0] * place.scale)))
            small = PIL.Image.fromarray(pixels).resize(shape, PIL.Image.Resampling.BILINEAR)
            scaled, scale = np.asarray(small), place.scale
        square = np.zeros((*size, 3), np.float32)
        part = scaled[place.top : place.top + place.height, place.left : place.left + place.width]
        square[: place.height, : place.width] = part[:, :, ::-1]
        yield np.ascontiguousarray(square.transpose(2, 0, 1))[None]
