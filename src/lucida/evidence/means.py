"""Bounds on the mean of bounded values, valid at any stopping time, by betting.

What is assumed: the values of a finite set were what they are before a uniformly random order of the set was drawn, and
are read as a prefix of that order, without replacement; or they are independent draws of one law. Nothing else: not
their distribution, how far is read, or when one stops or looks.

A gambler who holds that the mean is below `m` bets, before each draw, a fraction of the wealth at a price that is fair
or better for the bank if the mean is `m` or more: then the wealth is a nonnegative supermartingale, and the chance that
it ever reaches 1/a is at most a (Ville). The wealth is a mixture over fixed fractions, chosen beforehand. It never
falls as `m` grows, so what is refuted at `m` is refuted above it, and one number bounds the mean.

Source: Waudby-Smith & Ramdas, "Estimating means of bounded random variables by betting", JRSS B 2024, section 5
(without replacement); the mixture over bets is Cover's, "Universal portfolios", 1991; Ville 1939.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from lucida.errors import InputError
from lucida.evidence.finite import Floats

# Fractions of the wealth: everything on each draw (best while all values are 0), or uniform on [0, 1] by quadrature.
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(64)
# Fractions of the wealth, uniform on [0, 1] by quadrature: exact to degree 127; and how much each counts.
EVENLY: Floats = (_NODES + 1) / 2
EVEN_SHARES: Floats = _WEIGHTS / 2
_ALL = 0.2
FRACTIONS: Floats = np.concatenate([EVENLY, [1.0]])
_LOG_SHARES: Floats = np.log(np.concatenate([(1 - _ALL) * EVEN_SHARES, [_ALL]]))
_FUZZ = 1e-9  # of a price: rounding must not make an impossible draw of a possible one


def log_e_process(values: ArrayLike, mean: float, *, size: int | None = None) -> Floats:
    """Compute after each draw the log e-value against "the mean is at least `mean`".

    Args:
        values: the draws in order, each within [0, 1], shape (t,).
        mean: the least mean under the null, within [0, 1].
        size: items in the set, at least t, drawn without replacement; None for independent draws.

    Returns:
        float64 of shape (t,), +inf once the null is contradicted. Under the null the chance that it ever reaches
        ln(1/a) is at most a. It never falls as `mean` grows.

    Raises:
        InputError: a value or the mean is NaN or outside [0, 1], or there are more draws than items.
    """
    draws = checked(values, size)
    if not 0 <= mean <= 1:
        raise InputError(
            "A mean of values from 0 to 1 is none.",
            expected="a number from 0 to 1",
            got=repr(mean),
            hint="scale it as the values are scaled",
        )
    before = np.concatenate(([0.0], np.cumsum(draws)))[:-1]
    left = np.ones(len(draws)) if size is None else size - np.arange(len(draws), dtype=np.float64)
    # What is left has this mean at least, if the null holds; below 0 that says no more than 0.
    next_mean = np.full(len(draws), float(mean)) if size is None else (size * mean - before) / left
    price = np.clip(1 - next_mean, 0.0, 1.0)
    lost = 1 - draws  # a bet that the value is low pays this much, and costs the price
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = np.where(price > 0, lost / price, np.where(lost > 0, np.inf, 1.0))
        steps = np.log1p(FRACTIONS * (gain[:, None] - 1))
    impossible = np.logical_or.accumulate((next_mean > 1 + _FUZZ) | np.isinf(gain))
    steps[impossible] = 0.0
    wealth = np.cumsum(steps, axis=0) + _LOG_SHARES
    top = wealth.max(axis=1, initial=-math.inf)
    total = top + np.log(np.exp(wealth - top[:, None]).sum(axis=1))
    return np.asarray(np.where(impossible, np.inf, total), dtype=np.float64)


def upper_mean(values: ArrayLike, *, level: float, size: int | None = None) -> float:
    """Compute the bound that the mean does not exceed, save with probability `level`, at all times at once.

    Args:
        values: the draws so far in order, each within [0, 1], shape (t,).
        level: the chance that the bound is ever wrong, within (0, 1).
        size: items in the set, at least t, drawn without replacement; None for independent draws.

    Returns:
        A number in [0, 1]; it never grows as more is drawn. 1 without a draw; the mean itself once all are drawn.

    Raises:
        InputError: a value is NaN or outside [0, 1], the level is out of range, or there are more draws than items.
    """
    draws = checked(values, size)
    if not 0 < level < 1:
        raise InputError(
            "The level of a bound is out of range.",
            expected="a number between 0 and 1, both excluded",
            got=repr(level),
            hint="a confidence of 95 % is the level 0.05",
        )
    if not len(draws):
        return 1.0
    threshold = -math.log(level)
    low = float(draws.sum()) / size if size is not None else 0.0
    high = low + (size - len(draws)) / size if size is not None else 1.0  # all that was not drawn may be 1
    low, high = min(low, 1.0), min(high, 1.0)
    if log_e_process(draws, high, size=size).max() < threshold:
        return high
    while high - low > 1e-10:
        middle = (low + high) / 2
        if log_e_process(draws, middle, size=size).max() >= threshold:
            high = middle
        else:
            low = middle
    return high


def lower_mean(values: ArrayLike, *, level: float, size: int | None = None) -> float:
    """Compute the bound below which the mean does not lie, save with probability `level`; see `upper_mean`."""
    return 1 - upper_mean(1 - checked(values, size), level=level, size=size)


def checked(values: ArrayLike, size: int | None) -> Floats:
    """Return values as float64 (t,), if they are within [0, 1] and not more than `size`.

    Raises:
        InputError: they are not.
    """
    draws = np.asarray(values, dtype=np.float64).reshape(-1)
    fine = np.isfinite(draws) & (draws >= 0) & (draws <= 1)
    if not fine.all():
        bad = int(np.flatnonzero(~fine)[0])
        raise InputError(
            "A value is outside of what was agreed on, so no bound holds.",
            expected="finite numbers from 0 to 1",
            got=f"{draws[bad]} at place {bad}",
            hint="divide by the largest possible value, and cap what is above it",
        )
    if size is not None and len(draws) > size:
        raise InputError(
            "There are more draws than items.",
            expected=f"at most {size:,} draws",
            got=f"{len(draws):,}",
            hint="each item is drawn once",
        )
    return draws
