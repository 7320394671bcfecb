"""Which arm is better: against the paired process, by simulation, and matched whoever was right."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lucida.errors import InputError
from lucida.evidence import paired
from lucida.evidence.arms import Difference, Matcher, bound_difference, count, log_e_process, match


def test_the_bets_are_those_of_the_paired_process() -> None:
    values = np.random.default_rng(0).choice([-1, 0, 1], 300, p=[0.1, 0.6, 0.3])
    for bound in (-0.3, 0.0, 0.2):
        assert np.allclose(log_e_process(values, bound), paired.log_e_process(values, bound), atol=1e-9)
    found = bound_difference(count(values.tolist()))
    assert math.log(found.for_b) == pytest.approx(paired.log_e_process(values, 0.0)[-1])
    assert math.log(found.for_a) == pytest.approx(paired.log_e_process(-values, 0.0)[-1])
    # What is refuted is refuted by the process of paired as well.
    assert paired.log_e_process(values, found.low)[-1] >= math.log(40)
    assert paired.log_e_process(values, found.low + 2e-4)[-1] < math.log(40)


def test_the_verdict_follows_the_interval() -> None:
    assert bound_difference({}).verdict == "not known yet"
    assert bound_difference({1.0: 30, -1.0: 2, 0.0: 100}).verdict == "B better"
    assert bound_difference({1.0: 2, -1.0: 30, 0.0: 100}).verdict == "A better"
    assert bound_difference({1.0: 9, -1.0: 8}).verdict == "not known yet"
    certain = bound_difference({1.0: 10_000})
    assert 0.99 < certain.low <= certain.high == 1.0


def test_what_is_not_known_exactly_counts_for_neither() -> None:
    least, most = {-1.0: 20, 0.0: 5}, {0.0: 20, 1.0: 5}
    found = bound_difference(least, most=most)
    assert found.verdict == "not known yet"
    assert found.low <= bound_difference(least).low
    assert found.high >= bound_difference(most).high


def test_two_kinds_of_evidence_share_the_chance_to_be_wrong() -> None:
    one, other = Difference(-0.1, 0.4, 1, 9, 0.975), Difference(0.05, 0.9, 3, 5, 0.975)
    both = one.and_also(other)
    assert (both.low, both.high, both.for_a, both.for_b) == (0.05, 0.4, 2, 7)
    assert both.confidence == pytest.approx(0.95)
    assert one.and_also(Difference(0.5, 0.9, 1, 99, 0.975)).verdict == "not known yet"


def test_items_are_matched_whoever_was_right() -> None:
    assert match([(0, 1.0), (1, 0.0), (1, 1.0), (0, 1.0)]) == [-1.0, 0.0]
    # Nine of A come for one of B: soon one of B is matched with as many of A.
    rng = np.random.default_rng(1)
    arms = [int(rng.random() < 0.1) for _ in range(2000)]
    found = match((arm, 1.0 if arm else float(rng.random() < 0.5)) for arm in arms)  # type: ignore[misc]
    assert len(found) > 0.7 * sum(arms)
    assert np.var(found[10:]) < 0.05  # a pair has 0.25
    matcher = Matcher()
    assert [matcher.add(0, 1.0) for _ in range(500)] == [None] * 500
    assert matcher.add(1, 0.0) == -1.0  # against twenty of A


def test_a_drift_that_both_arms_share_is_no_difference() -> None:
    # A begins with easy items, B's weight grows as they become hard: the shares of right answers differ a lot.
    rng, wrong = np.random.default_rng(2), 0
    for _ in range(20):
        share = np.linspace(0.05, 0.9, 1500)
        arms = (rng.random(1500) < share).astype(int)
        right = rng.random(1500) < np.linspace(0.95, 0.4, 1500)
        assert right[arms == 0].mean() - right[arms == 1].mean() > 0.1
        wrong += bound_difference(count(match(zip(arms.tolist(), right, strict=True)))).verdict != "not known yet"
    assert wrong <= 1


def test_equal_arms_are_rarely_told_apart_at_any_time() -> None:
    rng, wrong, found = np.random.default_rng(3), 0, 0
    for _ in range(50):
        values = match(zip((rng.random(600) < 0.5).astype(int).tolist(), rng.random(600) < 0.8, strict=True))
        wrong += max(log_e_process(side * np.array(values), 0.0).max() for side in (1, -1)) >= math.log(40)
        better = rng.random(600) < np.where(arms := rng.random(600) < 0.5, 0.95, 0.7)
        found += (
            bound_difference(count(match(zip(arms.astype(int).tolist(), better, strict=True)))).verdict == "B better"
        )
    assert wrong <= 6  # 2.5 expected at most
    assert found >= 45


@pytest.mark.parametrize("call", [lambda: log_e_process([2.0], 0.0), lambda: bound_difference({math.nan: 1}),
                                  lambda: bound_difference({}, confidence=1.0)])  # fmt: skip
def test_what_is_out_of_range_is_refused(call: object) -> None:
    with pytest.raises(InputError):
        call()  # type: ignore[operator]
