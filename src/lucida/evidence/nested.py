"""Evidence for a chain of nested sets (rungs), all read in one shared random order.

An *epoch* fixes, before its first answer: the rungs, each holding the one below it; a weight for some of them
(the entries); one uniformly random order of all items. Rung j's e-process runs over the longest prefix of
that order, restricted to rung j, that is completely answered. So whatever the program chooses to ask, it only
decides how much of one fixed path is looked at. This module knows nothing of that choice.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from lucida.evidence.finite import (
    Floats,
    Mixture,
    SetTests,
    most_wrong,
    null_count,
)
from lucida.evidence.order import Ints

UNANSWERED, RIGHT, WRONG = -1, 0, 1
_SPENT_ON_MISSES = 0.1  # share of the level that pays for reviewers who miss errors


class Epoch:
    """Follow the e-process of every rung of one chain of nested sets.

    Args:
        order: item numbers in review order, int64 of shape (n,), n >= 1, each once.
        stratum: for each entry of `order` the first rung that holds it, integers of shape (n,), 0..rungs-1.
        weights: entry weight per rung, float64 >= 0, sum at most 1.
        items: how many item numbers there are (those not in `order` are not in this epoch).
        level: the chance this epoch may take of ever certifying a broken rung, within (0, 1).
        max_error: the rate of wrong items that a certified rung must not exceed, within (0, 1).
        mixture: the alternative fixed beforehand.
        missed: bound on the chance that the reviewer calls a wrong item right, within [0, 1).

    Attributes, one entry per rung: `size` n, `allowed` floor(max_error n), `null` c, `drawn` t, `errors` k,
    `current` ln M now, `best` the running supremum of ln M.

    Source: `docs/certify.md`.
    """

    def __init__(
        self,
        order: Ints,
        stratum: Ints,
        weights: Floats,
        *,
        items: int,
        level: float,
        max_error: float,
        mixture: Mixture,
        missed: float = 0.0,
    ) -> None:
        rungs = len(weights)
        self.order, self.weights = order, weights
        self.stratum = stratum.astype(np.int16)  # small integers sort by radix
        self.stratum_size = np.bincount(stratum, minlength=rungs)
        self.size = np.cumsum(self.stratum_size)
        self.allowed = np.array([most_wrong(max_error, int(n)) for n in self.size])
        for_misses = level * _SPENT_ON_MISSES if missed > 0 else 0.0
        self.level = level - for_misses
        self.null = np.array(
            [null_count(max_error, int(n), missed=missed, level=for_misses / rungs) for n in self.size]
        )
        self._queue = np.argsort(self.stratum, kind="stable")  # places in the order, stratum by stratum
        self._end = np.cumsum(self.stratum_size)
        self._place = np.full(items, -1, dtype=np.int64)
        self._place[order] = np.arange(len(order))
        self.verdict = np.full(len(order), UNANSWERED, dtype=np.int8)
        self._answered: list[int] = []  # places, ascending
        self._top, self._chain_is_current = -1, False
        self._tests = SetTests(self.null, self.size, mixture)
        self._least_threshold = -math.log(self.level)  # with the whole level: no rung is certified below it
        self._rebuild()

    @property
    def rungs(self) -> int:
        """Count the rungs."""
        return len(self.weights)

    def members(self, rung: int) -> Ints:
        """List the items of a rung, answered or not, in review order (int64)."""
        return self.order[self.stratum <= rung]

    def record(self, item: int, wrong: bool | None) -> None:
        """Take an answer for `item`; None takes an earlier one back. Items outside the epoch are ignored."""
        place = int(self._place[item])
        if place < 0:
            return
        before, now = int(self.verdict[place]), UNANSWERED if wrong is None else int(wrong)
        if before == now:
            return
        self.verdict[place] = now
        if before != UNANSWERED:  # the past has changed: run the evidence anew
            if wrong is None:
                self._answered.remove(place)
            self._rebuild()
            return
        insort(self._answered, place)
        self._count(place)
        stratum = int(self.stratum[place])
        if self._first[stratum] == place:
            self._advance(stratum)
            waited = np.flatnonzero(self._front == place)  # rungs whose next item this was: neighbours
            if len(waited):
                self._extend(int(waited[0]), int(waited[-1]) + 1, place)

    def record_many(self, verdicts: Mapping[int, bool]) -> None:
        """Take many answers (item: is it wrong?) at once; the outcome is that of `record` one by one."""
        for item, wrong in verdicts.items():
            place = int(self._place[item])
            if place >= 0:
                self.verdict[place] = int(wrong)
        self._answered = np.flatnonzero(self.verdict != UNANSWERED).tolist()
        self._rebuild()

    def certified(self) -> NDArray[np.bool_]:
        """Tell for each rung whether it is certified: at most `allowed` of its items are wrong.

        A rung needs ln M >= -ln(level * a). Its share a is its own weight, plus the share of the rung below
        it if that one is certified: a certified rung hands on everything it had.
        """
        self._follow_chain()
        return self._certified

    def inherited(self) -> Floats:
        """Give the share that each rung has been handed from below so far."""
        self._follow_chain()
        return self._inherited

    def top(self) -> int:
        """Give the largest certified rung, -1 if there is none."""
        self._follow_chain()
        return self._top

    def upcoming(self, rung: int, count: int) -> list[int]:
        """List the next `count` unanswered items of a rung in review order (fewer at its end)."""
        found: list[int] = []
        place, chunk = int(self._front[rung]), max(64, 4 * count)
        while len(found) < count and place < len(self.order):
            window = slice(place, place + chunk)
            open_places = np.flatnonzero((self.stratum[window] <= rung) & (self.verdict[window] == UNANSWERED))
            found += self.order[window][open_places[: count - len(found)]].tolist()
            place, chunk = place + chunk, chunk * 4
        return found

    def _follow_chain(self) -> None:
        if self._chain_is_current:
            return
        share = 0.0
        contradicted = np.cumsum(self.stratum_wrong) > self.allowed
        rows = zip(self.weights.tolist(), self.best.tolist(), contradicted.tolist(), strict=True)
        for rung, (weight, best, broken) in enumerate(rows):
            self._inherited[rung] = share
            share += weight
            holds = share > 0 and not broken and best >= -math.log(self.level) - math.log(share)
            self._certified[rung] = holds
            share = share if holds else 0.0
        found = np.flatnonzero(self._certified)
        self._top = int(found[-1]) if len(found) else -1
        self._chain_is_current = True

    def _rebuild(self) -> None:
        rungs = self.rungs
        self.drawn, self.errors = np.zeros(rungs, dtype=np.int64), np.zeros(rungs, dtype=np.int64)
        self.current, self.best = np.zeros(rungs), np.full(rungs, -np.inf)
        self.stratum_answered, self.stratum_wrong = (
            np.zeros(rungs, dtype=np.int64),
            np.zeros(rungs, dtype=np.int64),
        )
        self._certified, self._inherited = np.zeros(rungs, dtype=np.bool_), np.zeros(rungs)
        self._top, self._chain_is_current = -1, False
        self._head = self._end - self.stratum_size  # in the queue: the first unanswered place of each stratum
        self._first = np.full(rungs, len(self.order))
        for place in self._answered:
            self._count(place)
        for stratum in range(rungs):
            self._advance(stratum)
        self._extend(0, rungs, 0)

    def _count(self, place: int) -> None:
        stratum = self.stratum[place]
        self.stratum_answered[stratum] += 1
        self.stratum_wrong[stratum] += self.verdict[place]
        if self._top >= 0:  # an error may contradict what was certified
            self._chain_is_current = False

    def _advance(self, stratum: int) -> None:
        head, end = int(self._head[stratum]), int(self._end[stratum])
        while head < end and self.verdict[self._queue[head]] != UNANSWERED:
            head += 1
        self._head[stratum] = head
        self._first[stratum] = self._queue[head] if head < end else len(self.order)

    def _extend(self, low: int, high: int, place: int) -> None:
        """Run the e-processes of rungs low..high-1 from `place`, where they stood, to their new fronts."""
        self._front = front = np.minimum.accumulate(self._first)
        stop = bisect_left(self._answered, int(front[low]))
        places = np.array(self._answered[bisect_left(self._answered, place) : stop], dtype=np.int64)
        if not len(places):
            return
        rungs = slice(low, high)
        wrong = self.verdict[places] == WRONG
        if len(places) == 1:  # nearly always: one answer, read by all of these rungs
            t, k = self.drawn[rungs] + 1, self.errors[rungs] + wrong
            self.current[rungs], counted = self._tests.log_ratio(t, k, rungs)
        else:
            read = (self.stratum[places][:, None] <= np.arange(low, high)) & (places[:, None] < front[rungs])
            steps_t = self.drawn[rungs] + np.cumsum(read, axis=0)
            steps_k = self.errors[rungs] + np.cumsum(read & wrong[:, None], axis=0)
            ratio, steps = self._tests.log_ratio(steps_t, steps_k, rungs)
            t, k, self.current[rungs], counted = steps_t[-1], steps_k[-1], ratio[-1], steps.max(axis=0)
        self.drawn[rungs], self.errors[rungs] = t, k
        self.best[rungs] = np.maximum(self.best[rungs], counted)
        if counted.max() >= self._least_threshold:
            self._chain_is_current = False
