"""A route at work: which model an image belongs to, how each of them does, and what happened."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lucida.serve.routing.breaker import Breaker, State
from lucida.serve.routing.rollout import Change, Rollout
from lucida.serve.routing.splitting import choose

if TYPE_CHECKING:
    from lucida.evidence.arms import Difference
    from lucida.serve.routing.ledger import Ledger
    from lucida.serve.routing.plan import RoutePlan
    from lucida.serve.routing.shadow import Shadow

CHANGES: Final = 100  # that are listed
EVERY: Final = 20  # answers after which the state of a roll-out is kept


@dataclass
class Counts:
    """What became of the images of one model since the server began.

    Attributes:
        belonged: Images that were its to answer.
        answered: By it, as theirs or as a fallback.
        kept: Of these from memory.
        fell_back: Its own, that another one answered.
        failed: Its own, that nobody answered.
    """

    belonged: int = 0
    answered: int = 0
    kept: int = 0
    fell_back: int = 0
    failed: int = 0


@dataclass
class Trip:
    """One image on a route.

    Attributes:
        route: The route.
        arm: The model that it belongs to.
        legs: Models that are asked, in order.
        model: That answered.
    """

    route: Route
    arm: str
    legs: tuple[str, ...]
    model: str = ""


class Route:
    """A route; its methods are called in the event loop.

    Args:
        plan: What it is to be.
        services: Names of what it can be asked.
        version: Of the plan and its models: the state of a roll-out counts for these alone.
        timeout: Seconds of work of a model, where the plan says nothing.
        hanging: Threads that may hang in each model.
        ledger: Keeps what happens.
        clock: Gives seconds since 1970.
        ticks: Gives seconds that never go back.
    """

    shadow: Shadow | None = None

    def __init__(
        self,
        plan: RoutePlan,
        services: tuple[str, ...],
        version: str,
        timeout: float,
        hanging: int,
        ledger: Ledger,
        clock: Callable[[], float] = time.time,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self.plan, self.services, self._version, self._timeout = plan, services, version, timeout
        self._ledger, self._clock, self.since = ledger, clock, clock()
        self.breakers = {
            model: Breaker(plan.breaker, hanging, ticks, self._breaker_told(model))
            for model in (*plan.arms, *plan.fallbacks)
        }
        self.counts = {model: Counts() for model in self.breakers}
        self.changes: deque[Change] = deque(maxlen=CHANGES)
        self.rollout: Rollout | None = None  # until it is known where it was
        self._told = 0

    @property
    def weights(self) -> dict[str, float]:
        """The share of each arm."""
        if (rule := self.plan.rollout) is not None:
            share = self.rollout.share if self.rollout is not None else 0.0
            return {rule.source: 1 - share, rule.target: share}
        total = sum(self.plan.arms.values())
        return {model: weight / total for model, weight in self.plan.arms.items()}

    def arm(self, key: str) -> str:
        """Return the model that a key belongs to."""
        arms = self.plan.arms
        return next(iter(arms)) if len(arms) == 1 else choose(self.weights, self.plan.salt or self.plan.name, key)

    def timeout(self, model: str) -> float:
        """Return the seconds that a model may work on an image."""
        own = self.plan.timeouts.get(model, self.plan.timeout)
        return self._timeout if own is None else own

    def begin(self, kept: dict[str, Any], changes: list[Change]) -> None:
        """Go on where it was.

        Args:
            kept: States of roll-outs, by route.
            changes: What happened before.
        """
        self.changes.extendleft(reversed(changes[-CHANGES:]))
        if (rule := self.plan.rollout) is None:
            return
        self.rollout = Rollout(rule, self._clock, self._tell)
        found = kept.get(self.plan.name)
        if found is not None and found["version"] == self._version:
            self.rollout.go_on(found)
        else:
            self.rollout.begin()
        self.keep()

    def saw(self, model: str, fine: bool, seconds: float | None) -> None:
        """Take note of how a model did with an image of its own."""
        if self.rollout is not None and model in self.plan.arms:
            self.rollout.saw(model, fine, seconds)
            self._told += 1
            if self._told % EVERY == 0:
                self.keep()

    def judge(self, evidence: Difference | None, judged: int) -> None:
        """Have feedback decide on the roll-out."""
        if self.rollout is not None:
            self.rollout.judge(evidence, judged)

    def keep(self) -> None:
        """Have the state of the roll-out kept."""
        if self.rollout is not None:
            self._ledger.keep(self.plan.name, {"version": self._version, **self.rollout.body()})

    def _tell(self, change: Change) -> None:
        self.changes.append(change)
        self._ledger.change(self.plan.name, change)
        self.keep()

    def _breaker_told(self, model: str) -> Callable[[State, str], None]:
        failing = False

        def told(state: State, why: str) -> None:
            nonlocal failing
            # A trial that fails, again and again, is no news.
            news = state == "closed" if failing else state == "open"
            if not news:
                return
            failing = state == "open"
            what = "breaker open" if failing else "breaker closed"
            self._tell(Change(self._clock(), what, why, model))
            rule = self.plan.rollout
            if failing and self.rollout is not None and rule is not None and model == rule.target:
                self.rollout.back(f"its circuit breaker opened: {why}")

        return told
