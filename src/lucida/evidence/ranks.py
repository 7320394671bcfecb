"""Bets on ranks: whether numbers that keep coming are still those of a reference, at all times at once.

What is assumed, and all that is: as long as nothing has changed, the reference and what came since are exchangeable, as
independent draws of one law are. Then the rank of each new number among the reference and all that came before it,
ties broken at random, is exactly uniform and independent of the ranks before it, for any law and any size of the
reference. So a bet at fair odds on the next rank makes a test martingale (a conformal test martingale), and the chance
that its wealth ever reaches 1/a is at most a (Ville). A test against a fixed reference has no such promise over time:
it ends up finding the sampling error of the reference itself.

Nobody knows when something will change. So the wealth is shared out among bets that begin at all times, with weights
that sum to 1: Shiryaev's and Roberts' procedure with a prior that has no end. What is lost by beginning too early is
then only the share, not the wealth, and the promise is about ever, not about a false alarm in so many days on average,
as of CUSUM.

The bets are fixed densities of a rank, in normal scores: a normal law that moved by so much, or is as wide; for normal
numbers these lose nothing against the best test (Chernoff and Savage, 1958). Two more are learned from the latest
ranks, quickly and slowly, and find changes of any form, such as another mix of classes.

Source: Vovk, Nouretdinov & Gammerman, "Testing exchangeability on-line", ICML 2003; Vovk et al., "Retrain or not
retrain: conformal test martingales for change-point detection", COPA 2021; Shin, Ramdas & Rinaldo, "E-detectors", New
England Journal of Statistics in Data Science 2023 (weights over beginnings); Ville 1939.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from lucida.errors import InputError
from lucida.evidence.finite import Floats

SHIFTS: Final = (-2.5, -1.5, -0.8, -0.4, 0.4, 0.8, 1.5, 2.5)  # in standard deviations of the reference
SPREADS: Final = (0.5, 1.8)  # times that of the reference
BINS: Final = 16  # of the densities that are learned
MEMORIES: Final = np.array([60.0, 600.0])  # ranks that they are learned from, about
STEP: Final = 10  # new bets begin after so many numbers
MOST: Final = 20_000  # numbers that are kept to compare with
_PRIORS: Final = np.array([2.0, 8.0])  # counts of each bin before anything was seen
_HUGE: Final = 1e290


class Ranks:
    """Gives the ranks of numbers that keep coming, for several columns at once.

    Args:
        reference: What they are compared with, (n, columns); NaN where a number is missing.
        generator: Breaks ties.
        most: Numbers to keep in a column; above it, some are forgotten at random, which keeps all that is promised.
    """

    def __init__(self, reference: ArrayLike, generator: np.random.Generator, most: int = MOST) -> None:
        given = np.asarray(reference, dtype=np.float64)
        if given.ndim != 2 or not len(given):
            raise InputError(
                "There is nothing to compare with.",
                expected="an array (n, columns) with at least one row",
                got=f"shape {given.shape}",
                hint="give a reference",
            )
        self._generator, self._most = generator, max(most, 1)
        self._kept = [np.sort(column[~np.isnan(column)]) for column in given.T]

    @property
    def sizes(self) -> NDArray[np.int64]:
        """How many numbers each column is compared with."""
        return np.array([len(kept) for kept in self._kept])

    def add(self, values: ArrayLike) -> Floats:
        """Return the ranks of new rows (t, columns) from 0 to 1, NaN where a number is missing; the rows are kept."""
        rows = np.asarray(values, dtype=np.float64).reshape(-1, len(self._kept))
        ranks = np.full(rows.shape, np.nan)
        luck = self._generator.random(rows.shape)
        # Among what was kept, and among those of these rows that came earlier.
        before = np.tri(len(rows), k=-1, dtype=np.bool_)
        for number, kept in enumerate(self._kept):
            new = rows[:, number]
            here = ~np.isnan(new)
            earlier = before
            if not here.all():
                new, earlier = new[here], before[np.ix_(here, here)]
            left, right = np.searchsorted(kept, new, "left"), np.searchsorted(kept, new, "right")
            below = left + (earlier & (new < new[:, None])).sum(axis=1)
            equal = right - left + (earlier & (new == new[:, None])).sum(axis=1)
            total = len(kept) + np.arange(len(new)) + 1
            ranks[here, number] = (below + luck[here, number] * (equal + 1)) / total
            self._kept[number] = self._fit(np.sort(np.concatenate([kept, new]), kind="stable"))
        return ranks

    def keep(self, values: ArrayLike) -> None:
        """Take rows in that were ranked before, as after a restart."""
        rows = np.asarray(values, dtype=np.float64).reshape(-1, len(self._kept))
        for number, kept in enumerate(self._kept):
            new = rows[:, number]
            self._kept[number] = self._fit(np.sort(np.concatenate([kept, new[~np.isnan(new)]])))

    def _fit(self, kept: Floats) -> Floats:
        if len(kept) <= self._most:
            return kept
        # A tenth at a time: whatever is forgotten is chosen without regard to when it came.
        stay = self._generator.permutation(len(kept))[: max(1, int(0.9 * self._most))]
        return np.asarray(kept[np.sort(stay)])


def log_bets(ranks: ArrayLike, shifts: tuple[float, ...] = SHIFTS, spreads: tuple[float, ...] = SPREADS) -> Floats:
    """Compute the log odds that fixed bets pay for ranks of any shape: (..., bets), NaN where a rank is NaN."""
    scores = ndtri(np.clip(np.asarray(ranks, dtype=np.float64), 1e-300, 1 - 1e-16))[..., None]
    moved, wide = np.array(shifts), np.array(spreads)
    by_shift = moved * scores - moved**2 / 2
    by_spread = scores**2 / 2 * (1 - 1 / wide**2) - np.log(wide)
    return np.concatenate([by_shift, by_spread], axis=-1)


def share_of(beginning: int) -> float:
    """Return the share of all wealth that begins at a time 0, 1, 2, …; they sum to 1 and fall as slowly as they can."""
    at = beginning + math.e
    return 1 / math.log(at) - 1 / math.log(at + 1)


class Restarts:
    """Bets on the ranks of several columns, begun anew all the time.

    Each column has an e-process of its own, in what is known of its own ranks; they are combined by dividing the level.

    Args:
        columns: How many.

    Attributes:
        seen: Rows so far.
        wealth: Of each column and bet, (columns, bets).
        since: Row at which the bet that pays most would best have begun, (columns, bets): about when it changed.
    """

    names: Final = (
        *(f"shift {one:+g}" for one in SHIFTS),
        *(f"spread {one:g}" for one in SPREADS),
        "learned quickly",
        "learned slowly",
    )

    def __init__(self, columns: int) -> None:
        shape = (columns, len(self.names))
        self.seen = 0
        self.wealth, self._sums, self.since = np.zeros(shape), np.zeros(shape), np.zeros(shape, np.int64)
        self._bins = np.zeros((len(MEMORIES), columns, BINS))

    def add(self, ranks: Floats) -> Floats:
        """Bet on rows of ranks (t, columns), one after the other; return the log e-values after each, (t, columns)."""
        missing = np.isnan(ranks)
        pay = np.zeros((len(ranks), *self.wealth.shape))
        pay[..., : -len(MEMORIES)] = np.where(missing[..., None], 0.0, log_bets(ranks))
        paid = np.exp(np.clip(pay, -700, 40))
        places = np.minimum(np.where(missing, 0.0, ranks) * BINS, BINS - 1).astype(np.int64)
        found, columns = np.empty(ranks.shape), np.arange(ranks.shape[1])
        for row, (steps, factors, absent, place) in enumerate(zip(pay, paid, missing, places, strict=True)):
            if self.seen % STEP == 0:
                self.wealth += share_of(self.seen // STEP) / len(self.names)
            known = self._bins[:, columns, place] + _PRIORS[:, None]
            learned = BINS * known / (self._bins.sum(axis=2) + BINS * _PRIORS[:, None])
            factors[:, -len(MEMORIES) :] = np.where(absent, 1.0, learned).T
            steps[:, -len(MEMORIES) :] = np.log(factors[:, -len(MEMORIES) :])
            # Only what has crossed long ago can be as large as this.
            np.minimum(self.wealth * factors, _HUGE, out=self.wealth)
            # Where a sum has fallen to 0, it would have been better to begin here.
            self.since[self._sums <= 0] = self.seen
            np.maximum(self._sums, 0, out=self._sums)
            self._sums += steps
            self._bins *= np.where(absent, 1.0, 1 - 1 / MEMORIES[:, None])[..., None]
            self._bins[:, columns, place] += ~absent
            self.seen += 1
            found[row] = self.wealth.sum(axis=1)
        with np.errstate(divide="ignore"):
            found = np.log(found)
        return found

    def best(self, column: int) -> int:
        """Return the bet of a column that holds most of its wealth."""
        return int(self.wealth[column].argmax())

    def state(self) -> dict[str, NDArray[Any]]:
        """Return all that `restore` needs."""
        return {
            "seen": np.array(self.seen),
            "wealth": self.wealth,
            "sums": self._sums,
            "since": self.since,
            "bins": self._bins,
        }

    def restore(self, state: dict[str, NDArray[Any]]) -> None:
        """Go on where another stood.

        Raises:
            InputError: It was of other columns.
        """
        if state["wealth"].shape != self.wealth.shape:
            raise InputError(
                "What was kept is of another reference.",
                expected=f"bets of the shape {self.wealth.shape}",
                got=str(state["wealth"].shape),
                hint="begin anew",
            )
        self.seen = int(state["seen"])
        self.wealth, self._sums = state["wealth"].copy(), state["sums"].copy()
        self.since, self._bins = state["since"].copy(), state["bins"].copy()
