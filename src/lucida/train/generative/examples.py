"""Images at the size that is drawn, with their classes and the chance that each example needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import PIL.Image
import torch
from torch import Tensor

from lucida.train.pictures import Pictures

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lucida.data import Samples

DROPPED: Final = 0.1  # share of examples whose class is not told, so that guidance has something to lead away from
Example = tuple[Tensor, int, Tensor, float]  # uint8 (3, s, s), class, noise, a normal number that decides the time


class Images:
    """Squares of one size, the middle of each image.

    Args:
        samples: The images; targets are names of classes, or None.
        side: In pixels.
        what: Said beside the progress bar.

    Attributes:
        pixels: uint8 (n, side, side, 3).
        labels: int64 (n,), the number of "none" where there is no class.
        small: How many had a side below `side`.
        skipped: Images that could not be read, and why.
    """

    def __init__(self, samples: Samples, side: int, what: str) -> None:
        pictures = Pictures(samples, side, what=what)
        self.skipped = pictures.skipped
        number = {name: row for row, name in enumerate(samples.classes)}
        squares, labels, small = [], [], 0
        for row, sample in enumerate(samples):
            picture = None if sample.name in self.skipped else pictures[row]
            if picture is None:
                continue
            small += min(picture.width, picture.height) < side
            squares.append(square(picture.pixels, side))
            labels.append(number.get(str(sample.target), len(number)))
        self.pixels: NDArray[np.uint8] = np.stack(squares) if squares else np.zeros((0, side, side, 3), np.uint8)
        self.labels: NDArray[np.int64] = np.asarray(labels, np.int64)
        self.small = small

    def __len__(self) -> int:
        return len(self.pixels)


def square(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Return the middle of an image, its shorter side brought to `side`."""
    height, width = pixels.shape[:2]
    if min(height, width) != side:
        size = tuple(max(side, round(length * side / min(height, width))) for length in (width, height))
        pixels = np.asarray(PIL.Image.fromarray(pixels).resize(size, PIL.Image.Resampling.BICUBIC))
        height, width = pixels.shape[:2]
    top, left = (height - side) // 2, (width - side) // 2
    return pixels[top : top + side, left : left + side]


def make_example(
    pixels: NDArray[np.uint8], label: int, noise: tuple[int, ...], *, classes: int, mirrored: bool
) -> Example:
    """Return one training example, by PyTorch's global chance: what a step sees depends on its number alone."""
    image = torch.from_numpy(np.array(pixels.transpose(2, 0, 1)))
    mirror, drop, when = torch.rand(()), torch.rand(()), torch.randn(())
    if mirrored and mirror < 0.5:
        image = image.flip(2)
    return image, classes if drop < DROPPED else label, torch.randn(noise), float(when)


def batch_of(examples: list[Example]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Put examples into a batch: uint8 (n, 3, s, s), int64 (n,), float32 (n, ...), float32 (n,)."""
    images, labels, noise, chance = zip(*examples, strict=True)
    return torch.stack(images), torch.tensor(labels), torch.stack(noise), torch.tensor(chance, dtype=torch.float32)


def fixed_noise(shape: tuple[int, ...], seeds: range) -> NDArray[np.float32]:
    """Return the noise of pictures by their seeds, float32 (n, *shape), as a finished model draws it."""
    return np.stack([np.random.Generator(np.random.Philox(seed)).standard_normal(shape, np.float32) for seed in seeds])


def on_range(images: Tensor) -> Tensor:
    """Return uint8 images as float32 in -1..1."""
    return images.float() / 127.5 - 1


def as_pixels(images: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return float32 (n, 3, h, w) in -1..1 as uint8 (n, h, w, 3)."""
    found = np.clip(images.transpose(0, 2, 3, 1) * np.float32(0.5) + np.float32(0.5), 0, 1)
    return np.asarray(found * 255 + np.float32(0.5)).astype(np.uint8)
