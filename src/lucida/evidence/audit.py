"""Bounds on how many of all that was answered so far is wrong, from those that a coin drew for a person to look at.

For each answer a coin falls, before anybody looks at it: with probability `rate` it is drawn. What is assumed: the
coins are fair and independent of everything, nothing else. Answers may be wrong in bursts, the better half of the day
may come first, and requests may follow on what was answered before: errors are whatever they are, and only the coins
are random.

Each error, as it comes, is drawn or not. So exp(t · drawn errors - errors · ln(1 - rate + rate · e^t)) is a martingale
that starts at 1, for each t; so is the same of right answers, and any mixture fixed beforehand. With t < 0 for errors
and t > 0 for right answers it grows with the number of errors, so one number bounds it: at all times at once (Ville).

What is drawn and not answered yet counts as the worst, in both directions: else those who answer the easy ones first
would move the bound.

Source: exponential martingales of a thinned count, as in Howard, Ramdas, McAuliffe & Sekhon, "Time-uniform Chernoff
bounds via nonnegative supermartingales", Probability Surveys 2020, and mixtures of them after Robbins 1970; Ville 1939.
The errors are fixed and the draw is random, as in design-based survey sampling (Horvitz & Thompson 1952).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from lucida.errors import InputError
from lucida.evidence.finite import Floats

# Factors e^t by which drawn errors are thought to be rarer, and drawn right answers more common, than under the null.
RARER: Final[Floats] = np.array([0.0, 0.03, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.78, 0.85, 0.9, 0.94, 0.97])
COMMONER: Final[Floats] = np.array([1.01, 1.03, 1.06, 1.1, 1.15, 1.2, 1.3, 1.5, 2.0, 3.0])
# Parts of the level for all that was drawn, and for the half, the quarter … with the least priorities.
PARTS: Final = (0.35, 0.2, 0.15, 0.1, 0.1, 0.1)
_NO_ERROR: Final = 0.15  # share of the bet that there is none at all
_BY_ERRORS: Final = 0.7  # share of all bets on errors; the rest are on right answers


class Share(NamedTuple):
    """Say which share of all answers so far is right: between `low` and `high`, both from 0 to 1."""

    low: float
    high: float


def log_e_value(errors: float, total: int, rate: float, *, drawn_errors: int, drawn_right: int) -> float:
    """Compute the log e-value against "at least so many of all answers so far are wrong"; it grows with `errors`.

    Args:
        errors: The least number under the null, from `drawn_errors` to `total`.
        total: Answers so far, drawn or not.
        rate: Probability with which each was drawn, within (0, 1).
        drawn_errors: Drawn ones that are wrong, or may be.
        drawn_right: Drawn ones that are right for sure.
    """
    with np.errstate(divide="ignore"):
        tilts = np.log(RARER)
    by_errors = np.where(
        RARER > 0, drawn_errors * np.where(RARER > 0, tilts, 0.0), 0.0 if not drawn_errors else -np.inf
    )
    by_errors = by_errors - errors * np.log1p(rate * (RARER - 1))
    shares = np.where(RARER > 0, (1 - _NO_ERROR) / (len(RARER) - 1), _NO_ERROR) * _BY_ERRORS
    by_right = drawn_right * np.log(COMMONER) - (total - errors) * np.log1p(rate * (COMMONER - 1))
    every = np.concatenate([by_errors + np.log(shares), by_right + math.log((1 - _BY_ERRORS) / len(COMMONER))])
    top = float(every.max())
    return top + math.log(float(np.exp(every - top).sum()))


def most_errors(total: int, rate: float, *, wrong: int, right: int, unanswered: int = 0, level: float) -> float:
    """Bound from above how many of all answers so far are wrong, save with probability `level`, at all times at once.

    Args:
        total: Answers so far, drawn or not.
        rate: Probability with which each was drawn, within (0, 1].
        wrong: Drawn ones that a person called wrong, or could not decide.
        right: Drawn ones that a person called right.
        unanswered: Drawn ones that nobody has looked at yet: they count as wrong.
        level: Chance that the bound is ever wrong, within (0, 1).

    Raises:
        InputError: The counts do not fit, or rate or level are out of range.
    """
    drawn = wrong + right + unanswered
    if not (0 < rate <= 1 and 0 < level < 1 and min(wrong, right, unanswered) >= 0 and drawn <= total):
        raise InputError(
            "These counts cannot be those of a sample.",
            expected="a rate from 0 to 1, a level between 0 and 1, and at most as many drawn as there are answers",
            got=f"{drawn} drawn of {total} at the rate {rate!r}, level {level!r}",
            hint="count what was drawn among all that was answered",
        )
    errors, threshold = wrong + unanswered, -math.log(level)
    low, high = float(errors), float(total - right)
    if rate == 1:
        return low
    told = {"drawn_errors": errors, "drawn_right": right}
    if high <= low or log_e_value(high, total, rate, **told) < threshold:
        return high
    while high - low > 1e-6 * max(1.0, high):
        middle = (low + high) / 2
        if log_e_value(middle, total, rate, **told) >= threshold:
            high = middle
        else:
            low = middle
    return high


def share_right(total: int, rate: float, *, wrong: int, right: int, unanswered: int = 0, level: float = 0.05) -> Share:
    """Bound which share of all answers so far is right, save with probability `level`, at all times at once.

    Args:
        total: As of `most_errors`, and so are the others.
        rate: Probability with which each answer was drawn.
        wrong: Drawn ones that a person called wrong, or could not decide.
        right: Drawn ones that a person called right.
        unanswered: Drawn ones that nobody has looked at.
        level: Chance that the share is ever outside: half at each end.

    Returns:
        0 to 1 where nothing was answered at all.

    Raises:
        InputError: As of `most_errors`.
    """
    if not total:
        return Share(0.0, 1.0)
    errors = most_errors(total, rate, wrong=wrong, right=right, unanswered=unanswered, level=level / 2)
    fine = most_errors(total, rate, wrong=right, right=wrong, unanswered=unanswered, level=level / 2)
    low, high = 1 - errors / total, fine / total
    # At this chance the two ends may cross: then what is certain remains.
    certain = Share(right / total, 1 - wrong / total)
    return Share(max(0.0, low), min(1.0, high)) if low <= high else certain


def share_of_judged(total: int, rate: float, judged: Sequence[tuple[float, str]], *, level: float = 0.05) -> Share:
    """Bound which share of all answers is right where only a part of what was drawn is judged, in an order by chance.

    Each drawn answer has a priority, uniform from 0 to 1. Those below 1/2, 1/4 … are samples of their own, at a half, a
    quarter … of the rate, and each has a part of the level: the largest that is judged by and large gives the bound.

    Args:
        total: Answers so far, drawn or not.
        rate: Probability with which each was drawn.
        judged: Of each that was drawn the priority, and "right", "wrong", "unsure", or "" where nobody has judged it;
            the last two count as the worst, in both directions.
        level: Chance that the share is ever outside.

    Raises:
        InputError: As of `most_errors`.
    """
    low, high = 0.0, 1.0
    for place, part in enumerate(PARTS):
        share = 0.5**place
        counts = Counter(verdict for priority, verdict in judged if priority < share)
        open_ = counts["unsure"] + counts[""]
        found = share_right(
            total, rate * share, wrong=counts["wrong"], right=counts["right"], unanswered=open_, level=level * part
        )
        low, high = max(low, found.low), min(high, found.high)
    if low > high:
        # At this chance the samples contradict each other: then what is certain remains.
        every = Counter(verdict for _, verdict in judged)
        return Share(every["right"] / total, 1 - every["wrong"] / total)
    return Share(low, high)
