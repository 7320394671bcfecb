"""Metrics of one class an image, and of tags, for many weightings of the images at once.

Every function takes `weights`, float64 (b, n): how often each image counts, once each where it is left out. It returns
float64 (b,); NaN where the images say nothing. Classes that no image has count nowhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lucida.evaluate.resample import ones

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Labels = NDArray[np.int64]

BINS = 15
_TINY = 1e-15  # a probability of 0 must not make the loss infinite


def one_hot(labels: Labels, classes: int) -> Floats:
    """Return float64 (n, classes), 1 at each label."""
    return np.asarray(np.eye(classes)[labels])


def accuracy(found: Labels, truth: Labels, weights: Floats | None = None) -> Floats:
    """Return the share of images whose class (n,) is right."""
    weights = ones(len(truth)) if weights is None else weights
    return np.asarray(ratio(weights @ (found == truth), weights.sum(axis=1)))


def balanced_accuracy(found: Labels, truth: Labels, classes: int, weights: Floats | None = None) -> Floats:
    """Return the mean over classes of the share that is found."""
    weights = ones(len(truth)) if weights is None else weights
    there = one_hot(truth, classes)
    return mean_known(ratio(weights @ (there * (found == truth)[:, None]), weights @ there))


def macro_f1(found: Labels, truth: Labels, classes: int, weights: Floats | None = None) -> Floats:
    """Return the mean over classes of F1."""
    return tag_f1(one_hot(found, classes), one_hot(truth, classes), weights)


def tag_f1(found: Floats, truth: Floats, weights: Floats | None = None) -> Floats:
    """Return the mean over tags of F1, of 0 or 1 (n, tags)."""
    weights = ones(len(truth)) if weights is None else weights
    return mean_known(ratio(2 * (weights @ (found * truth)), weights @ (found + truth)))


def log_loss(probabilities: Floats, truth: Labels, weights: Floats | None = None) -> Floats:
    """Return the mean of -ln p of the true class, of probabilities (n, classes)."""
    weights = ones(len(truth)) if weights is None else weights
    each = -np.log(np.clip(probabilities[np.arange(len(truth)), truth], _TINY, 1))
    return np.asarray(ratio(weights @ each, weights.sum(axis=1)))


def expected_calibration_error(
    probabilities: Floats, truth: Labels, weights: Floats | None = None, *, bins: int = BINS
) -> Floats:
    """Return how far the probability of the chosen class is from the share that is right, over equal bins.

    Source: Guo et al. 2017, On Calibration of Modern Neural Networks.
    """
    weights = ones(len(truth)) if weights is None else weights
    sure, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    gap = weights @ (one_hot(bin_of(sure, bins), bins) * (sure - right)[:, None])
    return np.asarray(ratio(np.abs(gap).sum(axis=1), weights.sum(axis=1)))


def bin_of(sure: Floats, bins: int = BINS) -> Labels:
    """Return the number of the bin of each probability (n,)."""
    return np.asarray(np.clip((sure * bins).astype(np.int64), 0, bins - 1))


def ratio(above: Floats, below: Floats) -> Floats:
    """Return a quotient, NaN where nothing is below."""
    return np.asarray(np.divide(above, below, out=np.full(np.shape(above), np.nan), where=np.asarray(below) > 0))


def mean_known(values: Floats) -> Floats:
    """Return the mean of (b, k) over k without NaN; NaN where there is nothing else."""
    known = ~np.isnan(values)
    return ratio(np.where(known, values, 0.0).sum(axis=1), known.sum(axis=1).astype(np.float64))
