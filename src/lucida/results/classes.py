"""Classes and tags of whole images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from lucida.results.item import Item

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Classification:
    """One class for the whole image.

    Attributes:
        label: The class.
        score: Calibrated probability that it is right, 0 to 1.
        runner_up: The next best classes with their probabilities, best first.
    """

    task: ClassVar[str] = "classify"
    label: str
    score: float
    runner_up: tuple[tuple[str, float], ...] = ()

    @classmethod
    def from_probabilities(
        cls, probabilities: NDArray[np.float32], classes: list[str], *, runner_ups: int = 8
    ) -> list[Classification]:
        """Return one classification for each row.

        Args:
            probabilities: float32 (n, classes); rows sum to 1.
            classes: Names of the columns.
            runner_ups: At most so many of the next best.
        """
        order = (-probabilities).argsort(axis=1, kind="stable")[:, : runner_ups + 1]
        rows = probabilities[range(len(order)), order.T].T.round(6).tolist()
        return [
            cls(classes[best], score, tuple((classes[i], p) for i, p in zip(rest, others, strict=True)))
            for (best, *rest), (score, *others) in zip(order.tolist(), rows, strict=True)
        ]

    def items(self) -> tuple[Item, ...]:
        """Return it as statements."""
        return (Item(self.label, self.score, {"runner_up": [list(pair) for pair in self.runner_up]}),)

    @classmethod
    def of_items(cls, items: Sequence[Item]) -> Classification:
        """Return what these statements came from."""
        first = items[0]
        others = tuple((str(name), float(value)) for name, value in first.detail.get("runner_up", ()))
        return cls(first.label or "", first.score or 0.0, others)

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"label": self.label, "score": self.score, "runner_up": [list(pair) for pair in self.runner_up]}


@dataclass(frozen=True)
class Tags:
    """Any number of classes for the whole image, the surest first.

    Attributes:
        labels: The tags.
        scores: Probability of each, 0 to 1.
    """

    task: ClassVar[str] = "tag"
    labels: tuple[str, ...]
    scores: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.labels)

    @classmethod
    def from_probabilities(
        cls, probabilities: NDArray[np.float32], classes: Sequence[str], *, least: float = 0.5
    ) -> list[Tags]:
        """Return the tags of each row that are at least so probable.

        Args:
            probabilities: float32 (n, classes), each on its own.
            classes: Names of the columns.
            least: Probability of a tag, at least.
        """
        found = []
        for row in probabilities:
            order = [k for k in (-row).argsort(kind="stable").tolist() if row[k] >= least]
            found.append(cls(tuple(classes[k] for k in order), tuple(round(float(row[k]), 6) for k in order)))
        return found

    def items(self) -> tuple[Item, ...]:
        """Return it as statements: the image, then a tag each."""
        whole = Item(", ".join(self.labels), None, {"count": len(self)})
        return (whole, *(Item(label, score) for label, score in zip(self.labels, self.scores, strict=True)))

    @classmethod
    def of_items(cls, items: Sequence[Item]) -> Tags:
        """Return what these statements came from."""
        tags = items[1:]
        return cls(tuple(item.label or "" for item in tags), tuple(item.score or 0.0 for item in tags))

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"tags": [list(pair) for pair in zip(self.labels, self.scores, strict=True)]}
