"""Where relevance ends: how many of the first results are relevant, proven by a few answers about a random sample.

The ranked list is frozen first. A pilot looks down the list at widening steps and only says how far it is worth
looking. Then the nested sets "the first K results" are fixed, one random order of them is drawn, and answers are read
along that order: the evidence of `lucida.evidence.nested`, which holds whatever the ranking is worth and whenever one
stops. So no score needs to be a probability, and no model needs to be right.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np

from lucida.errors import InputError
from lucida.evidence.chain import build_chain, start_epoch
from lucida.evidence.finite import Mixture
from lucida.evidence.nested import Epoch
from lucida.evidence.order import HashOrder
from lucida.evidence.steering import Earlier, make_plan

# Each part of the pilot ends so many times further down than the one before; so many irrelevant on end are enough.
WIDER: Final = 1.7
ENOUGH: Final = 3
# Looked at beyond the last place that the pilot hopes for.
BEYOND: Final = 1.2
FEWEST: Final = 12  # results that are always within what is looked at
WORTH: Final = 1.0  # answers that one more result within the cut-off is worth


@dataclass(frozen=True)
class Claim:
    """What is proven of the first results.

    Attributes:
        results: How many of the first results the claim is about; 0 where nothing is proven yet.
        relevant: How many of them are relevant at least.
        confidence: With this confidence; 1 where the answers alone settle it.
        answers: How many answers were given in all.
        found: How many of these first results were answered "not relevant".
        asked: How many of them were answered.
    """

    results: int
    relevant: int
    confidence: float
    answers: int
    found: int = 0
    asked: int = 0

    @property
    def share(self) -> float:
        """The share of relevant results, at least; 0 where nothing is proven."""
        return self.relevant / self.results if self.results else 0.0

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {**self.__dict__, "share": round(self.share, 6)}

    def __str__(self) -> str:
        if not self.results:
            return f"After {self.answers:,} answers nothing is proven yet of where relevance ends."
        return (
            f"Of the first {self.results:,} results at least {self.relevant:,} are relevant ({self.share:.0%}), with"
            f" {self.confidence:.0%} confidence, after {self.answers:,} answers."
        )


class Cutoff:
    """Asks about some of the results of a search, and says where relevance ends.

    Args:
        ranked: Names of the results, the best first, each once; frozen from here on.
        share: At least this share of the results within the cut-off is relevant, above 0 and below 1.
        confidence: With this confidence, above 0 and below 1.
        seed: Of the random order; drawn by the system where it is None, as it must be for a claim.
        known: Answers that were given before; they are counted, but prove nothing about other results.

    Raises:
        InputError: A number is out of range, or a name comes twice.

    Source: `docs/certify.md`, where the same test certifies labels; Waudby-Smith & Ramdas 2020.
    """

    def __init__(
        self,
        ranked: Sequence[str],
        *,
        share: float = 0.9,
        confidence: float = 0.95,
        seed: int | str | None = None,
        known: dict[str, bool] | None = None,
    ) -> None:
        for name, value in (("share", share), ("confidence", confidence)):
            if not 0 < value < 1:
                raise InputError(f"The {name} is out of range.", expected="a number above 0 and below 1",
                                 got=repr(value), hint="90 % is written 0.9")  # fmt: skip
        self.ranked = tuple(ranked)
        self._place = {name: place for place, name in enumerate(self.ranked)}
        if len(self._place) < len(self.ranked):
            raise InputError("A result comes twice in the ranking.", expected="each result once",
                             got=f"{len(self.ranked):,} results, {len(self._place):,} different")  # fmt: skip
        self.share, self.confidence = share, confidence
        self.seed = secrets.token_hex(16) if seed is None else seed
        self.answers: dict[str, bool] = {name: bool(yes) for name, yes in (known or {}).items() if name in self._place}
        self._orders = HashOrder(self.seed, self.ranked)
        self._pilot = self._choose_pilot()
        self._epoch: Epoch | None = None
        self._ends: list[int] = []  # for each rung, how many of the first results it is
        self._before: dict[int, bool] = {}  # answers from before the epoch: is it irrelevant?
        self._advance()

    # ---- what a caller does ----------------------------------------------------------------------------

    def next(self) -> str | None:
        """Return the result to ask about, the same until it is answered; None where nothing more can be gained."""
        if self._epoch is None:
            place = self._next_pilot()
            return None if place is None else self.ranked[place]
        kept = self._certified()
        size = int(self._epoch.size[kept]) if kept >= 0 else 0
        earlier = Earlier(1 / (1 - self.share) + np.zeros(self._epoch.rungs), 0.25 + np.zeros(self._epoch.rungs))
        plan = make_plan(self._epoch, earlier, kept=size, room=len(self.ranked), worth=WORTH)
        coming = [] if plan is None else self._epoch.upcoming(plan.rung, 1)
        return self.ranked[coming[0]] if coming else None

    def answer(self, name: str, relevant: bool) -> None:
        """Take an answer about any result; one about a result that was not asked for proves less.

        Raises:
            InputError: There is no such result.
        """
        if name not in self._place:
            raise InputError("This is none of the results.", expected="a result of this search", got=repr(name))
        self.answers[name] = bool(relevant)
        if self._epoch is not None:
            place = self._place[name]
            if place in self._before:
                self._before[place] = not relevant
            elif place < self._ends[-1]:
                self._epoch.record(place, not relevant)
        self._advance()

    def claim(self) -> Claim:
        """Return what is proven by now; it holds whenever one looks and stops.

        Where the answers alone settle it, the confidence is 1.
        """
        settled = self._settled()
        rung = self._certified()
        proven = self._ends[rung] if rung >= 0 else 0
        if settled >= proven:
            relevant = sum(self.answers.get(name, False) for name in self.ranked[:settled])
            return self._claim(settled, relevant, 1.0 if settled else self.confidence)
        return self._claim(proven, proven - self._most_wrong(rung), self.confidence)

    def _claim(self, end: int, relevant: int, confidence: float) -> Claim:
        within = [self.answers[name] for name in self.ranked[:end] if name in self.answers]
        found = sum(not yes for yes in within)
        return Claim(end, relevant, confidence, len(self.answers), found, len(within))

    # ---- the procedure ---------------------------------------------------------------------------------

    def _choose_pilot(self) -> list[int]:
        """Choose one place at random from each of widening parts of the list."""
        edges = [0]
        while edges[-1] < len(self.ranked):
            edges.append(min(max(edges[-1] + 1, round(edges[-1] * WIDER)), len(self.ranked)))
        shuffled = self._orders.order("pilot", np.arange(len(self.ranked))).tolist()
        rank = {place: at for at, place in enumerate(shuffled)}
        return [min(range(low, high), key=rank.__getitem__) for low, high in pairwise(edges)]

    def _next_pilot(self) -> int | None:
        """Return the next place of the pilot that has no answer; None where the pilot is over."""
        irrelevant = 0
        for place in self._pilot:
            name = self.ranked[place]
            if name not in self.answers:
                return place
            irrelevant = 0 if self.answers[name] else irrelevant + 1
            if irrelevant >= ENOUGH:
                return None
        return None

    def _advance(self) -> None:
        if self._epoch is None and self.ranked and self._next_pilot() is None:
            self._start()

    def _start(self) -> None:
        """Fix what is claimed about and the order of asking, from the answers given so far."""
        hoped = self._hoped()
        count = min(len(self.ranked), max(round(BEYOND * hoped), FEWEST))
        self._before = {
            place: not self.answers[name] for place, name in enumerate(self.ranked[:count]) if name in self.answers
        }
        left = np.array([place not in self._before for place in range(count)], np.int64)
        if not left.any():
            return
        places = np.arange(count)
        chain = build_chain(places, left, min(hoped / count, 1.0))
        rows = np.flatnonzero(left)
        self._epoch = start_epoch(
            chain,
            places,
            self._orders.order("epoch", rows),
            level=1 - self.confidence,
            max_error=1 - self.share,
            mixture=Mixture.below(1 - self.share),
            missed=0.0,
        )
        self._ends = np.maximum.accumulate([max(stratum) + 1 for stratum in chain.strata]).tolist()

    def _hoped(self) -> int:
        """Return how many of the first results may hold enough relevant ones, by the pilot's answers."""
        edges = [*self._pilot[1:], len(self.ranked)]
        wrong, best = 0, 0
        for asked, (place, end) in enumerate(zip(self._pilot, edges, strict=True), 1):
            name = self.ranked[place]
            if name not in self.answers:
                break
            wrong += not self.answers[name]
            # One answer stands for a part nearly as wide as all before it: a single wrong one is forgiven.
            if self.answers[name] and wrong <= max(1, (1 - self.share) * asked):
                best = end
        return max(best, 1)

    def _settled(self) -> int:
        """Return of how many of the first results enough were answered "relevant" already; 0 for none."""
        yes = np.cumsum([self.answers.get(name, False) for name in self.ranked])
        enough = np.flatnonzero(yes >= self.share * np.arange(1, len(yes) + 1) - 1e-9)
        return int(enough[-1]) + 1 if len(enough) else 0

    def _most_wrong(self, rung: int) -> int:
        """Return how many of the first results may be irrelevant at most, where a rung is certified."""
        assert self._epoch is not None
        before = sum(wrong for place, wrong in self._before.items() if place < self._ends[rung])
        return int(self._epoch.allowed[rung]) + before

    def _certified(self) -> int:
        """Return the largest rung that is certified and, with what was known before, holds the share; -1 for none."""
        if self._epoch is None:
            return -1
        for rung in np.flatnonzero(self._epoch.certified())[::-1].tolist():
            if self._most_wrong(rung) <= (1 - self.share) * self._ends[rung] + 1e-9:
                return int(rung)
        return -1
