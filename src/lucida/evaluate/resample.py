"""Intervals of any metric by a bootstrap over images.

A metric is a function of how often each image counts: all ones give the figure itself, numbers drawn with replacement
give what it might as well have been. So one sort or match of the images serves all draws.

Resampling shifts some figures: F1 over classes of a few images each falls, the calibration error rises. The ends are
percentiles corrected for that; where the shift is about as large as the spread, as of the calibration error, the
differences from the figure are turned round instead (the basic interval).

Source: Efron & Tibshirani 1993, An Introduction to the Bootstrap, sections 13.3 (percentile), 14.3 (corrected for
bias; without acceleration), and 13.4 (the pivot of the basic interval).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.special import ndtr, ndtri

from lucida.evaluate.figure import CONFIDENCE, Figure

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]

REPEATS: Final = 1000
LEAST_REPEATS: Final = 200
_BUDGET: Final = 1.5e8  # numbers of all draws of a costly metric
_AT_ONCE: Final = 2_000_000  # numbers of one block of draws


@dataclass(frozen=True, eq=False)
class Metric:
    """One figure of a model on some images.

    Attributes:
        name: "balanced_accuracy".
        title: As it stands in a report.
        of: How often each image counts, float64 (b, n), to the figure each time, (b,); NaN where there is none.
        images: n.
        right: Which images are right, bool (n,), where the figure is a plain share of images; its interval is Wilson's.
        less: Whether less is better.
        shifted: Whether resampling shifts it much, so that the basic interval is taken instead of percentiles.
        cost: About how many numbers one draw takes; many mean fewer draws.
    """

    name: str
    title: str
    of: Callable[[Floats], Floats]
    images: int
    right: Flags | None = None
    less: bool = False
    shifted: bool = False
    cost: int = 0

    def figure(self, members: Flags | None = None, *, repeats: int = REPEATS, seed: int = 0) -> Figure | None:
        """Measure it.

        Args:
            members: Only these images, bool (n,).
            repeats: Draws of the bootstrap; fewer, at least 200, where each is costly.
            seed: Of the draws.

        Returns:
            The figure; None where these images say nothing of it.
        """
        rows = np.arange(self.images) if members is None else np.flatnonzero(members)
        if not len(rows):
            return None
        if self.right is not None:
            return Figure.share(int(self.right[rows].sum()), len(rows))
        whole = np.zeros((1, self.images))
        whole[0, rows] = 1
        value = float(self.of(whole)[0])
        if not np.isfinite(value):
            return None
        draws = self._draws(rows, min(repeats, max(LEAST_REPEATS, int(_BUDGET / max(self.cost, 1)))), seed)
        if not len(draws):
            return None
        sides = np.array([(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
        if not self.shifted:
            ends = np.quantile(draws, _corrected(draws, value, sides))
            return Figure(value, min(value, float(ends[0])), max(value, float(ends[1])), len(rows), "corrected")
        ends = np.quantile(draws, sides)
        # Where the shift is larger than the spread, the figure itself would lie outside.
        low, high = max(0.0, 2 * value - float(ends[1])), max(value, 2 * value - float(ends[0]))
        return Figure(value, low, high, len(rows), "basic")

    def _draws(self, rows: NDArray[np.int64], repeats: int, seed: int) -> Floats:
        random = np.random.default_rng(seed)
        block = max(1, _AT_ONCE // max(self.images, self.cost))
        found = []
        for start in range(0, repeats, block):
            drawn = random.integers(0, len(rows), (min(block, repeats - start), len(rows)))
            found.append(self.of(counts(rows[drawn], self.images)))
        values = np.concatenate(found)
        return np.asarray(values[np.isfinite(values)])


def _corrected(draws: Floats, value: float, sides: Floats) -> Floats:
    """Return the shares of draws at which the ends lie, so that the figure itself is at their middle."""
    below = (np.mean(draws < value) + np.mean(draws <= value)) / 2
    shift = ndtri(np.clip(below, 0.5 / len(draws), 1 - 0.5 / len(draws)))
    return np.asarray(ndtr(2 * np.clip(shift, -1, 1) + ndtri(sides)), np.float64)


def counts(drawn: NDArray[np.int64], images: int) -> Floats:
    """Return how often each of so many images was drawn, float64 (b, images), from rows (b, n)."""
    places = drawn + np.arange(len(drawn))[:, None] * images
    found = np.bincount(places.ravel(), minlength=len(drawn) * images).reshape(len(drawn), images)
    return found.astype(np.float64)


def ones(images: int) -> Floats:
    """Return the weights in which every image counts once, (1, images)."""
    return np.ones((1, images))
