"""Which of two arms of an A/B test is right more often: valid at any time, under any peeking.

Two streams of evidence bound the same difference, (share that B has right) - (share that A has right):

- *Paired*: items that both arms answered. An item counts +1 where B alone is right, -1 where A alone is, else 0.
- *Unpaired*: items that one arm answered. Those of both arms are matched as they come, one of the rarer arm with `k` of
  the other; a match counts the mean of B's less the mean of A's. `k` follows from how many came of each arm, never from
  who was right, and what waits too long for a match is let go: so a drift that both arms share cancels, and a change of
  the weights does no harm.

What is assumed of values d_1, d_2 … from -1 to 1: given what came before, the mean of the next one is what is asked for
(under a null: at most a bound). So whether an item is judged must not depend on who answered it.

The bets are those of `lucida.evidence.paired`, a mixture over fixed fractions of the wealth. Here the evidence is that
of the moment, not the most that there ever was: it needs no more than how often each value came, in no order.

Source: Waudby-Smith & Ramdas, "Estimating means of bounded random variables by betting", JRSS B 2024; Howard, Ramdas,
McAuliffe & Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence sequences", Annals of Statistics 2021; the
mixture is Cover's, "Universal portfolios", 1991; Ville 1939.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike

from lucida.errors import InputError
from lucida.evidence.finite import Floats
from lucida.evidence.means import EVEN_SHARES, EVENLY

Arm = Literal[0, 1]  # A, B
Verdict = Literal["A better", "B better", "not known yet"]

MATCHED: Final = 20  # items of the more frequent arm in one match, at most
HABIT: Final = 5  # items of each arm as if they had come: the first few say little of how often each comes
WAITING: Final = 50  # items of one arm that wait for a match; the oldest is let go
CLOSE: Final = 1e-4  # to which bounds are computed; they are rounded outwards


@dataclass(frozen=True)
class Difference:
    """Say what is known of the difference between two arms, B - A.

    Attributes:
        low, high: bounds within [-1, 1]; the chance that the difference is ever outside is at most 1 - confidence.
        for_a, for_b: e-values against "the other is at least as good", as they stand; the chance that one ever reaches
            1/a, if that is so, is at most a.
        confidence: within (0, 1).
    """

    low: float
    high: float
    for_a: float
    for_b: float
    confidence: float

    @property
    def verdict(self) -> Verdict:
        """Say who is better; the chance that it is ever said wrongly is at most 1 - confidence."""
        return "B better" if self.low > 0 else "A better" if self.high < 0 else "not known yet"

    def and_also(self, other: Difference) -> Difference:
        """Combine with what other evidence says of the same difference; the chances to be wrong add up.

        If the two contradict each other, one of them is wrong, and nothing is known.
        """
        low, high = max(self.low, other.low), min(self.high, other.high)
        low, high = (low, high) if low <= high else (-1.0, 1.0)
        # The mean of e-values is one.
        for_a, for_b = (self.for_a + other.for_a) / 2, (self.for_b + other.for_b) / 2
        return Difference(low, high, for_a, for_b, self.confidence + other.confidence - 1)


class Matcher:
    """Matches items of two arms as they come, whoever was right."""

    def __init__(self) -> None:
        self._waiting: tuple[deque[float], deque[float]] = (deque(maxlen=WAITING), deque(maxlen=WAITING))
        self._came = [0, 0]

    def add(self, arm: Arm, value: float) -> float | None:
        """Take an item, and return the value of the match that it completes; None where it completes none.

        Args:
            arm: 0 for A, 1 for B.
            value: 1 where it is right, 0 where it is wrong; anything within [0, 1].
        """
        # What has come before decides how many are matched: the arms alone, and not this item.
        want = [1, 1]
        rarer = 0 if self._came[0] < self._came[1] else 1
        ratio = (self._came[1 - rarer] + HABIT) / (self._came[rarer] + HABIT)
        want[1 - rarer] = min(MATCHED, round(ratio))
        self._came[arm] += 1
        self._waiting[arm].append(value)
        if any(len(items) < count for items, count in zip(self._waiting, want, strict=True)):
            return None
        means = [
            sum(items.popleft() for _ in range(count)) / count for items, count in zip(self._waiting, want, strict=True)
        ]
        return means[1] - means[0]


def match(items: Iterable[tuple[Arm, float]]) -> list[float]:
    """Return the values of all matches; see `Matcher`."""
    matcher = Matcher()
    return [value for arm, right in items if (value := matcher.add(arm, right)) is not None]


def log_e_process(values: ArrayLike, bound: float) -> Floats:
    """Compute after each value the log e-value against "the mean is at most `bound`".

    Args:
        values: In order, each within [-1, 1], shape (t,).
        bound: The largest mean under the null, within [-1, 1].

    Returns:
        float64 of shape (t,), +inf once the null is contradicted. Under the null the chance that it ever reaches
        ln(1/a) is at most a. It never grows with `bound`.

    Raises:
        InputError: A value is outside.
    """
    values = _checked(values)
    different, places = np.unique(values, return_inverse=True)
    return _mixed(np.cumsum(_steps(different, bound)[places], axis=0)) if len(values) else values


def bound_difference(
    values: Mapping[float, int], *, confidence: float = 0.95, most: Mapping[float, int] | None = None
) -> Difference:
    """Bound the difference of two arms by how often each value came.

    Args:
        values: How often each value came, within [-1, 1].
        confidence: Within (0, 1).
        most: Where values are not known exactly: `values` are the least that they may be, these the most.

    Raises:
        InputError: A value or the confidence is outside.
    """
    if not 0 < confidence < 1:
        raise InputError(
            "The confidence is out of range.",
            expected="a number between 0 and 1, both excluded",
            got=repr(confidence),
            hint="95 % is written 0.95",
        )
    least, highest = dict(values), dict(values if most is None else most)
    mirrored = {-value: count for value, count in highest.items()}
    threshold = -math.log((1 - confidence) / 2)
    low, high = _least(least, threshold), -_least(mirrored, threshold)
    # At this chance the ends may cross: then anything was refuted.
    low, high = (low, high) if low <= high else (-1.0, 1.0)
    for_a, for_b = (math.exp(min(log_e_value(side, 0.0), 700.0)) for side in (mirrored, least))
    return Difference(low, high, for_a, for_b, confidence)


def count(values: Iterable[float]) -> dict[float, int]:
    """Count how often each value came."""
    return dict(Counter(values))


def log_e_value(values: Mapping[float, int], bound: float) -> float:
    """Compute the log e-value, as it stands, against "the mean is at most `bound`".

    Args:
        values: How often each value came, within [-1, 1]; without one the evidence is 0.
        bound: As of `log_e_process`.

    Raises:
        InputError: A value is outside.
    """
    if not values:
        return 0.0
    steps = _steps(_checked(list(values)), bound)
    counts = np.array(list(values.values()), np.float64)[:, None]
    return float(_mixed((steps * counts).sum(axis=0)[None])[0])


def _least(values: Mapping[float, int], threshold: float) -> float:
    """Return the least mean that is not refuted; the evidence falls as the mean grows, so bisection finds it."""
    refuted, open_ = -1.0, 1.0
    if log_e_value(values, refuted) < threshold:
        return refuted
    while open_ - refuted > CLOSE:
        middle = (refuted + open_) / 2
        refuted, open_ = (middle, open_) if log_e_value(values, middle) >= threshold else (refuted, middle)
    return refuted


def _steps(values: Floats, bound: float) -> Floats:
    """Return how each value changes the log wealth, one column a fraction, shape (t, 64)."""
    # As shares of the range [-1, 1]: what a fair bet costs if the null holds barely, and what it pays.
    price, paid = (bound + 1) / 2, (values + 1) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = np.where(paid > 0, paid / price, 0.0)[:, None]
        return np.asarray(np.log1p(EVENLY * (gain - 1)), dtype=np.float64)


def _mixed(wealth: Floats) -> Floats:
    top = wealth.max(axis=1)
    with np.errstate(invalid="ignore"):
        mixed = top + np.log(np.exp(wealth - top[:, None]) @ EVEN_SHARES)
    return np.where(np.isposinf(top), np.inf, mixed)


def _checked(values: ArrayLike | Sequence[float]) -> Floats:
    found = np.asarray(values, dtype=np.float64).reshape(-1)
    if not (np.abs(found) <= 1).all():
        raise InputError(
            "A difference of two shares is outside of its range.",
            expected="numbers from -1 to 1",
            got=repr(found[~(np.abs(found) <= 1)][:3].tolist()),
            hint="right counts 1, wrong counts 0",
        )
    return found
