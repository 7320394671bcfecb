"""A share of right answers, with its interval."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt


@dataclass(frozen=True)
class Accuracy:
    """A share with its 95 % interval.

    Attributes:
        value: Share of held-out examples named rightly, 0 to 1.
        low: Lower end of the Wilson interval.
        high: Upper end.
        examples: How many were held out.
    """

    value: float
    low: float
    high: float
    examples: int

    @classmethod
    def of(cls, right: int, examples: int) -> Accuracy:
        """Return the share of right answers with its Wilson score interval.

        Source: Wilson 1927, Probable Inference, the Law of Succession, and Statistical Inference.
        """
        z2 = 1.959964**2
        share, shrunk = right / examples, 1 + z2 / examples
        middle = (share + z2 / (2 * examples)) / shrunk
        half = sqrt(z2 * (share * (1 - share) / examples + z2 / (4 * examples**2))) / shrunk
        return cls(share, max(0.0, middle - half), min(1.0, middle + half), examples)
