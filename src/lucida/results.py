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


@dataclass(frozen=True, eq=False)
class Detections:
    """Objects found in an image, best first.

    Attributes:
        xyxy: Left, top, right, bottom of each, float32 (n, 4), in pixels of the image.
        confidence: Of each, float32 (n,), 0 to 1.
        class_id: Number of the class of each, int64 (n,).
        classes: Names of the classes.
    """

    xyxy: NDArray[np.float32]
    confidence: NDArray[np.float32]
    class_id: NDArray[np.int64]
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.xyxy)

    def above(self, confidence: float) -> Detections:
        """Return those that are at least so sure."""
        keep = self.confidence >= confidence
        return Detections(self.xyxy[keep], self.confidence[keep], self.class_id[keep], self.classes)

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        rows = zip(self.xyxy.round(2).tolist(), self.confidence.tolist(), self.class_id.tolist(), strict=True)
        return {"objects": [{"box": box, "score": round(score, 4), "label": self.classes[k]} for box, score, k in rows]}


@dataclass(frozen=True, eq=False)
class Segmentation:
    """The class of every pixel of an image.

    Attributes:
        mask: Numbers of classes, uint8 or int32 (height, width).
        classes: Names of the classes; the first is the background where there is one.
        confidence: Probability of the class that was chosen, float32 (height, width).
    """

    mask: NDArray[np.integer[Any]]
    classes: tuple[str, ...]
    confidence: NDArray[np.float32] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the share of pixels of each class; the mask itself is for files."""
        import numpy as np

        counts = np.bincount(self.mask.ravel(), minlength=len(self.classes)) / self.mask.size
        return {"shares": {name: round(float(share), 6) for name, share in zip(self.classes, counts, strict=True)}}


@dataclass(frozen=True, eq=False)
class Oddness:
    """How odd an image is, and where.

    Attributes:
        score: Larger is odder; 1 is the threshold that was set in training.
        heat: The same for every place, float32 (height, width).
    """

    score: float
    heat: NDArray[np.float32]

    def to_json(self) -> dict[str, Any]:
        """Return plain values; the map itself is for files."""
        return {"score": round(self.score, 6), "odd": self.score >= 1}


Result = Classification | Detections | Segmentation | Oddness
