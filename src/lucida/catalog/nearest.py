"""Exact search: vectors brought to length one, compared, and the best of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")
Array = np.ndarray[Any, np.dtype[np.float32]]


def compared(vectors: Array, parts: Sequence[slice]) -> Array:
    """Return vectors as they are compared, each of length one; rows of zeros stay.

    Args:
        vectors: float32 (n, d).
        parts: Parts that count alike, each brought to length one first; the whole as it is where empty.
    """
    if not parts:
        return _unit(vectors)
    together = np.concatenate([_unit(vectors[:, part]) for part in parts], axis=1)
    return np.asarray(together * np.float32(len(parts) ** -0.5), np.float32)


def _unit(vectors: Array) -> Array:
    lengths = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return np.asarray(vectors / lengths, np.float32)


def among_only(ids: Sequence[str], scores: Array, among: Sequence[str] | None) -> Array:
    """Return the scores (n,), -inf for those that are not among the ids to choose from."""
    if among is None:
        return scores
    chosen = set(among)
    return np.where([id in chosen for id in ids], scores, -np.inf).astype(np.float32)


def best(ids: Sequence[T], scores: Array, k: int) -> list[tuple[T, float]]:
    """Return the ids of the k highest scores, highest first, equal ones in their order; those of -inf never."""
    k = min(k, int(np.isfinite(scores).sum()))
    if k <= 0:
        return []
    if k < len(scores):
        edge = np.partition(scores, len(scores) - k)[len(scores) - k]
        places = np.flatnonzero(scores >= edge)
    else:
        places = np.arange(len(scores))
    places = places[np.argsort(-scores[places], kind="stable")][:k]
    return [(ids[i], float(scores[i])) for i in places.tolist()]
