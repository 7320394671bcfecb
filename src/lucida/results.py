"""What models say of an image, as typed values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"label": self.label, "score": self.score, "runner_up": [list(pair) for pair in self.runner_up]}


@dataclass(frozen=True, eq=False)
class Embedding:
    """A vector that stands for an image.

    Attributes:
        vector: float32 (d,).
        key: Model and revision; only vectors of equal keys may be compared.
    """

    vector: NDArray[np.float32]
    key: str

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"key": self.key, "vector": self.vector.tolist()}
