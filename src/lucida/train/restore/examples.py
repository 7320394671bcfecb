"""Pieces of good images with what was made of them, and the whole images that training is judged by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import PIL.Image
import torch
from torch import Tensor

from lucida.errors import InputError
from lucida.train.pictures import Pictures
from lucida.train.restore.degradation import DEGRADATIONS, NOISIEST, with_noise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lucida.data import Samples

EDGE: Final = 1024  # shorter side of training images: larger photos are soft and noisy in their pixels
MARGIN: Final = 8  # pixels of the small image around a piece: what lies beyond must not be made up
SHRUNK: Final = 0.5  # share of pieces from the image made smaller, which is cleaner and has more detail
USUAL: Final = 55.0  # standard deviation in grey levels up to which noise is met often
JUDGED: Final = 20  # validation images at most
LARGEST: Final = 480  # side of them in pixels at most
NOISES: Final = (15, 25, 50)  # grey levels that denoisers are judged at


@dataclass(frozen=True)
class Kind:
    """What is to be undone.

    Attributes:
        scale: How many times larger images become; 1 for noise.
        side: Pixels of the pieces that go in.
        degradation: A name of `DEGRADATIONS`, where images become larger.
    """

    scale: int
    side: int
    degradation: str = "bicubic"

    @property
    def span(self) -> int:
        """Pixels of a good image that a piece is made from."""
        return (self.side + 2 * MARGIN) * self.scale if self.scale > 1 else self.side


Example = tuple[Tensor, Tensor, float]  # made worse (3, h, w), good (3, h * scale, w * scale), noise: all on 0..1


class Training:
    """Training images, of which every example is another piece.

    Args:
        samples: The images.
        kind: What is to be undone.

    Raises:
        InputError: None can be read, or all are smaller than a piece.

    Attributes:
        skipped: Images that could not be read, and why.
        notes: What was left out.
    """

    def __init__(self, samples: Samples, kind: Kind) -> None:
        self.kind = kind
        self._pictures = Pictures(samples, EDGE, what="Reading training images")
        self.skipped = self._pictures.skipped
        self.rows, self.notes = large_enough(self._pictures, kind.span)

    def piece(self, number: int, random: np.random.Generator) -> Example | None:
        """Return a piece of an image, turned by chance; None where it cannot be read any more."""
        picture = self._pictures[self.rows[number]]
        if picture is None:
            return None
        pixels, span = picture.pixels, self.kind.span
        wide = span
        if random.random() < SHRUNK:
            wide = min(round(span / random.uniform(0.6, 0.9)), *pixels.shape[:2])
        top, left = (int(random.integers(length - wide + 1)) for length in pixels.shape[:2])
        good = pixels[top : top + wide, left : left + wide]
        if wide != span:
            good = np.asarray(PIL.Image.fromarray(good).resize((span, span), PIL.Image.Resampling.BICUBIC))
        return make_example(turned(good, int(random.integers(8))), self.kind, random)


def make_example(good: NDArray[np.uint8], kind: Kind, random: np.random.Generator) -> Example:
    """Return a square of a good image, uint8 (span, span, 3), with what is made of it."""
    if kind.scale == 1:
        sigma = level(random)
        noisy, clean = with_noise(good, random, sigma)
        return as_planes(noisy), as_planes(clean), sigma / 255
    bad = DEGRADATIONS[kind.degradation](good, kind.scale, random)
    small, large = slice(MARGIN, -MARGIN), slice(MARGIN * kind.scale, -MARGIN * kind.scale)
    return on_unit(bad[small, small]), on_unit(good[large, large]), 0.0


def level(random: np.random.Generator) -> float:
    """Return how much noise there is, in grey levels: seldom none, seldom very much."""
    chance = random.random()
    if chance < 0.05:
        return 0.0
    return float(random.uniform(0, USUAL) if chance < 0.85 else random.uniform(USUAL, NOISIEST))


class Validation:
    """Whole images, made worse once and for all.

    Args:
        samples: The images; at most `JUDGED` are used, the middle of large ones.
        kind: What is to be undone.

    Raises:
        InputError: None can be used.

    Attributes:
        cases: Examples of one image each.
        skipped: Images that could not be read, and why.
    """

    def __init__(self, samples: Samples, kind: Kind) -> None:
        step = max(1, len(samples) // JUDGED)
        chosen = samples.items[::step][:JUDGED]
        from dataclasses import replace

        pictures = Pictures(replace(samples, items=chosen), EDGE, what="Reading validation images")
        self.skipped = pictures.skipped
        rows, _ = large_enough(pictures, 4 * kind.scale)
        self.cases: list[Example] = []
        for row in rows:
            picture = pictures[row]
            if picture is not None:
                self.cases += _cases(middle(picture.pixels, kind.scale), kind, np.random.default_rng(row))


def _cases(good: NDArray[np.uint8], kind: Kind, random: np.random.Generator) -> list[Example]:
    if kind.scale > 1:
        return [(on_unit(DEGRADATIONS[kind.degradation](good, kind.scale, random)), on_unit(good), 0.0)]
    found = []
    for sigma in NOISES:
        noisy, clean = with_noise(good, random, sigma)
        found.append((as_planes(noisy), as_planes(clean), sigma / 255))
    return found


def large_enough(pictures: Pictures, span: int) -> tuple[list[int], list[str]]:
    """Return the rows of images that can be read and are no smaller than a piece, and a note of those that are.

    Raises:
        InputError: There are none.
    """
    readable = pictures.readable()
    sides = {row: min(one.pixels.shape[:2]) for row in readable if (one := pictures[row]) is not None}
    rows = [row for row, side in sides.items() if side >= span]
    if not rows:
        raise InputError(
            "No image is large enough to learn from.",
            expected=f"images whose sides are at least {span} pixels",
            got=f"{max(sides.values(), default=0)} pixels at most, of {len(sides):,} that can be read",
            hint="larger photos, or a smaller --size",
        )
    few = len(sides) - len(rows)
    return rows, [f"{few:,} images are smaller than {span} pixels, and were left out."] if few else []


def middle(pixels: NDArray[np.uint8], scale: int) -> NDArray[np.uint8]:
    """Return the middle of an image, its sides at most `LARGEST` and multiples of the scale, and even."""
    step = 2 if scale == 1 else scale
    cuts = []
    for length in pixels.shape[:2]:
        kept = min(length, LARGEST) // step * step
        cuts.append(slice((length - kept) // 2, (length - kept) // 2 + kept))
    return pixels[cuts[0], cuts[1]]


def turned(pixels: NDArray[np.uint8], way: int) -> NDArray[np.uint8]:
    """Return an image in one of its eight orientations."""
    found = np.rot90(pixels, way % 4)
    return found[:, ::-1] if way >= 4 else found


def on_unit(pixels: NDArray[np.uint8]) -> Tensor:
    """Return pixels uint8 (h, w, 3) as float32 (3, h, w) on 0..1."""
    return as_planes(pixels.astype(np.float32) / np.float32(255))


def as_planes(pixels: NDArray[np.float32]) -> Tensor:
    """Return float32 (h, w, 3) as a tensor (3, h, w)."""
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))


def batch_of(examples: Sequence[Example]) -> tuple[Tensor, Tensor, Tensor]:
    """Put examples of one size into a batch: (n, 3, h, w), (n, 3, h * scale, w * scale), (n, 1, 1, 1)."""
    bad, good, noise = zip(*examples, strict=True)
    return torch.stack(bad), torch.stack(good), torch.tensor(noise, dtype=torch.float32).view(-1, 1, 1, 1)
