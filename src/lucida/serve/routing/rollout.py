"""Handing the images of one model over to another, in steps; back by itself as soon as the new one is worse.

It has no clock, file or thread of its own: `saw` and `judge` are told what happened, `body` is what must be kept.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Final, Literal

from lucida.evidence.arms import Difference, Matcher, log_e_value

State = Literal["running", "done", "rolled back"]

TIMES: Final = 500  # latest answers of each model whose time is kept
TIMED: Final = 20  # of each that there must be before times are compared
SURE: Final = math.log(100)  # evidence that the errors are more, before as many requests as a step needs


@dataclass(frozen=True)
class RolloutRule:
    """How a model is rolled out.

    Attributes:
        source: The model that answers now.
        target: The model that is to.
        steps: Per cent of the keys that the target has, rising to 100.
        requests: That it must answer in each step, at least.
        seconds: That each step takes, at least.
        errors: How much larger its share of errors may be than the source's.
        latency: How many times as long its median answer may take.
        feedback: On its answers, that there must be before the last step, at least.
    """

    source: str
    target: str
    steps: tuple[float, ...] = (1.0, 5.0, 25.0, 100.0)
    requests: int = 100
    seconds: float = 0.0
    errors: float = 0.01
    latency: float = 1.25
    feedback: int = 0


@dataclass(frozen=True)
class Condition:
    """What the next step waits for.

    Attributes:
        name: "requests", "time", "errors", "latency" or "feedback".
        met: None where it is not known yet.
        text: In words.
    """

    name: str
    met: bool | None
    text: str


@dataclass(frozen=True)
class Change:
    """What happened to a route.

    Attributes:
        at: Seconds since 1970.
        what: "began", "step", "done", "rolled back", "breaker open" …
        why: In words.
        model: That it is about.
    """

    at: float
    what: str
    why: str
    model: str = ""


@dataclass
class _Side:
    """How the images of one model ended: in this step, and all of them."""

    asked: int = 0
    failed: int = 0
    times: deque[float] = field(default_factory=lambda: deque(maxlen=TIMES))

    @property
    def rate(self) -> float:
        return self.failed / self.asked if self.asked else 0.0


class Rollout:
    """Where a roll-out is; for one thread.

    Args:
        rule: How it goes on.
        clock: Gives seconds since 1970.
        changed: Told of every change.
    """

    def __init__(self, rule: RolloutRule, clock: Callable[[], float], changed: Callable[[Change], None]) -> None:
        self.rule, self._clock, self._tell = rule, clock, changed
        self.state: State = "running"
        self.step, self.since, self.why = 0, clock(), ""
        self.source, self.target = _Side(), _Side()  # the target's are those of this step
        self._matcher, self._matched = Matcher(), dict[float, int]()
        self._evidence: Difference | None = None
        self._judged = 0

    @property
    def share(self) -> float:
        """Share of the keys that the target has."""
        return {"running": self.rule.steps[self.step] / 100, "done": 1.0, "rolled back": 0.0}[self.state]

    @property
    def enough(self) -> bool:
        """Whether this step was long enough to be judged."""
        rule = self.rule
        return self.target.asked >= rule.requests and self._clock() - self.since >= rule.seconds

    def body(self) -> dict[str, Any]:
        """Return what must be kept, as plain values."""
        return {
            "state": self.state, "step": self.step, "since": self.since, "why": self.why,
            "source": [self.source.asked, self.source.failed], "target": [self.target.asked, self.target.failed],
            "matched": sorted(self._matched.items()),
        }  # fmt: skip

    def go_on(self, body: dict[str, Any]) -> None:
        """Go on where it was kept."""
        self.state, self.step = body["state"], min(int(body["step"]), len(self.rule.steps) - 1)
        self.since, self.why = float(body["since"]), body["why"]
        (self.source.asked, self.source.failed), (self.target.asked, self.target.failed) = (
            body["source"],
            body["target"],
        )
        self._matched = {float(value): int(count) for value, count in body["matched"]}

    def begin(self) -> None:
        """Say that it begins, where nothing was kept of it."""
        self._tell(Change(self._clock(), "began", f"{self.rule.steps[0]:g} % of the keys", self.rule.target))

    def saw(self, model: str, fine: bool, seconds: float | None) -> None:
        """Take note of how an image ended that belonged to one of the two.

        Args:
            model: Which one.
            fine: Whether it answered.
            seconds: That it worked; None where it did not.
        """
        if self.state != "running":
            return
        side = self.target if model == self.rule.target else self.source
        side.asked += 1
        side.failed += not fine
        if fine and seconds is not None:
            side.times.append(seconds)
        if (value := self._matcher.add(1 if side is self.target else 0, float(fine))) is not None:
            self._matched[value] = self._matched.get(value, 0) + 1
        if not fine and side is self.target:
            # Valid at any time: whatever the step, and however often it is looked at.
            mirrored = {-value: count for value, count in self._matched.items()}
            if log_e_value(mirrored, min(1.0, self.rule.errors)) >= SURE:
                self.back(f"it fails more often: {_rates(self.target, self.source)}")
        if side is self.target and self.enough:
            self._move()

    def judge(self, evidence: Difference | None, judged: int) -> None:
        """Take note of what feedback says.

        Args:
            evidence: On the difference target - source; None without any.
            judged: Answers of the target on which there is feedback.
        """
        self._evidence, self._judged = evidence, judged
        if self.state == "running":
            self._move()

    def back(self, why: str) -> None:
        """Give all keys back to the source."""
        if self.state == "running":
            self._turn("rolled back", why)

    def conditions(self) -> list[Condition]:
        """Say what the next step waits for, and what speaks against it."""
        rule, asked, took = self.rule, self.target.asked, self._clock() - self.since
        enough = self.enough
        found = [
            Condition("requests", asked >= rule.requests, f"{asked:,} of {rule.requests:,}"),
            Condition("time", took >= rule.seconds, f"{took:,.0f} of {rule.seconds:,.0f} s"),
        ]
        fewer = self.target.rate <= self.source.rate + rule.errors
        found.append(Condition("errors", fewer if enough else None, _rates(self.target, self.source)))
        ours, theirs = self.target.times, self.source.times
        if min(len(ours), len(theirs)) < TIMED:
            found.append(Condition("latency", None, "not measured yet"))
        else:
            ratio = median(ours) / max(median(theirs), 1e-9)
            found.append(Condition("latency", ratio <= rule.latency if enough else None,
                                   f"{ratio:.2f} times as long, {rule.latency:g} at most"))  # fmt: skip
        verdict = self._evidence.verdict if self._evidence is not None else "not known yet"
        last = self.step == len(rule.steps) - 1
        told = self._judged >= rule.feedback
        found.append(Condition("feedback", False if verdict == "A better" else (True if told or not last else None),
                               f"{verdict_words(verdict, rule)}, {self._judged:,} judged"))  # fmt: skip
        return found

    def _move(self) -> None:
        """Go a step on, or back, where that is clear."""
        conditions = {one.name: one for one in self.conditions()}
        against = [one for name, one in conditions.items() if one.met is False and name not in ("requests", "time")]
        if against:
            self._turn("rolled back", "; ".join(f"{one.name}: {one.text}" for one in against))
        elif all(conditions[name].met for name in ("requests", "time", "errors", "feedback")):
            if self.step == len(self.rule.steps) - 1:
                self._turn("done", f"all conditions were met: {_rates(self.target, self.source)}")
                return
            self.step, self.since = self.step + 1, self._clock()
            self.target.asked = self.target.failed = 0
            self.why = ""
            text = f"{self.rule.steps[self.step]:g} % of the keys"
            self._tell(Change(self.since, "step", text, self.rule.target))

    def _turn(self, state: State, why: str) -> None:
        self.state, self.why, self.since = state, why, self._clock()
        self._tell(Change(self.since, state, why, self.rule.target))


def verdict_words(verdict: str, rule: RolloutRule) -> str:
    """Return a verdict with the names of the models."""
    return {"A better": f"{rule.source} is better", "B better": f"{rule.target} is better"}.get(verdict, verdict)


def _rates(target: _Side, source: _Side) -> str:
    return f"{target.failed:,} of {target.asked:,} failed, of the other's {source.failed:,} of {source.asked:,}"
