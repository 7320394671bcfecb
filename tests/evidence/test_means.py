"""Bounds on means by betting: supermartingales by enumeration, coverage, what they refuse."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.special import betainc, betaln

from lucida.errors import InputError
from lucida.evidence.means import log_e_process, lower_mean, upper_mean

POPULATIONS = [
    (0.0, 0.0, 0.0, 1.0),
    (0.1, 0.9, 0.5),
    (0.3, 0.3, 0.3, 0.3),
    (0.0, 0.0, 0.2, 0.0, 1.0),
    (1.0, 1.0, 1.0, 0.5),
    (0.0, 0.1, 0.1, 0.4, 0.7, 1.0),
]


@pytest.mark.parametrize("population", POPULATIONS, ids=str)
@pytest.mark.parametrize("below", [0.0, 0.07, 0.3])
def test_the_wealth_is_a_supermartingale_by_enumeration(population: tuple[float, ...], below: float) -> None:
    # A null that is true: the mean is what it claims, or larger.
    size, claimed = len(population), max(sum(population) / len(population) - below, 0.0)
    paths = np.array([
        np.exp(log_e_process(order, claimed, size=size)) for order in itertools.permutations(population)
    ])  # fmt: skip
    assert (paths.mean(axis=0) <= 1 + 1e-9).all()
    for drawn in range(1, size):  # from every beginning on, too
        beginnings: dict[tuple[float, ...], list[tuple[float, float]]] = {}
        for order, path in zip(itertools.permutations(population), paths, strict=True):
            beginnings.setdefault(order[:drawn], []).append((path[drawn - 1], path[drawn]))
        for steps in beginnings.values():
            before, after = np.array(steps).T
            assert after.mean() <= before[0] * (1 + 1e-9)


def test_coin_tosses_give_the_incomplete_beta_function() -> None:
    # With values 0 and 1 and a uniform fraction, the mixture is one over coins of chance p in [0, mean].
    mean, tosses = 0.3, np.array([0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0.0])
    t, k = np.arange(1, 13), np.cumsum(tosses)
    uniform = np.log(betainc(k + 1, t - k + 1, mean)) + betaln(k + 1, t - k + 1) - math.log(mean)
    all_in = np.where(k == 0, -t * math.log(1 - mean), -np.inf)
    known = np.logaddexp(
        math.log(0.8) + uniform - k * math.log(mean) - (t - k) * math.log(1 - mean), math.log(0.2) + all_in
    )
    assert log_e_process(tosses, mean) == pytest.approx(known, abs=1e-9)


def test_it_never_falls_as_the_mean_grows() -> None:
    draws = np.random.default_rng(0).beta(0.3, 3, 60)
    paths = np.array([log_e_process(draws, mean, size=80) for mean in np.linspace(0, 1, 60)])
    assert (np.diff(paths[np.isfinite(paths).all(axis=1)], axis=0) >= -1e-9).all()


@pytest.mark.parametrize("shape", ["rare", "clustered", "even"])
def test_the_bounds_hold_at_all_times_at_once(shape: str) -> None:
    rng = np.random.default_rng(sum(map(ord, shape)))
    size, level, late = 120, 0.1, 0
    for _ in range(300):
        values = {
            "rare": (rng.random(size) < 0.05) * 0.3,
            "clustered": (rng.random(size) < 0.03) * 1.0,
            "even": rng.random(size),
        }[shape]
        truth = values.mean()
        # One look at the wealth at the truth is what all bounds at all times come from.
        late += bool(log_e_process(rng.permutation(values), truth, size=size).max() >= -math.log(level))
    assert late / 300 <= level + 3 * math.sqrt(level * (1 - level) / 300)


def test_the_bound_shrinks_and_ends_at_the_mean() -> None:
    rng = np.random.default_rng(3)
    values = rng.permutation(np.r_[np.zeros(70), rng.random(10)])
    bounds = [upper_mean(values[:t], level=0.05, size=80) for t in range(0, 81, 8)]
    assert bounds[0] == 1.0
    assert all(b <= a + 1e-9 for a, b in itertools.pairwise(bounds))
    assert bounds[-1] == pytest.approx(values.mean(), abs=1e-9)
    assert lower_mean(values[:40], level=0.05, size=80) <= values.mean() <= bounds[5]


def test_nothing_seen_costs_little_more_than_the_rule_of_three() -> None:
    needed = next(t for t in range(1, 200) if upper_mean(np.zeros(t), level=0.05) <= 0.05)
    assert 59 <= needed <= 95


@pytest.mark.parametrize("values", [[0.1, math.nan], [1.01], [-0.01], [math.inf]])
def test_values_out_of_range_are_refused(values: list[float]) -> None:
    with pytest.raises(InputError):
        upper_mean(values, level=0.05)


def test_other_nonsense_is_refused() -> None:
    with pytest.raises(InputError, match="more draws"):
        upper_mean([0.1, 0.2], level=0.05, size=1)
    with pytest.raises(InputError, match="level"):
        upper_mean([0.1], level=0.0)
    with pytest.raises(InputError, match="mean"):
        log_e_process([0.1], math.nan)
