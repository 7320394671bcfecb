"""Orders that anyone can recompute: items by SHA-256(seed, stage, id), scores by bins that split no tie."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

ORDER_RULE = (
    "ascending by the first 8 bytes of SHA-256(seed + NUL + stage + NUL + id), UTF-8, big-endian; equal values by id"
)


def hash_keys(seed: int | str, stage: str, ids: Sequence[str]) -> NDArray[np.uint64]:
    """Compute the sort key of each id in a stage: the first 8 bytes of SHA-256(seed, stage, id).

    Returns uint64 of shape (len(ids),). The seed and the stage hold no NUL, so no two triples share a
    message.

    Source: FIPS 180-4.
    """
    prefix = sha256(f"{seed}\0{stage}\0".encode("utf-8", "surrogatepass"))
    digests = bytearray()
    for text in ids:
        one = prefix.copy()
        one.update(text.encode("utf-8", "surrogatepass"))
        digests += one.digest()[:8]
    return np.frombuffer(bytes(digests), dtype=">u8").astype(np.uint64)


class HashOrder:
    """Give the orders of one seed over a list of ids, by `ORDER_RULE`."""

    def __init__(self, seed: int | str, ids: Sequence[str]) -> None:
        self.seed, self.ids = seed, ids

    def order(self, stage: str, rows: Ints) -> Ints:
        """Order `rows` (indices into the ids) for a stage; int64, the same length."""
        keys = hash_keys(self.seed, stage, [self.ids[i] for i in rows.tolist()])
        order = np.argsort(keys, kind="stable")
        ranked = keys[order]
        if np.any(ranked[1:] == ranked[:-1]):  # about once in 10^7 populations of a million
            order = np.array(sorted(range(len(rows)), key=lambda i: (keys[i], self.ids[int(rows[i])])), dtype=np.int64)
        return rows[order]

    def offset(self, stage: str) -> float:
        """Give a number in [0, 1) for a stage: the key of the empty id, scaled."""
        return float(int(hash_keys(self.seed, stage, [""])[0]) / 2**64)


def score_bins(scores: NDArray[np.float64], most: int = 40) -> Ints:
    """Cut items into at most `most` bins of about equal size by score; bin 0 holds the highest scores.

    `scores` is float64 of shape (n,), finite. Equal scores never straddle two bins, so the bins depend on the
    scores alone and not on the order of the rows. Returns int64 of shape (n,), bins numbered without gaps.
    """
    n = len(scores)
    if n == 0:
        return np.empty(0, dtype=np.int64)
    descending = -scores
    order = np.argsort(descending, kind="stable")
    ranked = descending[order]
    first_of_tie = np.searchsorted(ranked, ranked, side="left")
    bins = np.empty(n, dtype=np.int64)
    bins[order] = (first_of_tie * most) // n
    return np.unique(bins, return_inverse=True)[1].astype(np.int64).reshape(n)


class Shuffle:
    """Give orders from a random generator: for simulations, where SHA-256 would only cost time.

    Args:
        rng: The generator; each order drawn from it is a fresh one.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def order(self, stage: str, rows: Ints) -> Ints:
        """Shuffle `rows`."""
        return self.rng.permutation(rows)

    def offset(self, stage: str) -> float:
        """Draw a number in [0, 1)."""
        return float(self.rng.random())
