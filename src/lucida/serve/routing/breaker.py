"""A circuit breaker: a model that fails is left alone for a while, then tried with one image, then asked again.

Source: Nygard, "Release It!", 2007, chapter 5; the share of failures as in Hystrix.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

State = Literal["closed", "open", "half-open"]

REMEMBERED: Final = 1000  # calls within the window, at most


@dataclass(frozen=True)
class BreakerRule:
    """When a model is left alone.

    Attributes:
        failures: In the window, at least.
        share: Of the calls in the window that failed, at least.
        window: Seconds.
        pause: Seconds after which it is tried again.
    """

    failures: int = 5
    share: float = 0.5
    window: float = 30.0
    pause: float = 15.0


@dataclass(frozen=True)
class Pass:
    """Leave to make one call.

    Attributes:
        trial: Whether it is the only one, of a model that has failed.
        turn: Which closing of the breaker it belongs to.
    """

    trial: bool
    turn: int


class Breaker:
    """Counts how the calls of one model end; changed in the event loop alone, read in any thread.

    Args:
        rule: When it opens.
        hanging: Threads that may hang in the model; with as many it is not asked, not even as a trial.
        clock: Gives seconds.
        changed: Told of every change of the state, and why.
    """

    def __init__(
        self,
        rule: BreakerRule,
        hanging: int = 2,
        clock: Callable[[], float] = time.monotonic,
        changed: Callable[[State, str], None] = lambda state, why: None,
    ) -> None:
        self.rule, self.most, self.hung = rule, hanging, 0
        self.state: State = "closed"
        self._clock, self._changed = clock, changed
        self._calls: deque[tuple[float, bool]] = deque(maxlen=REMEMBERED)
        self._failures, self._opened, self._turn, self._trying = 0, 0.0, 0, False

    @property
    def failures(self) -> int:
        """Failures within the window."""
        self._forget()
        return self._failures

    @property
    def wait(self) -> float:
        """Seconds until the next trial; 0 where the model may be asked."""
        return max(0.0, self._opened + self.rule.pause - self._clock()) if self.state == "open" else 0.0

    def enter(self) -> Pass | None:
        """Ask for leave to call the model; whoever gets it must say how the call ended."""
        if self.state == "open" and not self.wait and self.hung < self.most:
            self._turn_to("half-open", "its time is over")
        if self.state == "closed":
            return Pass(False, self._turn)
        if self.state == "open" or self._trying:
            return None
        self._trying = True
        return Pass(True, self._turn)

    def holds(self, given: Pass) -> bool:
        """Say whether a leave still holds when the call's turn has come; in any thread."""
        return given.trial or (self.state == "closed" and given.turn == self._turn)

    def left(self, given: Pass) -> None:
        """Say that a call ended without telling anything of the model."""
        if given.trial:
            self._trying = False

    def succeeded(self, given: Pass) -> None:
        """Say that the model answered."""
        if given.trial:
            self._trying = False
            self._calls.clear()
            self._failures = 0
            self._turn += 1
            self._turn_to("closed", "a trial was answered")
        elif self.holds(given):
            self._note(True)

    def failed(self, given: Pass, why: str) -> None:
        """Say that the model failed, or took too long."""
        if given.trial:
            self._trying = False
            self._open(f"a trial failed: {why}")
        elif self.holds(given):
            self._note(False)
            enough = self._failures >= self.rule.failures and self._failures >= self.rule.share * len(self._calls)
            if enough or self.hung >= self.most:
                self._open(why)

    def _open(self, why: str) -> None:
        self._opened = self._clock()
        self._turn_to("open", why)

    def _turn_to(self, state: State, why: str) -> None:
        self.state = state
        self._changed(state, why)

    def _note(self, fine: bool) -> None:
        self._forget()
        if len(self._calls) == REMEMBERED:
            self._failures -= not self._calls[0][1]
        self._calls.append((self._clock(), fine))
        self._failures += not fine

    def _forget(self) -> None:
        since = self._clock() - self.rule.window
        while self._calls and self._calls[0][0] < since:
            self._failures -= not self._calls.popleft()[1]
