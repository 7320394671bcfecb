"""A roll-out goes on while the new model is no worse, and back as soon as it is; with a clock that a test turns."""

from __future__ import annotations

import json

import pytest

from lucida.evidence.arms import Difference
from lucida.serve.routing.rollout import Change, Rollout, RolloutRule

RULE = RolloutRule("old", "new", requests=50, seconds=60)


class Played:
    """A roll-out, its clock, and what it tells."""

    def __init__(self, rule: RolloutRule = RULE) -> None:
        self.now, self.told = 1000.0, list[Change]()
        self.rollout = Rollout(rule, lambda: self.now, self.told.append)

    def see(self, count: int, *, fails: int = 0, seconds: float = 0.1, old: float = 0.1) -> None:
        """Have each of the two answer so many images; of the new model, so many of them fail."""
        for number in range(count):
            self.rollout.saw("old", True, old)
            self.rollout.saw("new", number >= fails, seconds)

    @property
    def whats(self) -> list[str]:
        return [change.what for change in self.told]


def test_it_goes_to_the_end_step_by_step() -> None:
    played, shares = Played(), list[float]()
    for _ in range(4):
        shares.append(played.rollout.share)
        played.see(49)
        assert played.rollout.share == shares[-1]  # too few
        played.see(10)
        assert played.rollout.share == shares[-1]  # too soon
        played.now += 60
        played.see(1)
    assert shares == [0.01, 0.05, 0.25, 1.0]
    assert (played.rollout.state, played.rollout.share) == ("done", 1.0)
    assert played.whats == ["step", "step", "step", "done"]


@pytest.mark.parametrize(
    ("see", "why"),
    [({"fails": 3}, "errors"), ({"seconds": 0.2}, "latency: 2.00 times")],
)
def test_it_goes_back_where_the_new_one_is_worse(see: dict[str, float], why: str) -> None:
    played = Played()
    played.now += 60
    played.see(50, **see)  # type: ignore[arg-type]
    assert (played.rollout.state, played.rollout.share) == ("rolled back", 0.0)
    assert why in played.rollout.why
    assert why in played.told[-1].why
    played.see(500)
    assert played.rollout.state == "rolled back"


def test_many_errors_are_not_waited_for() -> None:
    played = Played()
    played.see(12, fails=12)
    assert played.rollout.state == "rolled back"
    assert "fails more often" in played.rollout.why


def test_errors_that_both_have_are_no_reason() -> None:
    played = Played()
    for number in range(200):
        for name in ("old", "new"):
            played.rollout.saw(name, number % 4 > 0, 0.1)
    played.now += 60
    played.see(1)
    assert played.rollout.step == 1


def test_feedback_speaks_against_it_at_any_time_and_is_waited_for_before_the_end() -> None:
    played = Played(RolloutRule("old", "new", (50, 100), requests=10, feedback=5))
    played.rollout.judge(Difference(-0.5, 0.3, 3, 1, 0.95), 3)
    played.see(10)
    assert played.rollout.step == 1
    played.see(30)
    assert played.rollout.state == "running"  # three have judged
    played.rollout.judge(Difference(-0.1, 0.3, 3, 1, 0.95), 5)
    assert played.rollout.state == "done"
    other = Played()
    other.rollout.judge(Difference(-0.5, -0.1, 900, 0.1, 0.95), 40)
    assert other.rollout.state == "rolled back"
    assert "old is better" in other.rollout.why


def test_it_goes_on_where_it_was_after_a_restart() -> None:
    played = Played()
    played.now += 60
    played.see(50)
    played.see(20, fails=1)
    kept = json.loads(json.dumps(played.rollout.body()))
    again = Played()
    again.rollout.go_on(kept)
    assert (again.rollout.share, again.rollout.since) == (0.05, 1060.0)
    assert [one.text for one in again.rollout.conditions()[:1]] == ["20 of 50"]
    again.now = 1200
    again.see(29)
    assert again.rollout.step == 1
    again.see(31)
    # One of 50 failed: with the errors of before the restart it is too many.
    assert again.rollout.state == "rolled back"
