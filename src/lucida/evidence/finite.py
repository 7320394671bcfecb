"""A test of one finite population of right and wrong items, valid at any stopping time.

A set of ``n`` items holds ``D`` wrong ones; they are drawn without replacement in a uniformly random order.
After ``t`` draws, ``k`` of them wrong, the *e-value* against ``D >= c`` is ``M = Q / P_c``: how much more
likely a mixture fixed beforehand made this sequence than the least wrong population that breaks the promise.

Source: Waudby-Smith & Ramdas, "Confidence sequences for sampling without replacement", NeurIPS 2020; Ville
(1939).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaln, gammaln
from scipy.stats import beta, binom

from lucida.errors import InputError

Floats = NDArray[np.float64]

_FUZZ = 1e-9  # 0.07 * 300 is 21.000000000000004 in binary; a promise must not hang on the last bit


def log_draw_probability(wrong: ArrayLike, size: ArrayLike, drawn: ArrayLike, errors: ArrayLike) -> Floats:
    """Compute the log probability of one given sequence of draws without replacement.

    The sequence holds `errors` wrong items in `drawn` draws from `size` items of which `wrong` are wrong:
    ``[wrong]_errors [size - wrong]_(drawn - errors) / [size]_drawn`` with falling factorials. All four
    broadcast; counts are >= 0. The result is float64, -inf where the sequence is impossible.

    Source: the multivariate hypergeometric law of an ordered sample.
    """
    d, n, t, k = np.broadcast_arrays(*(np.asarray(v, dtype=np.float64) for v in (wrong, size, drawn, errors)))
    possible = (d >= k) & (n - d >= t - k)
    bad = np.where(possible, d, k)
    good = np.where(possible, n - d, t - k)
    value = gammaln(bad + 1) - gammaln(bad - k + 1) + gammaln(good + 1) - gammaln(good - (t - k) + 1)
    value += gammaln(n - t + 1) - gammaln(n + 1)
    return np.asarray(np.where(possible, value, -np.inf), dtype=np.float64)


@dataclass(frozen=True)
class Mixture:
    """Hold the alternative ``Q``: a mixture of beta-binomials and "no error at all", fixed beforehand.

    `betas` are rows (weight, a, b), `no_error` is a weight; the weights sum to 1.
    """

    no_error: float
    betas: tuple[tuple[float, float, float], ...]

    @staticmethod
    def below(rate: float) -> Mixture:
        """Choose the mixture that tests "the error rate is below `rate`" (0 < rate < 1) quickly.

        Three guesses: generic (0.3), no error at all (0.2), about a third of `rate` (0.5).
        """
        mean = 0.35 * rate
        strength = max(mean * (1 - mean) / mean**2 - 1, 2.0)  # standard deviation = mean, where that is possible
        return Mixture(0.2, ((0.3, 0.5, 1.5 / rate), (0.5, mean * strength, (1 - mean) * strength)))

    def log_probability(self, drawn: ArrayLike, errors: ArrayLike) -> Floats:
        """Compute ``ln Q`` of one given sequence with `errors` wrong in `drawn` draws (both broadcast)."""
        t, k = np.asarray(drawn, dtype=np.float64), np.asarray(errors, dtype=np.float64)
        no_error, *factors = self._log_factors
        total = np.where(k == 0, no_error, -np.inf)
        for factor, (_, a, b) in zip(factors, self.betas, strict=True):
            term = factor + gammaln(k + a) + gammaln(t - k + b) - gammaln(t + (a + b))
            total = np.logaddexp(total, term)
        return np.asarray(total, dtype=np.float64)

    @cached_property
    def _log_factors(self) -> tuple[float, ...]:
        no_error = math.log(self.no_error) if self.no_error else -math.inf
        return no_error, *(math.log(weight) - float(betaln(a, b)) for weight, a, b in self.betas)


def is_least_favourable(null: ArrayLike, size: ArrayLike, drawn: ArrayLike, errors: ArrayLike) -> NDArray[np.bool_]:
    """Tell where ``P_d`` falls in d from `null` on: there the e-value at `null` holds for every larger d.

    True where `drawn` > 0 and ``null >= floor((size + 1) errors / drawn)``; all four broadcast.
    """
    c, n, t, k = (np.asarray(v, dtype=np.float64) for v in (null, size, drawn, errors))
    return np.asarray((t > 0) & (c >= np.floor((n + 1) * k / np.maximum(t, 1))), dtype=np.bool_)


def log_e_value(null: ArrayLike, size: ArrayLike, drawn: ArrayLike, errors: ArrayLike, mixture: Mixture) -> Floats:
    """Compute ``ln M``, the log e-value against "at least `null` of the `size` items are wrong".

    All counts broadcast. It is -inf wherever `null` is not the least favourable number of wrong items.

    Source: `docs/certify.md`, "Why it is valid".
    """
    ratio = mixture.log_probability(drawn, errors) - log_draw_probability(null, size, drawn, errors)
    return np.asarray(np.where(is_least_favourable(null, size, drawn, errors), ratio, -np.inf), dtype=np.float64)


class SetTests:
    """Compute the log e-values of several sets at once, as `log_e_value` does, with what never changes kept.

    Args:
        null: for each set the number of wrong items that is tested against, integers of shape (sets,).
        size: for each set its number of items, integers of shape (sets,).
        mixture: the alternative, the same for all sets.
    """

    def __init__(self, null: ArrayLike, size: ArrayLike, mixture: Mixture) -> None:
        self.mixture = mixture
        self._null, self._size = np.asarray(null, dtype=np.float64), np.asarray(size, dtype=np.float64)
        self._good = self._size - self._null
        with np.errstate(invalid="ignore"):
            self._constant = gammaln(self._null + 1) + gammaln(self._good + 1) - gammaln(self._size + 1)

    def log_ratio(self, drawn: ArrayLike, errors: ArrayLike, sets: slice) -> tuple[Floats, Floats]:
        """Compute ``ln (Q / P_null)`` of some sets, and the same where it counts as evidence (else -inf).

        `drawn` and `errors` have shape (..., sets in the slice).
        """
        t, k = np.asarray(drawn, dtype=np.float64), np.asarray(errors, dtype=np.float64)
        c, n, good, constant = self._null[sets], self._size[sets], self._good[sets], self._constant[sets]
        bad_left, good_left = c - k, good - (t - k)
        log_p = constant - gammaln(np.maximum(bad_left, 0) + 1) - gammaln(np.maximum(good_left, 0) + 1)
        log_p += gammaln(n - t + 1)
        log_p[(bad_left < 0) | (good_left < 0)] = -np.inf
        ratio = self.mixture.log_probability(t, k) - log_p
        return ratio, np.where(c >= np.floor((n + 1) * k / np.maximum(t, 1)), ratio, -np.inf)


def most_wrong(rate: float, size: int) -> int:
    """Give ``floor(rate * size)``: how many wrong items a set of `size` may hold under the promise."""
    return math.floor(rate * size + _FUZZ)


def null_count(rate: float, size: int, *, missed: float = 0.0, level: float = 0.05) -> int:
    """Give the number of items *called* wrong that would break the promise ``D <= floor(rate * size)``.

    A perfect reviewer (`missed` = 0) calls every wrong item wrong: ``floor(rate * size) + 1``. One who misses
    each wrong item with probability at most `missed` (independently) calls at least the returned number
    wrong, save with probability `level`, whenever the promise is broken.
    """
    broken = most_wrong(rate, size) + 1
    if missed <= 0:
        return broken
    return int(binom.ppf(level, broken, 1 - missed))


def most_wrong_seen(wrong: Sequence[bool], size: int, *, level: float, mixture: Mixture) -> int:
    """Compute how many of `size` items are wrong at most, save with probability `level`, at all times at once.

    Every number of wrong items that the e-value of any moment so far refutes is out, and with it all larger ones.

    Args:
        wrong: the draws so far in order: is the item wrong?
        size: items in the set, drawn without replacement, at least as many as there are draws.
        level: the chance that the bound is ever wrong, within (0, 1).
        mixture: the alternative, fixed beforehand.

    Returns:
        A number from the errors seen to `size`; it never grows as more is drawn, unless draws show that it was wrong.

    Source: Waudby-Smith & Ramdas, NeurIPS 2020.
    """
    threshold, bound, errors = -math.log(level), size, 0
    for drawn, one in enumerate(wrong, 1):
        errors += bool(one)
        bound = min(bound, size - drawn + errors)
        if float(log_e_value(bound, size, drawn, errors, mixture)) < threshold:
            continue  # as nearly always
        refuted, low = bound, max(errors, math.floor((size + 1) * errors / drawn)) - 1
        while refuted - low > 1:  # `low` is not refuted here; monotone from there on
            middle = (low + refuted) // 2
            if float(log_e_value(middle, size, drawn, errors, mixture)) >= threshold:
                refuted = middle
            else:
                low = middle
        bound = refuted - 1
    return max(bound, errors)


def clopper_pearson(errors: int, drawn: int, confidence: float = 0.95) -> tuple[float, float]:
    """Compute the exact two-sided interval of a rate from `errors` in `drawn` independent draws.

    Returns (low, high) within [0, 1]; (0, 1) without a draw.

    Raises:
        InputError: `errors` is not within 0..`drawn`, or `confidence` not within (0, 1).

    Source: Clopper & Pearson, Biometrika 1934.
    """
    if not 0 <= errors <= drawn:
        raise InputError(
            what="an interval needs counts that fit",
            expected="0 <= errors <= drawn",
            got=f"errors={errors}, drawn={drawn}",
            hint="pass the number of errors first, then the number of draws",
        )
    if not 0 < confidence < 1:
        raise InputError(
            what="the confidence of an interval is out of range",
            expected="a number between 0 and 1, both excluded",
            got=repr(confidence),
            hint="95 % is written 0.95",
        )
    tail = (1 - confidence) / 2
    low = 0.0 if errors == 0 else float(beta.ppf(tail, errors, drawn - errors + 1))
    high = 1.0 if errors == drawn else float(beta.ppf(1 - tail, errors + 1, drawn - errors))
    return low, high
