"""Find the pairs that are worth a closer look, without looking at all of them; block by block, in bounded memory."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Hashes = NDArray[np.uint64]
Pairs = NDArray[np.int64]


def near_hashes(hashes: Hashes, *, distance: int) -> Iterator[Pairs]:
    """Yield pairs of rows whose hashes differ in at most `distance` bits, as (m, 2) int64 with first < second.

    Of `distance` + 1 bands, two such hashes share at least one (the pigeonhole principle). A pair may come more
    than once.

    Args:
        hashes: (n,) uint64.
        distance: Bits in which near-identical images may differ, 0 to 15.
    """
    edges = np.linspace(0, 64, distance + 2).astype(np.int64)
    for low, high in itertools.pairwise(edges.tolist()):
        mask = np.uint64((1 << (high - low)) - 1)
        for rows in _equal((hashes >> np.uint64(low)) & mask):
            for start in range(0, len(rows), 1024):
                block = hashes[rows[start : start + 1024], None]
                left, right = np.nonzero(np.bitwise_count(block ^ hashes[rows[start:]]) <= distance)
                yield _upper(rows[left + start], rows[right + start])


def _equal(keys: Hashes) -> Iterator[NDArray[np.intp]]:
    """Yield the rows of every key that occurs more than once, ascending."""
    order = np.argsort(keys, kind="stable")
    bounds = np.flatnonzero(np.diff(keys[order])) + 1
    for start, end in zip([0, *bounds], [*bounds, len(order)], strict=True):
        if end - start > 1:
            yield order[start:end]


def _upper(left: NDArray[np.integer], right: NDArray[np.integer]) -> Pairs:
    keep = left < right
    return np.stack([left[keep], right[keep]], axis=1).astype(np.int64)


def nearest(
    vectors: Floats, others: Floats | None = None, *, count: int, similarity: float, dimensions: int = 128
) -> Pairs:
    """Return each row with those that point the same way, as (m, 2) int64 with first < second, each pair once.

    Cosines are those of the principal subspace: on real pictures that is nearly all of them.

    Args:
        vectors: (n, d) float32 of any length; rows of zeros are near to nothing.
        others: (n, d): the rows that are looked for instead, such as those of the mirror images.
        count: Neighbours of a row, the nearest first; a pair comes if either is among the other's.
        similarity: Least cosine, in (0, 1].
        dimensions: Size of the subspace.
    """
    there = np.flatnonzero(np.any(vectors, axis=1))
    if len(there) < 2:
        return np.zeros((0, 2), np.int64)
    known = _unit(vectors[there])
    basis = _principal(known[:: max(1, len(known) // 4096)], dimensions)
    known, asked = known @ basis, (known if others is None else _unit(others[there])) @ basis
    count = min(count, len(known) - 1)
    block = max(1, 2**24 // len(known))
    found = []
    for start in range(0, len(known), block):
        cosines = asked[start : start + block] @ known.T
        rows = np.arange(len(cosines))[:, None]
        cosines[rows[:, 0], start + rows[:, 0]] = -1
        best = np.argpartition(-cosines, count - 1, axis=1)[:, :count]
        left, place = np.nonzero(cosines[rows, best] >= similarity)
        found.append(np.stack([there[left + start], there[best[left, place]]], axis=1))
    return np.unique(np.sort(np.concatenate(found), axis=1), axis=0).astype(np.int64)


def _unit(rows: Floats) -> Floats:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12))


def _principal(rows: Floats, dimensions: int) -> Floats:
    """Return an orthonormal basis, (d, dimensions or less), along which the rows vary most."""
    _, basis = np.linalg.eigh(np.asarray(rows.T @ rows, dtype=np.float64))
    return np.asarray(basis[:, -dimensions:], dtype=np.float32)
