"""Ways to score images against a query: by a direction among vectors, or by a matcher of words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from lucida.catalog.nearest import best
from lucida.errors import UnknownName

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lucida.catalog import Catalog
    from lucida.models.spec import Matcher

    Scored = list[tuple[str, float]]

BLOCK: Final = 4096
# How much of the mean of what is not wanted is taken off the mean of what is: the constant of Salton & Buckley 1990.
# With three of each, share of right ones among the ten first at 0, .15 and .5: clothing .64 .66 .54, CIFAR-10
# .80 .82 .73, Tiny ImageNet .28 .28 .22 (the embedded encoder; what is not wanted were the first wrong results).
UNLIKE: Final = 0.15


class Leg(Protocol):
    """One way to score images; higher is better."""

    @property
    def name(self) -> str:
        """What is scored: "image" or "words"."""
        ...

    @property
    def weight(self) -> float:
        """How much it counts against other ways."""
        ...

    def top(self, k: int, among: Sequence[str] | None) -> Scored:
        """Return the k best images, best first, of those to choose among (None for all)."""
        ...


@dataclass(frozen=True)
class Direction:
    """Scores images by the cosine of their vectors with a direction.

    Attributes:
        catalog: Where the vectors are.
        name: "image" or "words".
        key: Of the vectors.
        direction: float32 (d,).
        parts: Which parts of the vectors are compared, each at length one; the whole where empty.
        weight: Against other ways.
    """

    catalog: Catalog
    name: str
    key: str
    direction: NDArray[np.float32] = field(repr=False)
    parts: tuple[slice, ...] = ()
    weight: float = 1.0

    def top(self, k: int, among: Sequence[str] | None) -> Scored:
        try:
            return self.catalog.vectors.search(self.key, self.direction, k, among=among, parts=self.parts)
        except UnknownName:
            return []  # none of the images could be read


@dataclass(frozen=True)
class Words:
    """Scores images by how sure a matcher is of the words against "none of these"; every image is looked at.

    Attributes:
        catalog: Where the outputs are.
        name: "words".
        key: Of the outputs that the matcher reads.
        matcher: Scores the words and, last, none of them.
        weight: Against other ways.
    """

    catalog: Catalog
    name: str
    key: str
    matcher: Matcher
    weight: float = 1.0

    def top(self, k: int, among: Sequence[str] | None) -> Scored:
        ids = self.catalog.images.ids() if among is None else list(among)
        absent = set(self.catalog.vectors.missing(self.key, among))
        there = [id for id in ids if id not in absent]
        scores = np.empty(len(there), np.float32)
        for start in range(0, len(there), BLOCK):
            part = slice(start, start + BLOCK)
            logits = self.matcher.logits(self.catalog.vectors.get(self.key, there[part]))
            # Of the words and of none of them: the probability of the words.
            scores[part] = 1 / (1 + np.exp(np.clip(logits[:, -1] - logits[:, 0], -50, 50)))
        return best(there, scores, k)


def direction(
    like: NDArray[np.float32], unlike: NDArray[np.float32], parts: Sequence[slice] = ()
) -> NDArray[np.float32]:
    """Return the direction from what is not wanted to what is.

    The mean of the unit vectors that are wanted, less a part of the mean of those that are not; each part of a vector
    for itself.

    Args:
        like: float32 (n, d); n may be 0.
        unlike: float32 (m, d); m may be 0, but not both.
        parts: Which parts of the vectors are compared; the whole where empty.

    Returns:
        float32 (d,), each part of length one, zeros elsewhere.

    Source: Rocchio 1971, Relevance Feedback in Information Retrieval.
    """
    width = like.shape[1] if len(like) else unlike.shape[1]
    out = np.zeros(width, np.float32)
    for part in parts or (slice(0, width),):
        pointed = _mean(like[:, part]) - UNLIKE * _mean(unlike[:, part])
        out[part] = pointed / max(float(np.linalg.norm(pointed)), 1e-12)
    return out


def _mean(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    if not len(vectors):
        return np.zeros(vectors.shape[1], np.float32)
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return np.asarray(unit.mean(axis=0), np.float32)
