"""When a model is left alone, and when it is asked again; with a clock that a test turns."""

from __future__ import annotations

from lucida.serve.routing.breaker import Breaker, BreakerRule, Pass


class Played:
    """A breaker whose clock is turned by hand."""

    def __init__(self, **rule: float) -> None:
        self.now, self.changes = 0.0, list[str]()
        made = BreakerRule(failures=3, window=10, pause=5, **rule)  # type: ignore[arg-type]
        self.breaker = Breaker(made, 2, lambda: self.now, lambda state, why: self.changes.append(state))

    def call(self, fine: bool) -> bool:
        """Call the model, and say whether it was allowed."""
        given = self.breaker.enter()
        if given is not None:
            self.breaker.succeeded(given) if fine else self.breaker.failed(given, "broken")
        return given is not None


def test_it_opens_after_failures_is_tried_and_closes() -> None:
    played = Played()
    assert [played.call(False) for _ in range(5)] == [True, True, True, False, False]
    assert played.breaker.state == "open"
    played.now = 4.9
    assert not played.call(True)
    assert round(played.breaker.wait, 3) == 0.1
    played.now = 5.0
    trial = played.breaker.enter()
    assert trial is not None
    assert trial.trial
    assert played.breaker.enter() is None  # one at a time
    played.breaker.failed(trial, "still broken")
    assert not played.call(True)
    played.now = 10.0
    assert played.call(True)
    assert played.breaker.state == "closed"
    assert [played.call(False) for _ in range(3)] == [True] * 3  # it has forgotten what was before
    assert played.changes == ["open", "half-open", "open", "half-open", "closed", "open"]


def test_failures_that_are_old_or_rare_do_not_count() -> None:
    played = Played()
    for _ in range(10):
        played.call(False)
        played.now += 6
    assert played.breaker.state == "closed"
    often = Played()
    for number in range(100):
        often.call(number % 3 != 0)  # a third fails
    assert often.breaker.state == "closed"
    assert often.breaker.failures == 34


def test_what_says_nothing_of_the_model_counts_for_neither() -> None:
    played = Played()
    for _ in range(10):
        played.breaker.left(played.breaker.enter() or Pass(False, 0))
    assert played.breaker.failures == 0
    for _ in range(3):
        played.call(False)
    played.now = 5
    trial = played.breaker.enter()
    assert trial is not None
    played.breaker.left(trial)  # its client went away
    assert played.call(True)


def test_calls_from_before_it_opened_do_not_close_it() -> None:
    played = Played()
    early = played.breaker.enter()
    assert early is not None
    for _ in range(3):
        played.call(False)
    assert not played.breaker.holds(early)
    played.breaker.succeeded(early)
    assert played.breaker.state == "open"


def test_as_many_as_may_hang_open_it_and_it_is_not_tried() -> None:
    played = Played()
    for _ in range(2):
        given = played.breaker.enter()
        assert given is not None
        played.breaker.hung += 1
        played.breaker.failed(given, "hangs")
    assert played.breaker.state == "open"
    played.now = 100
    assert not played.call(True)
    played.breaker.hung -= 1
    assert played.call(True)
