"""Metrics of scores, whatever the threshold, for many weightings of the images at once.

Every function takes `weights`, float64 (b, n), and returns (b,), as in `lucida.evaluate.metrics.classification`.
Equal scores are one threshold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lucida.evaluate.metrics.classification import mean_known, ratio
from lucida.evaluate.resample import ones

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]


def _steps(scores: Floats, positive: Flags, weights: Floats | None) -> tuple[Floats, Floats, Floats]:
    """Return thresholds (g,), falling, and how much of either kind each of them adds, (b, g)."""
    weights = ones(len(scores)) if weights is None else weights
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    starts = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]]) if len(ranked) else np.zeros(0, np.int64)
    chosen, hit = weights[:, order], positive[order]
    return ranked[starts], *(np.add.reduceat(chosen * kind, starts, axis=1) for kind in (hit, ~hit))  # type: ignore[return-value]


def auroc(scores: Floats, positive: Flags, weights: Floats | None = None) -> Floats:
    """Return how often a positive image (n,) has the larger score than a negative one; ties count half."""
    _, hits, misses = _steps(scores, positive, weights)
    below = misses.sum(axis=1, keepdims=True) - np.cumsum(misses, axis=1)
    won = (hits * (below + misses / 2)).sum(axis=1)
    return ratio(won, hits.sum(axis=1) * misses.sum(axis=1))


def macro_auroc(scores: Floats, truth: Floats, weights: Floats | None = None) -> Floats:
    """Return the mean over classes of `auroc`, each against the rest; scores and truth (n, classes)."""
    each = [auroc(scores[:, k], truth[:, k] > 0, weights) for k in range(scores.shape[1])]
    return mean_known(np.stack(each, axis=1))


def average_precision(scores: Floats, positive: Flags, weights: Floats | None = None) -> Floats:
    """Return the precision at every recall, averaged; not interpolated."""
    _, hits, misses = _steps(scores, positive, weights)
    won, lost = np.cumsum(hits, axis=1), np.cumsum(misses, axis=1)
    precision = np.nan_to_num(ratio(won, won + lost))
    return ratio((hits * precision).sum(axis=1), hits.sum(axis=1))


def mean_average_precision(scores: Floats, truth: Floats, weights: Floats | None = None) -> Floats:
    """Return the mean over tags of `average_precision`; scores and truth (n, tags)."""
    each = [average_precision(scores[:, k], truth[:, k] > 0, weights) for k in range(scores.shape[1])]
    return mean_known(np.stack(each, axis=1))


def best_f1(scores: Floats, positive: Flags, weights: Floats | None = None) -> Floats:
    """Return the largest F1 of all thresholds: chosen on the same images, so it flatters a little."""
    return np.asarray(_f1(scores, positive, weights)[1].max(axis=1))


def best_threshold(scores: Floats, positive: Flags) -> float:
    """Return the threshold of the largest F1: scores from it upwards count as positive."""
    thresholds, values = _f1(scores, positive, None)
    return float(thresholds[values[0].argmax()])


def _f1(scores: Floats, positive: Flags, weights: Floats | None) -> tuple[Floats, Floats]:
    thresholds, hits, misses = _steps(scores, positive, weights)
    won, taken = np.cumsum(hits, axis=1), np.cumsum(hits + misses, axis=1)
    total = hits.sum(axis=1, keepdims=True)
    return thresholds, np.where(total > 0, np.nan_to_num(ratio(2 * won, taken + total)), np.nan)
