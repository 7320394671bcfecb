"""What a review will take and bring, before it is made: a quote as a range."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lucida.evidence.steering import relative_entropy

_OVERHEAD = 2.0  # nats beyond ln(1/delta): the entry's share of the level, and what the mixture costs


def expected_acceptance(p_right: ArrayLike, max_error: float, *, confidence: float = 0.95, worth: float = 1.0) -> float:
    """Estimate the share of labels that a review would accept unchecked, in well under a millisecond per 1,000.

    Args:
        p_right: calibrated probability for each label to be right, shape (n,), within [0, 1].
        max_error: the rate of wrong labels that what is kept must not exceed, within (0, 1).
        confidence: the probability with which the claim holds, within (0, 1).
        worth: how many answers one more kept label is worth.

    Returns:
        A number in [0, 1]; 0 without labels.
    """
    right: NDArray[np.float64] = np.sort(np.asarray(p_right, dtype=np.float64))[::-1]
    if not len(right):
        return 0.0
    size = np.unique(np.linspace(1, len(right), min(len(right), 200)).astype(np.int64))
    rate = (np.cumsum(1 - right)[size - 1]) / size
    speed = relative_entropy(np.minimum(rate, 0.95 * max_error), np.full(len(size), max_error))
    reads = (math.log(1 / (1 - confidence)) + _OVERHEAD) / speed
    answers = size * (1 - np.exp(-reads / size))  # drawing without replacement ends at the whole set
    value = np.where(rate < 0.9 * max_error, worth * size - answers, -np.inf)
    best = int(np.argmax(value))
    if not value[best] > 0:
        return 0.0
    return float(max(size[best] - answers[best], 0.0) / len(right))
