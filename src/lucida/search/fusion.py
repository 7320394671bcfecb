"""Several rankings become one, and each result remembers which of them found it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# The constant of the paper: how little the first ranks of one list outweigh agreement between lists.
K: Final = 60


def reciprocal_rank_fusion(lists: Sequence[Sequence[tuple[str, float]]], *, k: int = K) -> list[tuple[str, float]]:
    """Merge rankings by the sum of 1 / (k + rank); first in every list is 1.

    Names of equal score share the mean of their ranks: a word that is in the path of every image says nothing.

    Args:
        lists: Names and scores, best first; a name that a list does not hold gets nothing from it.
        k: Larger values let agreement count for more than first places.

    Returns:
        Names and scores in (0, 1], highest first; equal ones in the order of the lists.

    Source: Cormack, Clarke & Büttcher 2009, Reciprocal Rank Fusion outperforms Condorcet and individual Rank Learning
        Methods.
    """
    scores: dict[str, float] = {}
    for ranking in lists:
        start = 1
        for _, equal in groupby(ranking, key=lambda pair: pair[1]):
            names = [name for name, _ in equal]
            rank = start + (len(names) - 1) / 2
            start += len(names)
            for name in names:
                scores[name] = scores.get(name, 0.0) + 1.0 / (k + rank)
    most = len(lists) / (k + 1)
    return [(name, score / most) for name, score in sorted(scores.items(), key=lambda pair: -pair[1])]


def combine(scores: Mapping[str, NDArray[np.float32]], weights: Mapping[str, float]) -> NDArray[np.float32]:
    """Add up scores of different scales, each centred and divided by its spread.

    Both must be good for the sum to be good, as "like this, and red" asks; ranks alone would not say by how much.

    Args:
        scores: For each way of scoring, float32 (n,) of the same n images.
        weights: How much each counts.

    Returns:
        float32 (n,).

    Source: CombSUM (Fox & Shaw 1994), normalised as by Montague & Aslam 2001 (ZMUV).
    """
    total = np.zeros(len(next(iter(scores.values()))), np.float64)
    for name, values in scores.items():
        wide = values.astype(np.float64)
        spread = float(wide.std())
        total += weights[name] * (wide - wide.mean()) / (spread if spread > 1e-12 else 1.0)
    return total.astype(np.float32)
