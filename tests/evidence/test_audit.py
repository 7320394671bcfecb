"""How much of all that was answered is right, by coins: valid at all times, and worth its answers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from lucida.errors import InputError
from lucida.evidence.audit import log_e_value, most_errors, share_of_judged, share_right


def test_the_e_value_is_fair_over_all_coins() -> None:
    total, errors, rate = 12, 5, 0.3
    mean = sum(
        stats.binom.pmf(k, errors, rate)
        * stats.binom.pmf(c, total - errors, rate)
        * np.exp(log_e_value(errors, total, rate, drawn_errors=k, drawn_right=c))
        for k in range(errors + 1)
        for c in range(total - errors + 1)
    )
    assert mean == pytest.approx(1)


def test_the_bound_holds_at_all_times_whatever_the_order_of_errors() -> None:
    runs, level, missed = 120, 0.2, 0
    # The worst that can be thought of: all errors come in one burst.
    wrong = np.zeros(900, bool)
    wrong[300:420] = True
    for seed in range(runs):
        drawn = np.random.default_rng(seed).random(900) < 0.1
        for t in range(60, 901, 60):
            k, c = int((drawn & wrong)[:t].sum()), int((drawn & ~wrong)[:t].sum())
            if most_errors(t, 0.1, wrong=k, right=c, level=level) < wrong[:t].sum():
                missed += 1
                break
    assert stats.binomtest(missed, runs, level, alternative="greater").pvalue > 0.001


def test_a_day_of_requests_gives_a_useful_bound() -> None:
    found = share_right(30_000, 0.01, wrong=9, right=291)
    assert found.low > 0.92
    assert 0.97 < found.high < 1.0
    # What all were asked is known, and what nobody looked at counts as the worst.
    assert share_right(100, 1.0, wrong=7, right=93) == pytest.approx((0.93, 0.93))
    assert share_right(30_000, 0.01, wrong=9, right=201, unanswered=90).low < 0.75
    assert share_right(0, 0.1, wrong=0, right=0) == (0.0, 1.0)


def test_no_error_in_three_hundred_is_the_rule_of_three_and_a_bit() -> None:
    assert 3.0 / 300 < most_errors(30_000, 0.01, wrong=0, right=300, level=0.05) / 30_000 < 6.0 / 300


def test_both_ends_are_mirrored() -> None:
    one, other = share_right(5000, 0.05, wrong=60, right=190), share_right(5000, 0.05, wrong=190, right=60)
    assert one.low == pytest.approx(1 - other.high)
    assert one.low < 0.76 < one.high


def test_a_part_that_is_judged_in_an_order_by_chance_suffices() -> None:
    generator, total, rate = np.random.default_rng(1), 20_000, 0.02
    missed = 0
    for _ in range(40):
        wrong = generator.random(total) < 0.1
        drawn = np.flatnonzero(generator.random(total) < rate)
        priority = generator.random(len(drawn))
        said = ["" if p > 0.3 else "wrong" if wrong[row] else "right" for p, row in zip(priority, drawn, strict=True)]
        low, high = share_of_judged(total, rate, list(zip(priority.tolist(), said, strict=True)), level=0.2)
        missed += not low <= 1 - wrong.mean() <= high
        assert 0.55 < low < high
    assert stats.binomtest(missed, 40, 0.2, alternative="greater").pvalue > 0.001


@pytest.mark.parametrize("counts", [(5, 0.1, 4, 4), (100, 0.0, 1, 1), (100, 1.5, 1, 1), (100, 0.1, -1, 1)])
def test_what_is_no_sample_is_refused(counts: tuple[int, float, int, int]) -> None:
    total, rate, wrong, right = counts
    with pytest.raises(InputError, match="sample"):
        most_errors(total, rate, wrong=wrong, right=right, level=0.05)
