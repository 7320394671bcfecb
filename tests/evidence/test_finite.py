"""The test of one set: exact probabilities, e-values, nulls, intervals."""

from __future__ import annotations

import itertools
import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import betaln, gammaln
from scipy.stats import binom, binomtest, hypergeom

from lucida.errors import InputError
from lucida.evidence.finite import (
    Mixture,
    SetTests,
    clopper_pearson,
    is_least_favourable,
    log_draw_probability,
    log_e_value,
    most_wrong,
    most_wrong_seen,
    null_count,
)


def log_choose(n: int, k: int) -> float:
    return float(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1))


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_draw_probability_is_the_hypergeometric_up_to_the_number_of_orders(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 5000))
    d, t = data.draw(st.integers(0, n)), data.draw(st.integers(0, n))
    k = data.draw(st.integers(max(0, t - (n - d)), min(d, t)))
    expected = hypergeom(n, d, t).logpmf(k) - log_choose(t, k)
    assert float(log_draw_probability(d, n, t, k)) == pytest.approx(expected, rel=1e-7, abs=1e-7)


def test_draw_probability_of_something_impossible_is_zero() -> None:
    assert log_draw_probability([1, 0, 9], 10, [3, 1, 3], [2, 1, 0]).tolist() == [-math.inf] * 3


def test_draw_probability_stays_finite_for_a_million() -> None:
    t, k = np.array([1, 1000, 500_000, 999_999]), np.array([0, 20, 10_000, 20_000])
    value = log_draw_probability(20_001, 1_000_000, t, k)
    assert np.isfinite(value).all()
    assert (value < 0).all()


def test_draw_probability_for_a_million_agrees_with_sums_of_logarithms() -> None:
    n, d, t, k = 1_000_000, 20_001, 600, 9
    factors = [np.log(np.arange(d - k + 1, d + 1)), np.log(np.arange(n - d - (t - k) + 1, n - d + 1))]
    expected = sum(f.sum() for f in factors) - np.log(np.arange(n - t + 1, n + 1)).sum()
    assert float(log_draw_probability(d, n, t, k)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("rate", [0.001, 0.01, 0.05, 0.2, 0.5])
def test_mixture_is_a_probability_over_sequences(rate: float) -> None:
    mixture = Mixture.below(rate)
    assert mixture.no_error + sum(weight for weight, _, _ in mixture.betas) == pytest.approx(1)
    for t in (0, 1, 7, 60):
        k = np.arange(t + 1)
        total = sum(math.exp(log_choose(t, int(i)) + float(mixture.log_probability(t, i))) for i in k)
        assert total == pytest.approx(1)


def test_mixture_agrees_with_its_definition() -> None:
    mixture, t, k = Mixture.below(0.02), 137, 3
    direct = sum(w * math.exp(float(betaln(a + k, b + t - k)) - float(betaln(a, b))) for w, a, b in mixture.betas)
    assert float(mixture.log_probability(t, k)) == pytest.approx(math.log(direct), rel=1e-9)


@pytest.mark.parametrize(("n", "rate"), [(1, 0.1), (5, 0.3), (12, 0.1), (20, 0.25), (30, 0.1), (30, 0.4)])
def test_mean_e_value_at_the_truth_is_at_most_one_at_every_time(n: int, rate: float) -> None:
    """Enumerate: E[M_t(D)] = sum over k of P(k) Q / P <= 1 for every number D of wrong items."""
    mixture = Mixture.below(rate)
    for d in range(n + 1):
        for t in range(n + 1):
            k = np.arange(max(0, t - (n - d)), min(d, t) + 1)
            chance = hypergeom(n, d, t).pmf(k)
            ratio = np.exp(mixture.log_probability(t, k) - log_draw_probability(d, n, t, k))
            assert (chance * ratio).sum() <= 1 + 1e-9


@pytest.mark.parametrize(("n", "null"), [(8, 2), (20, 3), (30, 1), (30, 9)])
def test_supermartingale_step_by_step(n: int, null: int) -> None:
    """Enumerate: from every state, the mean of the next M(D) is at most the present one."""
    mixture = Mixture.below(0.1)

    def m(t: int, k: int) -> float:
        return math.exp(float(mixture.log_probability(t, k) - log_draw_probability(null, n, t, k)))

    for t in range(n):
        for k in range(max(0, t - (n - null)), min(null, t) + 1):
            wrong = (null - k) / (n - t)
            steps = [(p, k + e) for p, e in ((wrong, 1), (1 - wrong, 0)) if p > 0]
            assert sum(p * m(t + 1, after) for p, after in steps) <= m(t, k) * (1 + 1e-9)


@given(st.integers(2, 60), st.data())
@settings(max_examples=150, deadline=None)
def test_where_the_null_is_least_favourable_more_wrong_items_only_make_it_less_likely(
    n: int, data: st.DataObject
) -> None:
    c, t = data.draw(st.integers(0, n)), data.draw(st.integers(1, n))
    k = data.draw(st.integers(0, min(t, n)))
    if is_least_favourable(c, n, t, k):
        p = log_draw_probability(np.arange(c, n + 1), n, t, k)
        assert all(b <= a + 1e-9 for a, b in pairwise(p.tolist()) if a > -math.inf or b > -math.inf)


@given(st.integers(20, 3000), st.floats(0.005, 0.3), st.data())
@settings(max_examples=200, deadline=None)
def test_one_more_error_never_makes_the_evidence_stronger(n: int, rate: float, data: st.DataObject) -> None:
    c = null_count(rate, n)
    t = data.draw(st.integers(1, n - 1))
    k = data.draw(st.integers(0, min(t - 1, c)))
    mixture = Mixture.below(rate)
    assert log_e_value(c, n, t, k + 1, mixture) <= log_e_value(c, n, t, k, mixture) + 1e-9


def test_several_sets_at_once_agree_with_one_by_one() -> None:
    size, mixture = np.array([50, 200, 1000, 100_000]), Mixture.below(0.02)
    null = np.array([null_count(0.02, int(n)) for n in size])
    tests, rng = SetTests(null, size, mixture), np.random.default_rng(0)
    for _ in range(50):
        t = rng.integers(1, size + 1)
        k = rng.integers(0, np.minimum(t, null + 3) + 1)
        _, counted = tests.log_ratio(t[1:], k[1:], slice(1, 4))
        one = [float(log_e_value(*map(int, row), mixture)) for row in zip(null, size, t, k, strict=True)]
        np.testing.assert_allclose(counted, one[1:], rtol=1e-9, atol=1e-7)


@pytest.mark.parametrize(
    ("rate", "n", "expected"), [(0.07, 300, 21), (0.29, 100, 29), (0.05, 0, 0), (0.05, 19, 0), (0.1, 10, 1)]
)
def test_the_promise_does_not_hang_on_the_last_bit(rate: float, n: int, expected: int) -> None:
    assert most_wrong(rate, n) == expected
    assert null_count(rate, n) == expected + 1


@pytest.mark.parametrize("missed", [0.05, 0.1, 0.3])
def test_null_for_a_reviewer_who_misses_errors(missed: float) -> None:
    """When the promise is broken, fewer than the null are called wrong with probability at most the level."""
    for n in (200, 1000, 10_000):
        broken, level = most_wrong(0.02, n) + 1, 0.005
        null = null_count(0.02, n, missed=missed, level=level)
        assert null <= broken
        for d in (broken, broken + 1, 2 * broken):
            assert binom.cdf(null - 1, d, 1 - missed) <= level


@pytest.mark.parametrize(("errors", "drawn"), [(0, 10), (1, 10), (5, 400), (10, 10), (399, 400)])
def test_clopper_pearson_agrees_with_scipy(errors: int, drawn: int) -> None:
    reference = binomtest(errors, drawn).proportion_ci(0.95, "exact")
    assert clopper_pearson(errors, drawn) == pytest.approx((reference.low, reference.high))


def test_clopper_pearson_without_a_draw_knows_nothing() -> None:
    assert clopper_pearson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize("arguments", [(3, 2), (-1, 5), (0, 5, 1.0), (0, 5, 0.0)])
def test_clopper_pearson_refuses_what_does_not_fit(arguments: tuple[float, ...]) -> None:
    with pytest.raises(InputError):
        clopper_pearson(*arguments)  # type: ignore[arg-type]


def test_how_many_are_wrong_at_most_holds_by_enumeration() -> None:
    # Of all orders of all small populations, the bound is ever below the truth in at most `level`.
    level, mixture = 0.2, Mixture.below(0.2)
    for size, wrong in [(6, 1), (7, 3), (8, 2), (8, 8), (5, 0)]:
        orders = [[i in chosen for i in range(size)] for chosen in itertools.combinations(range(size), wrong)]
        bounds = [[most_wrong_seen(o[:t], size, level=level, mixture=mixture) for t in range(size + 1)] for o in orders]
        assert sum(min(row) < wrong for row in bounds) / len(orders) <= level
        assert all(row[0] == size and row[-1] == wrong for row in bounds)
        held = [row for row in bounds if min(row) >= wrong]
        assert all(b <= a for row in held for a, b in itertools.pairwise(row))


def test_how_many_are_wrong_at_most_is_what_no_moment_refutes() -> None:
    rng = np.random.default_rng(5)
    size, level, mixture = 120, 0.05, Mixture.below(0.1)
    draws = rng.permutation(np.arange(size) < 5)[:50].tolist()
    left = set(range(size + 1))
    for t in range(1, len(draws) + 1):
        k = sum(draws[:t])
        left -= {d for d in left if log_e_value(d, size, t, k, mixture) >= -np.log(level)}
    assert most_wrong_seen(draws, size, level=level, mixture=mixture) == max(left)
