"""Which of two labellers is right more often, from images that both labelled: valid at any time, under any peeking.

Where both say the same, neither can be better; an image on which they differ counts +1 if B alone is right, -1 if A
alone is right, 0 if neither is. So only *discordant* pairs carry evidence, as in McNemar's test, and what is asked for
is a sum over a finite set: (images B alone has right) - (images A alone has right).

What is assumed: the items of a set were fixed, and their values are what they are, before a uniformly random order of
the set was drawn; the values are read as a prefix of that order, without replacement. Nothing else: not how
far is read, when one stops or looks, or that the items are independent. Values of items that were chosen in any other
way (the most uncertain images first, as in teaching) are *known*, and say nothing of items that were not looked at.

Each process bets on the next value, so it holds for every sample size at once (Ville). The bets are a mixture over
fixed fractions of the wealth; with independent draws this is the beta-binomial mixture martingale of a coin.

Source: Waudby-Smith & Ramdas, "Estimating means of bounded random variables by betting", JRSS B 2024, section 5
(without replacement); Howard, Ramdas, McAuliffe & Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence
sequences", Annals of Statistics 2021; McNemar, Psychometrika 1947; Ville 1939.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lucida.errors import InputError
from lucida.evidence.finite import Floats
from lucida.evidence.means import EVEN_SHARES, EVENLY

Verdict = Literal["A better", "B better", "not known yet"]

_LOG_SHARES: Floats = np.log(EVEN_SHARES)


@dataclass(frozen=True)
class Pairs:
    """Count how two labellers fared on the same items: both right, one of them alone, or neither."""

    both: int
    only_a: int
    only_b: int
    neither: int

    @property
    def total(self) -> int:
        """Count all items."""
        return self.both + self.discordant + self.neither

    @property
    def discordant(self) -> int:
        """Count the items on which exactly one of the two is right."""
        return self.only_a + self.only_b

    def to_json(self) -> dict[str, int]:
        """Give the counts under their names."""
        return asdict(self)


def tally(a_right: ArrayLike, b_right: ArrayLike) -> Pairs:
    """Count pairs; both arguments are booleans of shape (n,), item by item.

    Raises:
        InputError: the shapes differ.
    """
    a, b = np.asarray(a_right, dtype=np.bool_), np.asarray(b_right, dtype=np.bool_)
    if a.shape != b.shape or a.ndim != 1:
        raise InputError(
            "Two labellers can be compared only on the same items.",
            expected="two columns of one length",
            got=f"shapes {a.shape} and {b.shape}",
            hint="keep the items that both labelled",
        )
    return Pairs(int((a & b).sum()), int((a & ~b).sum()), int((~a & b).sum()), int((~a & ~b).sum()))


def log_e_process(values: ArrayLike, bound: float, *, size: int | None = None) -> Floats:
    """Compute after each draw the log e-value against "the sum over the whole set is at most `bound`".

    Args:
        values: the draws in order, each -1, 0 or +1, shape (t,).
        bound: the largest sum under the null; for independent draws the largest mean, within [-1, 1].
        size: items in the set, at least t, drawn without replacement; None for independent draws.

    Returns:
        float64 of shape (t,), +inf once the null is contradicted. Under the null the chance that it ever reaches
        ln(1/a) is at most a. It never grows with `bound`.

    Raises:
        InputError: a value is none of the three, or there are more draws than items.

    Source: Waudby-Smith & Ramdas 2024, section 5; the mixture over bets is Cover's, "Universal portfolios", 1991.
    """
    draws = _checked(values, size)
    before = np.concatenate(([0], np.cumsum(draws)[:-1])) if len(draws) else draws
    mean = np.full(len(draws), float(bound)) if size is None else (bound - before) / (size - np.arange(len(draws)))
    # As a share of the range [-1, 1]: what a fair bet on the next value costs, if the null holds barely.
    price = np.clip((mean + 1) / 2, 0.0, 1.0)[:, None]
    won = ((draws + 1) / 2)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = np.where(won > 0, won / price, 0.0)
        steps = np.log1p(EVENLY * (gain - 1))
    impossible = np.logical_or.accumulate((mean < -1) | ((price[:, 0] == 0) & (won[:, 0] > 0)))
    steps[impossible] = 0.0
    wealth = np.cumsum(steps, axis=0) + _LOG_SHARES
    top = wealth.max(axis=1, initial=-math.inf)
    total = top + np.log(np.exp(wealth - top[:, None]).sum(axis=1))
    return np.asarray(np.where(impossible, np.inf, total), dtype=np.float64)


def _checked(values: ArrayLike, size: int | None) -> NDArray[np.int64]:
    draws = np.asarray(values, dtype=np.int64).reshape(-1)
    if np.any(np.abs(draws) > 1) or (size is not None and len(draws) > size):
        raise InputError(
            "The draws do not fit the set.",
            expected="values of -1, 0 or +1, at most as many as there are items",
            got=f"{len(draws)} draws of {size} items, from {draws.min(initial=0)} to {draws.max(initial=0)}",
            hint="count +1 where B alone is right, -1 where A alone is",
        )
    return draws


def log_e_values(values: ArrayLike, *, size: int | None = None) -> tuple[float, float]:
    """Give the largest log e-value so far for "A is better" and for "B is better", 0 without a draw.

    Each is against "the other is at least as good"; the chance that it ever reaches ln(1/a) is at most a.
    """
    draws = _checked(values, size)
    for_a, for_b = (log_e_process(side, 0.0, size=size).max(initial=0.0) for side in (-draws, draws))
    return float(for_a), float(for_b)


def sum_interval(values: ArrayLike, size: int, level: float) -> tuple[int, int]:
    """Give the confidence sequence, as it stands now, of the sum over a set of `size` items.

    Args:
        values: the draws without replacement in order, each -1, 0 or +1, shape (t,).
        size: items in the set.
        level: the chance that the sum is ever outside, within (0, 1); half of it at each end.

    Returns:
        (low, high), integers within -size..size: the intersection over all draws so far.

    Raises:
        InputError: the draws do not fit the set.
    """
    draws = _checked(values, size)
    low, high = (_least(side, size, level / 2) for side in (draws, -draws))
    # At this chance the two ends may cross: then anything was refuted, and what is certain remains.
    seen, rest = int(draws.sum()), size - len(draws)
    return (low, -high) if low <= -high else (seen - rest, seen + rest)


def _least(draws: NDArray[np.int64], size: int, level: float) -> int:
    """Give the smallest sum that is not refuted; the evidence falls as the sum grows, so bisection finds it."""
    seen, rest, threshold = int(draws.sum()), size - len(draws), -math.log(level)
    refuted, open_ = seen - rest - 1, seen + rest
    while open_ - refuted > 1:
        middle = (refuted + open_) // 2
        if log_e_process(draws, middle, size=size).max(initial=-math.inf) >= threshold:
            refuted = middle
        else:
            open_ = middle
    return open_


@dataclass(frozen=True)
class Sample:
    """Hold one set that was fixed before its order was drawn, and what was read of that order.

    Attributes:
        values: the completely read prefix of the order, each -1, 0 or +1, int64 (t,).
        size: items in the set, at least t.
        outside: the sum over items outside the set that are known.
        unknown: how many items outside the set are not known.
        share: of the level, > 0; the shares of all samples that may ever be used sum to at most 1.
    """

    values: NDArray[np.int64]
    size: int
    outside: int
    unknown: int
    share: float


@dataclass(frozen=True)
class Comparison:
    """Say what is known of the difference of accuracies, B - A, over one finite set of items.

    Attributes:
        low, high: bounds of the difference, within [-1, 1], at `confidence` for all times at once.
        for_a, for_b: evidence that A, or B, is better: the largest e-value so far, weighted with its sample's share;
            the chance that it ever reaches 1/a, if that is not so, is at most a. Infinite where it is certain.
        confidence: within (0, 1).
    """

    low: float
    high: float
    for_a: float
    for_b: float
    confidence: float

    @property
    def verdict(self) -> Verdict:
        """Say who is better; wrong with probability at most 1 - confidence, whenever and however often one looks."""
        return "B better" if self.low > 0 else "A better" if self.high < 0 else "not known yet"


def compare(
    known: int, unknown: int, total: int, samples: Sequence[Sample] = (), *, confidence: float = 0.95
) -> Comparison:
    """Bound the difference of two accuracies, B - A, over `total` items.

    Items on which both say the same count 0 and need no answer; the others are known or unknown. Without a sample
    the bounds are what is certain: every unknown item may be right for either.

    Args:
        known: the sum over the items that are known, however they were chosen.
        unknown: how many items on which the two differ are not known.
        total: items in the whole set, at least 1.
        samples: what was drawn at random, in any order.
        confidence: within (0, 1).

    Raises:
        InputError: confidence is out of range, or there is nothing to compare.

    Source: the bounds of each sample (module docstring), and the union bound over the samples' shares.
    """
    if not 0 < confidence < 1 or total < 1:
        raise InputError(
            "This cannot be compared.",
            expected="a confidence between 0 and 1, both excluded, and at least one item",
            got=f"confidence {confidence!r}, {total} items",
            hint="95 % is written 0.95",
        )
    low, high, certain = known - unknown, known + unknown, (known - unknown, known + unknown)
    evidence = {"a": math.inf if high < 0 else 1.0, "b": math.inf if low > 0 else 1.0}
    for sample in samples:
        least, most = sum_interval(sample.values, sample.size, (1 - confidence) * sample.share)
        low = max(low, sample.outside - sample.unknown + least)
        high = min(high, sample.outside + sample.unknown + most)
        for name, side in (("a", -1), ("b", 1)):
            # "The other is at least as good" means at most this sum over the set, whatever is outside of it.
            bound = sample.unknown - side * sample.outside
            found = log_e_process(side * sample.values, bound, size=sample.size).max(initial=-math.inf)
            evidence[name] = max(evidence[name], sample.share * math.exp(min(float(found), 700.0)))
    if low > high:
        low, high = certain
    return Comparison(low / total, high / total, evidence["a"], evidence["b"], confidence)
