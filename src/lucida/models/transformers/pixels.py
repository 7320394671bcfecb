"""Maps of a network at the size of an image, one after the other: hundreds at once would fill the memory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from torch.nn.functional import interpolate

if TYPE_CHECKING:
    from numpy.typing import NDArray

SMALL: Final = 256  # classes that a byte can number


def enlarged(values: Any, size: tuple[int, int], *, smooth: bool = False) -> Any:
    """Return one map (h, w) at a size (height, width), as transformers resizes it.

    Args:
        values: The map.
        size: Height and width.
        smooth: Average over what becomes one pixel, as torchvision does, where the image is smaller than the map.
    """
    options = {"mode": "bilinear", "align_corners": False, "antialias": smooth}
    return interpolate(values[None, None], size=size, **options)[0, 0]


def repeated(values: Any, size: tuple[int, int]) -> Any:
    """Return one map (h, w) at a size (height, width), each pixel as its nearest."""
    return interpolate(values[None, None], size=size, mode="nearest")[0, 0]


def best_of(maps: Iterable[Any]) -> tuple[Any, Any]:
    """Return the largest value of each pixel, and the number of the map that has it, the first where several do."""
    rest = iter(maps)
    best = next(rest).clone()
    number = torch.zeros(best.shape, dtype=torch.int32)
    for k, values in enumerate(rest, 1):
        better = values > best
        number[better] = k
        best = torch.where(better, values, best)
    return best, number


def likeliest(logits: Any, size: tuple[int, int]) -> tuple[NDArray[Any], NDArray[np.float32]]:
    """Return the class of each pixel and its probability.

    Args:
        logits: (classes, h, w).
        size: Height and width of the image.

    Returns:
        Numbers uint8 or int32 (height, width), and float32 (height, width).
    """
    best, number = best_of(enlarged(each, size) for each in logits)
    total = torch.zeros(size)
    for each in logits:
        total += torch.exp(enlarged(each, size) - best)
    return as_numbers(number, len(logits)), np.asarray((1 / total).numpy(), np.float32)


def as_numbers(number: Any, classes: int) -> NDArray[Any]:
    """Return numbers of classes in as few bytes as they need."""
    return np.asarray(number.numpy().astype(np.uint8 if classes <= SMALL else np.int32))
