"""Which of two models is better, from the same images: the paired evidence of `lucida.evidence.paired`.

Images on which both are equally good count 0, the others +1 where B is better and -1 where A is. The images are taken
as drawn independently from those that the models will meet; what is bounded is the mean of these values among such
images. For a plain "right or wrong" that is the difference of accuracies, B - A.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lucida.errors import InputError
from lucida.evaluate.figure import CONFIDENCE
from lucida.evidence.paired import Pairs, log_e_process, tally

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CERTAIN: Final = 1e12  # JSON knows no infinity
_FINE: Final = 1e-5  # to which bounds are found


@dataclass(frozen=True)
class Against:
    """What came of comparing two models.

    Attributes:
        a, b: Their names.
        exact: Whether an answer is right or wrong; otherwise each image is scored.
        pairs: How often both were right, one alone, or neither; for scored images: equal, A better, B better, and 0.
        value: The mean over these images: for right and wrong the difference of accuracies, B - A.
        low, high: Bounds of the same for images like these, within [-1, 1], at `confidence`.
        for_a, for_b: Evidence that A, or B, is better: the chance that it reaches 1/a, if that is not so, is at most a.
        confidence: Of the bounds together.
    """

    a: str
    b: str
    exact: bool
    pairs: Pairs
    value: float
    low: float
    high: float
    for_a: float
    for_b: float
    confidence: float = CONFIDENCE

    @property
    def verdict(self) -> str:
        """Say who is better, as far as is known."""
        return "B better" if self.low > 0 else "A better" if self.high < 0 else "not known yet"

    def no_worse_by(self, margin: float) -> bool:
        """Tell whether B is no worse than A by more than a margin, 0 to 1, with the confidence asked for."""
        return self.low >= -margin

    @property
    def sentence(self) -> str:
        """Say it in a sentence."""
        pairs, sure = self.pairs, f"{100 * self.confidence:g} % confidence"
        what = "accuracy" if self.exact else "the share of images on which it is the better one"
        alone = "alone right on" if self.exact else "better on"
        known = {"A better": "A is better", "B better": "B is better"}.get(self.verdict, "Not known yet who is better")
        return (
            f"A {self.a}, B {self.b}, on the same {pairs.total:,} images: A {alone} {pairs.only_a:,}, B {alone}"
            f" {pairs.only_b:,}. {known}: B - A is {_points(self.value)} points of {what}, and with {sure} between"
            f" {_points(self.low)} and {_points(self.high)} on images like these."
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "a": self.a,
            "b": self.b,
            "images": self.pairs.total,
            "measure": "accuracy" if self.exact else "images on which it is better",
            "pairs": self.pairs.to_json(),
            "difference": {
                "value": round(self.value, 6),
                "low": round(self.low, 6),
                "high": round(self.high, 6),
                "confidence": self.confidence,
            },
            "evidence": {"a": min(self.for_a, _CERTAIN), "b": min(self.for_b, _CERTAIN)},
            "verdict": self.verdict,
            "sentence": self.sentence,
        }


def compare_answers(
    a: tuple[str, NDArray[np.float64]],
    b: tuple[str, NDArray[np.float64]],
    *,
    exact: bool = True,
    confidence: float = CONFIDENCE,
) -> Against:
    """Compare two models by how good their answers to the same images are.

    Args:
        a: Name of the one, and how good each of its answers is, float64 (n,).
        b: Of the other, image by image.
        exact: Whether these are 1 for right and 0 for wrong.
        confidence: That the bounds hold, within (0, 1).

    Raises:
        InputError: There are no images, or not the same number.

    Source: Waudby-Smith & Ramdas 2024, as in `lucida.evidence.paired`; the bets are read at the end only, so the order
    of the images does not matter.
    """
    (name_a, one), (name_b, other) = a, b
    if one.shape != other.shape or not len(one):
        raise InputError(
            "Two models can be compared only on the same images.",
            expected="answers to the same images, at least one",
            got=f"{len(one):,} and {len(other):,} answers",
        )
    values = np.sign(other - one).astype(np.int64)
    pairs = tally(one > 0, other > 0) if exact else Pairs(
        int((values == 0).sum()), int((values < 0).sum()), int((values > 0).sum()), 0
    )  # fmt: skip
    level = (1 - confidence) / 2
    low, high = _least_mean(values, level), -_least_mean(-values, level)
    mean = float(values.mean())
    return Against(
        name_a, name_b, exact, pairs, mean, min(low, mean), max(high, mean), _evidence(-values), _evidence(values),
        confidence,
    )  # fmt: skip


def _evidence(values: NDArray[np.int64]) -> float:
    return math.exp(min(float(log_e_process(values, 0.0)[-1]), 700.0))


def _least_mean(values: NDArray[np.int64], level: float) -> float:
    """Return the smallest mean that is not refuted at a level: evidence falls as the mean grows, so bisection does."""
    threshold, low, high = -math.log(level), -1.0, 1.0
    while high - low > _FINE:
        middle = (low + high) / 2
        if float(log_e_process(values, middle)[-1]) >= threshold:
            low = middle
        else:
            high = middle
    return low


def _points(share: float) -> str:
    return f"{100 * share:+.1f}"
