"""What is asked next. None of this can hurt the guarantee; these tests hold what it costs."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import rel_entr

from lucida.evidence.finite import Mixture
from lucida.evidence.nested import Epoch
from lucida.evidence.steering import Earlier, answers_needed, make_plan, relative_entropy


def three_rungs(wrong: int = 0, read: int = 0) -> Epoch:
    n = 3000
    epoch = Epoch(
        np.arange(n),
        np.tile(np.arange(3), n // 3),
        np.array([0.15, 0.45, 0.4]),
        items=n,
        level=0.05,
        max_error=0.05,
        mixture=Mixture.below(0.05),
    )
    epoch.record_many({i: i < wrong for i in range(read)})
    return epoch


NOTHING = Earlier(np.full(3, 20.0), np.full(3, 0.25))


def test_relative_entropy_agrees_with_scipy() -> None:
    p, q = np.array([0.001, 0.02, 0.3, 0.9]), np.array([0.05, 0.05, 0.2, 0.5])
    np.testing.assert_allclose(relative_entropy(p, q), rel_entr(p, q) + rel_entr(1 - p, 1 - q))
    assert np.isfinite(relative_entropy(np.array([0.0, 1.0]), np.array([0.1, 0.1]))).all()


def test_the_largest_set_is_aimed_at_while_nothing_speaks_against_it() -> None:
    plan = make_plan(three_rungs(), NOTHING, kept=0, room=3000, worth=1.0)
    assert plan is not None
    assert plan.aim == 3000
    assert plan.rung == 2
    assert 50 < plan.cost < 500
    assert plan.value == pytest.approx(3000 - plan.cost)


@pytest.mark.parametrize("arguments", [{"worth": 0.0}, {"room": 3}, {"kept": 3000}])
def test_nothing_is_planned_that_is_not_worth_it(arguments: dict[str, float]) -> None:
    usual: dict[str, float] = {"kept": 0, "room": 3000, "worth": 1.0}
    assert make_plan(three_rungs(), NOTHING, **(usual | arguments)) is None  # type: ignore[arg-type]


def test_nothing_is_planned_when_the_errors_leave_no_hope() -> None:
    assert make_plan(three_rungs(wrong=60, read=150), NOTHING, kept=0, room=3000, worth=0.5) is None


def test_answers_needed_agree_with_a_plain_loop() -> None:
    rng = np.random.default_rng(0)
    epoch, entry = three_rungs(read=40), 1
    depth = rng.random(3) * 0.3
    for target in range(entry, 3):
        needed = 0.0
        for stratum in range(target + 1):
            deepest = max(depth[max(stratum, entry) : target + 1])
            needed += max(deepest * epoch.stratum_size[stratum] - epoch.stratum_answered[stratum], 0)
        assert answers_needed(epoch, entry, depth)[target] == pytest.approx(needed)
