"""How well pixels are told apart, from counts over all validation images.

Source: Everingham et al. 2010, The PASCAL Visual Object Classes Challenge, for the mean IoU over classes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from lucida.evaluate.metrics.segmentation import confusion_of, pixels_of
from lucida.evaluate.tasks.segment import BACKGROUND, metrics
from lucida.results import Result, Segmentation
from lucida.train.segment.views import UNKNOWN

if TYPE_CHECKING:
    from numpy.typing import NDArray


def background_of(classes: Sequence[str]) -> int | None:
    """Return the number of the class that is no object; None if there is none."""
    return list(classes).index(BACKGROUND) if BACKGROUND in classes else None


def pixel_metrics(
    found: Sequence[Result], truth: Sequence[NDArray[np.uint8]], classes: Sequence[str]
) -> dict[str, float]:
    """Return the figures that `lucida evaluate` leads with, and "iou_CLASS" of each class that occurs.

    Args:
        found: What was found in each image.
        truth: Numbers of classes, as large as the image; 255 counts nowhere.
        classes: Names of the classes.
    """
    background = background_of(classes)
    confusions = []
    for one, wanted in zip(found, truth, strict=True):
        assert isinstance(one, Segmentation), "a segmenter gives nothing else"
        numbers = np.where(wanted == UNKNOWN, -1, wanted.astype(np.int64))
        confusions.append(confusion_of(numbers, one.mask.astype(np.int64), len(classes)))
    pixels = pixels_of(confusions, background)
    whole = np.ones((1, len(confusions)))
    figures = {metric.name: float(metric.of(whole)[0]) for metric in metrics(pixels)}
    each = {f"iou_{name}": float(value) for name, value in zip(classes, pixels.iou()[0], strict=True)}
    return {name: value for name, value in (figures | each).items() if not math.isnan(value)}
