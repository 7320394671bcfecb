"""Metrics of masks, from counts of pixels an image, for many weightings of the images at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lucida.evaluate.metrics.classification import mean_known, ratio
from lucida.evaluate.resample import ones

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Pixels:
    """Counts of pixels that are not ignored.

    Attributes:
        confusion: Of all images, true class by found class, float64 (classes, classes).
        right: Of each image and class: pixels that are of it and were found, float64 (n, classes).
        truth: Pixels that are of it.
        found: Pixels that were called it.
        background: Number of the class that is no object; None where all are.
    """

    confusion: Floats
    right: Floats
    truth: Floats
    found: Floats
    background: int | None = None

    @property
    def foreground(self) -> list[int]:
        """Return the numbers of all classes but the background."""
        return [k for k in range(self.truth.shape[1]) if k != self.background]

    def iou(self, weights: Floats | None = None) -> Floats:
        """Return intersection over union of each class over all images together, (b, classes)."""
        weights = ones(len(self.truth)) if weights is None else weights
        return ratio(weights @ self.right, weights @ (self.truth + self.found - self.right))

    def mean_iou(self, weights: Floats | None = None) -> Floats:
        """Return the mean over classes of `iou`, (b,)."""
        return mean_known(self.iou(weights))

    def mean_iou_of_objects(self, weights: Floats | None = None) -> Floats:
        """Return the same without the background."""
        return mean_known(self.iou(weights)[:, self.foreground])

    def accuracy(self, weights: Floats | None = None) -> Floats:
        """Return the share of pixels that are right, (b,)."""
        weights = ones(len(self.truth)) if weights is None else weights
        return ratio(weights @ self.right.sum(axis=1), weights @ self.truth.sum(axis=1))

    def each(self) -> Floats:
        """Return of each image the mean IoU of the classes that it holds or is said to hold, (n,)."""
        return mean_known(ratio(self.right, self.truth + self.found - self.right))


def confusion_of(truth: NDArray[np.int64], found: NDArray[np.int64], classes: int) -> Floats:
    """Return how many pixels of each true class were called each class, float64 (classes, classes).

    Args:
        truth: Number of the class of each pixel, any shape; negative where it is ignored.
        found: Likewise.
        classes: How many there are.
    """
    counted = truth >= 0
    flat = truth[counted] * classes + found[counted]
    return np.bincount(flat, minlength=classes**2).reshape(classes, classes).astype(np.float64)


def pixels_of(confusions: list[Floats], background: int | None = None) -> Pixels:
    """Return the counts of some images from the confusion of each."""
    whole = np.stack(confusions)
    right = np.diagonal(whole, axis1=1, axis2=2).copy()
    return Pixels(whole.sum(axis=0), right, whole.sum(axis=2), whole.sum(axis=1), background)
