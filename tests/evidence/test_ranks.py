"""Bets on ranks: uniform whatever the law, fair odds, and a wealth that seldom reaches what it may."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

from lucida.errors import InputError
from lucida.evidence.ranks import SHIFTS, SPREADS, Ranks, Restarts, log_bets, share_of


@pytest.mark.parametrize("discrete", [False, True])
def test_ranks_are_uniform_and_independent_for_any_law(discrete: bool) -> None:
    generator = np.random.default_rng(3)
    values = generator.geometric(0.4, 1500) if discrete else generator.standard_cauchy(1500)
    ranks = Ranks(values[:300, None].astype(float), generator).add(values[300:, None].astype(float))[:, 0]
    assert stats.kstest(ranks, "uniform").pvalue > 0.01
    assert abs(stats.spearmanr(ranks[1:], ranks[:-1]).statistic) < 0.1


def test_ranks_are_those_that_counting_gives() -> None:
    generator = np.random.default_rng(0)
    reference, new = np.array([[1.0], [2.0], [3.0], [np.nan]]), np.array([[2.5], [0.0], [np.nan], [2.6]])
    ranks = Ranks(generator.permutation(reference), generator).add(new)[:, 0]
    # Among 3, then 4, then 5 numbers, with the part of the place that luck decides.
    assert np.floor(ranks[[0, 1, 3]] * [4, 5, 6]).tolist() == [2, 0, 4]
    assert np.isnan(ranks[2])


def test_blocks_and_single_rows_give_the_same_wealth_in_law_and_count() -> None:
    values = np.arange(40.0)[:, None]
    whole, single = Ranks(values, np.random.default_rng(1)), Ranks(values, np.random.default_rng(1))
    new = np.linspace(-5, 50, 30)[:, None]
    one = whole.add(new)
    other = np.concatenate([single.add(row[None]) for row in new])
    assert np.allclose(one, other)
    assert whole.sizes.tolist() == single.sizes.tolist() == [70]


def test_what_is_kept_is_bounded() -> None:
    ranks = Ranks(np.zeros((50, 2)), np.random.default_rng(0), most=100)
    for _ in range(10):
        ranks.add(np.ones((30, 2)))
        assert ranks.sizes.max() <= 100


@pytest.mark.parametrize("bet", range(len(SHIFTS) + len(SPREADS)))
def test_every_bet_is_fair(bet: int) -> None:
    total, _ = integrate.quad(lambda z: np.exp(log_bets(stats.norm.cdf(z))[bet]) * stats.norm.pdf(z), -8, 8)
    assert total == pytest.approx(1, abs=2e-3)


def test_the_shares_of_all_beginnings_sum_to_one() -> None:
    shares = [share_of(k) for k in range(1000)]
    assert sum(shares) == pytest.approx(1 - 1 / np.log(1000 + np.e))
    assert min(shares) > 0


def test_false_alarms_ever_are_at_most_the_level() -> None:
    level, runs, rows, generator = 0.3, 150, 400, np.random.default_rng(8)
    # Ranks are independent and uniform, so as many columns are as many runs.
    bets = Restarts(runs)
    evidence = bets.add(generator.random((rows, runs)))
    alarms = int((evidence >= -np.log(level)).any(axis=0).sum())
    assert stats.binomtest(alarms, runs, level, alternative="greater").pvalue > 0.001


def test_a_shift_is_found_and_where_it_began() -> None:
    generator = np.random.default_rng(2)
    ranks = generator.random((300, 1))
    ranks[200:] = stats.norm.cdf(stats.norm.ppf(ranks[200:]) + 1.5)
    bets = Restarts(1)
    evidence = bets.add(ranks)[:, 0] + np.log(0.01)
    assert evidence[:200].max() < 0
    assert 200 < np.argmax(evidence >= 0) < 240
    assert abs(int(bets.since[0, bets.best(0)]) - 200) < 15
    assert bets.names[bets.best(0)].startswith("shift +")


def test_a_state_goes_on_where_it_was_left() -> None:
    ranks = np.random.default_rng(4).random((60, 3))
    whole, first, second = Restarts(3), Restarts(3), Restarts(3)
    expected = whole.add(ranks)
    first.add(ranks[:30])
    second.restore(first.state())
    assert np.allclose(second.add(ranks[30:]), expected[30:])
    with pytest.raises(InputError, match="another reference"):
        Restarts(2).restore(first.state())


def test_nothing_to_compare_with_is_refused() -> None:
    with pytest.raises(InputError, match="nothing to compare"):
        Ranks(np.empty((0, 3)), np.random.default_rng(0))
