"""What came of judging a model by some images, before it is written down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import PIL.Image
    from numpy.typing import NDArray

    from lucida.data import Samples
    from lucida.evaluate.figure import Figure
    from lucida.evaluate.predict import Predicted
    from lucida.evaluate.resample import Metric


@dataclass(frozen=True)
class ClassRow:
    """One class.

    Attributes:
        name: Of the class.
        count: How many images (or objects) have it.
        figures: By title; None where the images say nothing of it.
    """

    name: str
    count: int
    figures: dict[str, Figure | None]

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        figures = {name: figure and figure.to_json() for name, figure in self.figures.items()}
        return {"class": self.name, "count": self.count, **figures}


@dataclass(frozen=True, eq=False)
class Confusion:
    """What was taken for what.

    Attributes:
        rows: True classes.
        columns: Found classes.
        counts: float64 (rows, columns).
        unit: What is counted: "images", "boxes", "pixels".
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    counts: NDArray[np.float64]
    unit: str

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "rows": list(self.rows),
            "columns": list(self.columns),
            "counts": self.counts.astype(int).tolist(),
            "unit": self.unit,
        }


@dataclass(frozen=True)
class Bin:
    """Images whose probability lies in one range.

    Attributes:
        low, high: The range.
        sure: Mean probability.
        right: Share that is right.
    """

    low: float
    high: float
    sure: float
    right: Figure

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"low": self.low, "high": self.high, "sure": round(self.sure, 6), "right": self.right.to_json()}


@dataclass(frozen=True)
class Mistake:
    """One of the worst mistakes.

    Attributes:
        row: Of the sample that was judged.
        name: Of the image.
        truth: What it is, in words.
        found: What the model says, in words.
    """

    row: int
    name: str
    truth: str
    found: str

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"image": self.name, "truth": self.truth, "found": self.found}


@dataclass(frozen=True, eq=False)
class Judged:
    """What came of judging a model.

    Attributes:
        predicted: What it said.
        samples: The images that could be read, in the order of all arrays here.
        metrics: The figures; the first leads.
        quality: How good the answer to each image is, float64 (n,), 0 to 1.
        exact: Whether quality is either 0 or 1: right or wrong.
        classes: Each class by itself, the worst first.
        confusion: What was taken for what; None where that means nothing.
        calibration: How sure against how right; empty where that means nothing.
        mistakes: The worst, first.
        draw: Draws a mistake, small; both what is and what was found.
        notes: What a person should know, a sentence each.
    """

    predicted: Predicted
    samples: Samples
    metrics: tuple[Metric, ...]
    quality: NDArray[np.float64]
    exact: bool
    classes: tuple[ClassRow, ...] = ()
    confusion: Confusion | None = None
    calibration: tuple[Bin, ...] = ()
    mistakes: tuple[Mistake, ...] = ()
    draw: Callable[[Mistake], PIL.Image.Image] | None = field(repr=False, default=None)
    notes: tuple[str, ...] = ()
