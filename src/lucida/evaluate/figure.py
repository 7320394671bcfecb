"""A measured figure with its interval."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Any, Literal

Interval = Literal["wilson", "corrected", "basic"]
CONFIDENCE = 0.95
_Z = 1.959964


@dataclass(frozen=True)
class Figure:
    """A figure with its 95 % interval.

    Attributes:
        value: As it was measured.
        low: Lower end.
        high: Upper end.
        n: How many images (or, where that is said, boxes) it rests on.
        interval: How the interval was had: "wilson" for plain shares; by a bootstrap over images "corrected"
            (percentiles, corrected for bias) or "basic".
    """

    value: float
    low: float
    high: float
    n: int
    interval: Interval = "wilson"

    @classmethod
    def share(cls, right: int, n: int) -> Figure:
        """Return a share with its Wilson score interval.

        Args:
            right: How many of them.
            n: Of how many, at least 1.

        Source: Wilson 1927, Probable Inference, the Law of Succession, and Statistical Inference.
        """
        z2 = _Z**2
        share, shrunk = right / n, 1 + z2 / n
        middle = (share + z2 / (2 * n)) / shrunk
        half = _Z * sqrt(share * (1 - share) / n + z2 / (4 * n**2)) / shrunk
        # Rounding must not put 0 or 1 itself outside.
        return cls(share, max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half)), n)

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        ends = {name: round(getattr(self, name), 6) for name in ("value", "low", "high")}
        return {**ends, "n": self.n, "interval": self.interval}

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"
