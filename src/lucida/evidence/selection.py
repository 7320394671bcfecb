"""Choose, one question at a time, which items to check until the largest possible set is certified.

Pilot, epoch 1, epoch 2. Items are numbers 0..n-1 with a score; an answer says whether an item is wrong.
Labels today, boxes or policy breaks later: nothing here knows what the items are. The state depends only on
the scores, the orders, the parameters and the answers in the order in which they came.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

import numpy as np

from lucida.evidence.chain import (
    SHARES,
    Chain,
    build_chain,
    is_doubtful,
    is_upside_down,
    learned_order,
    promising_by_first_error,
    promising_by_rate,
    start_epoch,
)
from lucida.evidence.finite import Floats, Mixture
from lucida.evidence.nested import Epoch
from lucida.evidence.order import Ints, score_bins
from lucida.evidence.steering import Earlier, Plan, make_plan

Reason = Literal["", "target", "no-gain", "max-reviews", "exhausted"]
REASONS: tuple[Reason, ...] = get_args(Reason)

STAGES = ("pilot", "epoch-1", "epoch-2")
_NEVER = 9  # as the stage of an item without any answer
_BLOCK = 0.08  # a plan is made anew after so much more of its rung was read, and after 8 answers at least


class Orders(Protocol):
    """Give random orders that do not depend on scores or answers."""

    def order(self, stage: str, rows: Ints) -> Ints:
        """Order `rows` uniformly at random, afresh for each stage."""

    def offset(self, stage: str) -> float:
        """Give a uniform number in [0, 1) for a stage."""


@dataclass
class Started:
    """Hold an epoch under way: its chain, its evidence, and the shrunk counts that planning starts from."""

    stage: str
    share: float
    chain: Chain
    epoch: Epoch
    earlier: Earlier
    touched: bool = False  # an answer was given since it began


@dataclass(frozen=True)
class Proven:
    """Name the largest certified set: the epoch (its place in `started`), the rung, and the counts in it."""

    epoch: int
    rung: int
    size: int
    allowed: int
    reviewed: int
    found: int


class Selection:
    """Run the whole procedure over one population of items.

    Args:
        scores: float64 of shape (n,), finite; higher means more likely right.
        orders: the source of all randomness.
        max_error: the rate of wrong items a certified set must not exceed, within (0, 1).
        level: the chance of certifying a set that breaks the promise, within (0, 1).
        worth: how many answers one more item in the set is worth, >= 0.
        max_reviews: the most items to ask for; None for all.
        missed: bound on the chance that a wrong item is called right, within [0, 1).
    """

    def __init__(
        self,
        scores: Floats,
        orders: Orders,
        *,
        max_error: float,
        level: float,
        worth: float = 1.0,
        max_reviews: int | None = None,
        missed: float = 0.0,
    ) -> None:
        self.scores, self.total = scores, len(scores)
        self.max_error, self.level, self.worth, self.missed = max_error, level, worth, missed
        self.max_reviews = self.total if max_reviews is None else min(max_reviews, self.total)
        self.mixture = Mixture.below(max_error)
        self.bins = score_bins(scores)
        self.verdicts: dict[int, bool] = {}
        self.started: list[Started] = []
        self.reason: Reason = ""
        self._orders = orders
        self._bin_size = np.bincount(self.bins)
        self._bin_drawn = np.zeros(len(self._bin_size))
        self._bin_errors = np.zeros(len(self._bin_size))
        self._first_stage = np.full(self.total, _NEVER, dtype=np.int8)
        self._taken_back: list[int] = []  # asked again, the latest first
        self.plan: Plan | None = None
        self.out_of_reach: Plan | None = None  # worth its answers, if more of them were allowed
        self._plan_until = 0
        self._plan_certified = 0
        self.pilot_size = pilot_size(max_error, self.max_reviews)
        self._pilot_ended: list[int] | None = None  # as it was when the first epoch began
        self._pilot_rounds = choose_pilot(self.bins, orders, self.pilot_size)
        self._advance()

    # ---- what a caller sees ---------------------------------------------------------------------------

    @property
    def stage(self) -> str:
        """Name the stage that the next answer belongs to."""
        return STAGES[len(self.started)]

    @property
    def pilot(self) -> list[int]:
        """List the items of the pilot: one round, and another one if the first left a doubt about the order."""
        if self._pilot_ended is not None:
            return self._pilot_ended
        first, second = self._pilot_rounds
        if any(i not in self.verdicts for i in first):
            return first
        errors = np.bincount(self.bins[[i for i in first if self.verdicts[i]]], minlength=len(self._bin_size))
        return first + second if is_doubtful(self._bin_size, errors) else first

    @property
    def reviews(self) -> int:
        """Count the items that have an answer."""
        return len(self.verdicts)

    def next(self) -> int | None:
        """Give the item to ask for, or None when the procedure has ended."""
        upcoming = self.peek(1)
        return upcoming[0] if upcoming else None

    def peek(self, count: int) -> list[int]:
        """List the next `count` items to be asked while the present plan holds (fewer near an end)."""
        again = self._taken_back[::-1]
        rest: list[int] = []
        if not self.reason and not self.started:
            rest = [i for i in self.pilot if i not in self.verdicts]
        elif not self.reason and self.plan is not None:
            rest = self.started[-1].epoch.upcoming(self.plan.rung, count + len(again))
        room = max(self.max_reviews - self.reviews, 0)
        return (again + [i for i in rest if i not in again])[: min(count, room)]

    def answer(self, item: int, wrong: bool) -> None:
        """Take an answer, whether asked for or not; a second answer to an item replaces the first."""
        if self._first_stage[item] == _NEVER:
            self._first_stage[item] = len(self.started)
        if item in self._taken_back:
            self._taken_back.remove(item)
        if self.started:
            self.started[-1].touched = True
        self._set(item, bool(wrong))
        self._advance()

    def retract(self, item: int) -> None:
        """Take the answer of `item` back; it is asked again next.

        The sets of an epoch stay as they were fixed, for their answers have been seen; only an epoch without
        any answer is begun anew.
        """
        if item not in self.verdicts:
            return
        while self.started and not self.started[-1].touched:
            self.started.pop()
            self._pilot_ended = self._pilot_ended if self.started else None
        self._set(item, None)
        self._taken_back.append(item)
        self._advance()

    def allow(self, max_reviews: int) -> None:
        """Change the number of items that may be asked for."""
        self.max_reviews = min(max_reviews, self.total)
        self._advance()

    def proven(self) -> Proven | None:
        """Give the largest certified set, None while there is none."""
        return largest([started.epoch for started in self.started])

    def kept(self) -> Ints:
        """List the items of the largest certified set, in review order (int64)."""
        best = self.proven()
        if best is None:
            return np.empty(0, dtype=np.int64)
        return self.started[best.epoch].epoch.members(best.rung)

    # ---- the procedure --------------------------------------------------------------------------------

    def _set(self, item: int, wrong: bool | None) -> None:
        known, at = self.verdicts.pop(item, None), self.bins[item]
        if known is not None:
            self.plan = None  # the past has changed: think again
            self._bin_drawn[at] -= 1
            self._bin_errors[at] -= known
        if wrong is not None:
            self.verdicts[item] = wrong
            self._bin_drawn[at] += 1
            self._bin_errors[at] += wrong
        for started in self.started:
            started.epoch.record(item, wrong)

    def _advance(self) -> None:
        """Bring the plan up to date: start epochs, plan, or end with a reason."""
        self.reason, self.out_of_reach = "", None
        while True:
            if any(s.epoch.top() == s.epoch.rungs - 1 for s in self.started):
                self.reason = "target"
            elif self.reviews >= self.total:
                self.reason = "exhausted"
            elif self.reviews >= self.max_reviews:
                self.reason = "max-reviews"
            elif not self.started:
                if any(i not in self.verdicts for i in self.pilot):
                    return
                if not self._start():
                    self.reason = "exhausted"
            elif self._plan_holds():
                return
            elif len(self.started) == len(SHARES) or not self._start():
                self.out_of_reach = self._best_plan(self.total)
                self.reason = "max-reviews" if self.out_of_reach else "no-gain"
            if self.reason:
                self.plan = None
                return

    def _plan_holds(self) -> bool:
        """Keep the plan until its rung is read far enough or something is crossed, then make a new one."""
        now = self.started[-1]
        certified = int(now.epoch.certified().sum())
        if (
            self.plan is not None
            and certified == self._plan_certified
            and now.epoch.drawn[self.plan.rung] < self._plan_until
            and now.epoch.best[self.plan.rung] < self.plan.threshold
        ):
            return True
        self.plan = self._best_plan(self.max_reviews - self.reviews)
        if self.plan is not None:
            drawn = int(now.epoch.drawn[self.plan.rung])
            self._plan_until = min(drawn + max(8, int(_BLOCK * drawn)), int(now.epoch.size[self.plan.rung]))
            self._plan_certified = certified
        return self.plan is not None

    def _best_plan(self, room: int) -> Plan | None:
        now, best = self.started[-1], self.proven()
        return make_plan(now.epoch, now.earlier, kept=best.size if best else 0, room=room, worth=self.worth)

    def _start(self) -> bool:
        """Start the next epoch on the items never looked at; False if there are none."""
        items = np.flatnonzero(self._first_stage == _NEVER)
        if not len(items):
            return False
        number, stage = len(self.started), STAGES[len(self.started) + 1]
        left = np.bincount(self.bins[items], minlength=len(self._bin_size))
        if number or is_upside_down(self._bin_size, self._bin_errors):
            bin_order = learned_order(self._bin_drawn, self._bin_errors)
        else:
            bin_order = np.arange(len(left))
        if number:
            part = promising_by_rate(bin_order, left, self._bin_drawn, self._bin_errors, self.max_error)
        else:
            part = promising_by_first_error(bin_order, left, self._bin_errors)
            self._pilot_ended = self.pilot
        chain = build_chain(bin_order, left, part)
        epoch = start_epoch(
            chain,
            self.bins,
            self._orders.order(stage, items),
            level=self.level * SHARES[number],
            max_error=self.max_error,
            mixture=self.mixture,
            missed=self.missed,
        )
        self.started.append(Started(stage, SHARES[number], chain, epoch, self._earlier(chain, number)))
        self.plan = None
        return True

    def _earlier(self, chain: Chain, number: int) -> Earlier:
        """Sum up what was seen in each rung so far, shrunk: good enough to plan with, not to prove with."""
        drawn = np.cumsum([self._bin_drawn[list(bins)].sum() for bins in chain.strata])
        errors = np.cumsum([self._bin_errors[list(bins)].sum() for bins in chain.strata])
        most = 0.6 / self.max_error if number else len(self._pilot_rounds[0])
        scale = np.minimum(drawn, most) / np.maximum(drawn, 1)
        return Earlier(1 / self.max_error + drawn * scale, 0.25 + errors * scale)


def largest(epochs: Sequence[Epoch]) -> Proven | None:
    """Give the largest certified set of some epochs, None while there is none."""
    best: Proven | None = None
    for index, epoch in enumerate(epochs):
        rung = epoch.top()
        if rung >= 0 and (best is None or epoch.size[rung] > best.size):
            reviewed = int(epoch.stratum_answered[: rung + 1].sum())
            found = int(epoch.stratum_wrong[: rung + 1].sum())
            best = Proven(index, rung, int(epoch.size[rung]), int(epoch.allowed[rung]), reviewed, found)
    return best


def pilot_size(max_error: float, most: int) -> int:
    """Give the number of items that the pilot asks for, at most `most`."""
    return min(int(np.clip(0.4 / max_error, 20, 40)), most)


def choose_pilot(bins: Ints, orders: Orders, count: int) -> tuple[list[int], list[int]]:
    """Choose two rounds of `count` items each, evenly spaced in score order, random within a bin and in their order.

    The second round lies between the items of the first; it holds fewer where there are no more items.
    """
    if count <= 0:
        return [], []
    shuffled = orders.order("pilot", np.arange(len(bins)))
    by_score = np.argsort(bins[shuffled], kind="stable")
    rounds: list[list[int]] = []
    for shift in (0.0, 0.5):
        part = (orders.offset("pilot") + shift) % 1
        places = ((np.arange(count) + part) * len(bins) / count).astype(np.int64)
        chosen = shuffled[np.sort(by_score[places])].tolist()
        rounds.append([i for i in chosen if not rounds or i not in rounds[0]])
    return rounds[0], rounds[1]
