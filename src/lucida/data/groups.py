"""What pairs connect: images are in one group if a chain of pairs joins them and nobody said that they differ."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Pairs = NDArray[np.int64]

NONE = np.zeros((0, 2), np.int64)


class Groups:
    """The groups of n images, each alone at first.

    Args:
        count: How many images.
    """

    def __init__(self, count: int) -> None:
        self._number: NDArray[np.int64] = np.arange(count, dtype=np.int64)
        self._pairs: list[Pairs] = []
        self._scores: list[Floats] = []

    def new(self, pairs: Pairs) -> Pairs:
        """Return those of the pairs, (m, 2), that would connect something."""
        ends = self._number[pairs]
        return np.asarray(pairs[ends[:, 0] != ends[:, 1]])

    def join(self, pairs: Pairs, scores: Floats) -> None:
        """Connect pairs, (m, 2), the surer ones with higher scores."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        if not len(pairs):
            return
        self._pairs.append(pairs)
        self._scores.append(scores)
        ends, count = self._number[pairs], len(self._number)
        links = coo_array((np.ones(len(ends), np.int8), (ends[:, 0], ends[:, 1])), shape=(count, count))
        self._number = connected_components(links, directed=False)[1].astype(np.int64)[self._number]

    def first(self) -> NDArray[np.int64]:
        """Return the first image of each group, ascending."""
        return np.sort(np.unique(self._number, return_index=True)[1]).astype(np.int64)

    def numbers(self, different: Pairs = NONE) -> list[int]:
        """Return the group of each image, numbered in the order of their first image.

        Args:
            different: (m, 2) images that must not share a group: of the pairs that would bring them together, the
                least sure are left out.
        """
        number = self._number
        if len(different) and (number[different[:, 0]] == number[different[:, 1]]).any():
            number = self._apart(different)
        _, first, inverse = np.unique(number, return_index=True, return_inverse=True)
        rank = np.empty(len(first), np.int64)
        rank[np.argsort(first)] = np.arange(len(first))
        return [int(n) for n in rank[inverse]]

    def _apart(self, different: Pairs) -> NDArray[np.int64]:
        """Join again, the surest pairs first (Kruskal), and leave out what brings together what differs."""
        leader = list(range(len(self._number)))
        against: dict[int, set[int]] = defaultdict(set)
        for one, other in different.tolist():
            against[one].add(other)
            against[other].add(one)

        def find(row: int) -> int:
            while leader[row] != row:
                leader[row] = row = leader[leader[row]]
            return row

        order = np.argsort(-np.concatenate(self._scores), kind="stable")
        for one, other in np.concatenate(self._pairs)[order].tolist():
            into, gone = find(one), find(other)
            if into == gone or gone in against[into]:
                continue
            leader[gone] = into
            against[into] |= against[gone]
            for enemy in against.pop(gone):
                against[enemy] = (against[enemy] - {gone}) | {into}
        return np.array([find(row) for row in range(len(leader))], np.int64)
