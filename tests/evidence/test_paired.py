"""The paired comparison: exact small cases, the closed form of the mixture, error rates under peeking, coverage."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import betaln

from lucida.errors import InputError
from lucida.evidence.paired import Pairs, Sample, compare, log_e_process, log_e_values, sum_interval, tally

VALUES = st.lists(st.sampled_from([-1, 0, 1]), max_size=40)


def urn(only_a: int, only_b: int, neither: int) -> np.ndarray:
    return np.repeat([-1, 1, 0], [only_a, only_b, neither])


def test_pairs_are_counted() -> None:
    pairs = tally([True, True, False, False, True], [True, False, True, False, False])
    assert pairs == Pairs(both=1, only_a=2, only_b=1, neither=1)
    assert (pairs.total, pairs.discordant) == (5, 3)
    assert pairs.to_json() == {"both": 1, "only_a": 2, "only_b": 1, "neither": 1}


def test_pairs_of_different_items_are_refused() -> None:
    with pytest.raises(InputError, match="same items"):
        tally([True], [True, False])


@given(st.lists(st.sampled_from([-1, 1]), min_size=1, max_size=120))
@settings(max_examples=60, deadline=None)
def test_independent_pairs_give_the_beta_binomial_mixture_martingale(values: list[int]) -> None:
    """Both directions together bet uniformly on the coin: 2^t B(a + 1, b + 1), Robbins' and Howard et al.'s mixture."""
    a, b = values.count(-1), values.count(1)
    sides = log_e_process([-v for v in values], 0.0)[-1], log_e_process(values, 0.0)[-1]
    expected = (a + b) * math.log(2) + float(betaln(a + 1, b + 1))
    assert np.logaddexp(*sides) - math.log(2) == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize(("only_a", "only_b", "neither"), [(2, 2, 1), (3, 2, 2), (4, 1, 1), (0, 3, 3), (3, 3, 0)])
def test_mean_e_value_is_at_most_one_at_every_time(only_a: int, only_b: int, neither: int) -> None:
    """Enumerate every order of a small set, for every sum that the null allows."""
    items = urn(only_a, only_b, neither)
    orders = np.array(sorted(set(itertools.permutations(items.tolist()))))
    truth = only_b - only_a
    for bound in (truth, truth + 1, len(items)):
        e = np.exp([log_e_process(order, bound, size=len(items)) for order in orders])
        assert np.isfinite(e).all()
        assert (e.mean(axis=0) <= 1 + 1e-9).all()


@given(VALUES, st.integers(0, 60), st.integers(-50, 50))
@settings(max_examples=200, deadline=None)
def test_a_larger_sum_is_never_refuted_more(values: list[int], more: int, bound: int) -> None:
    size = len(values) + more
    assert (log_e_process(values, bound + 1, size=size) <= log_e_process(values, bound, size=size) + 1e-9).all()


@given(VALUES, st.integers(0, 60))
@settings(max_examples=100, deadline=None)
def test_the_interval_mirrors_and_holds_what_is_certain(values: list[int], more: int) -> None:
    size, seen = len(values) + more, sum(values)
    low, high = sum_interval(values, size, 0.05)
    assert seen - more <= low <= high <= seen + more
    assert sum_interval([-v for v in values], size, 0.05) == (-high, -low)


def test_everything_looked_at_is_certain() -> None:
    assert sum_interval([1, -1, 1, 0], 4, 0.05) == (1, 1)
    assert compare(1, 0, 10).verdict == "B better"
    assert compare(0, 0, 10).verdict == "not known yet"


@pytest.mark.parametrize(("only_a", "only_b", "neither"), [(10, 10, 5), (50, 50, 20), (200, 200, 100), (200, 200, 0)])
def test_false_verdicts_under_peeking_stay_below_the_level(only_a: int, only_b: int, neither: int) -> None:
    """Looking after every answer: the two are equally good, and someone is called better in at most 5 %."""
    rng, items = np.random.default_rng(only_a), urn(only_a, only_b, neither)
    threshold, runs = math.log(2 / 0.05), 600
    false = sum(max(log_e_values(rng.permutation(items)[:300], size=len(items))) >= threshold for _ in range(runs))
    assert false / runs <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)


@pytest.mark.parametrize(("only_a", "only_b", "neither"), [(5, 20, 5), (100, 130, 70), (500, 550, 50), (10, 90, 900)])
def test_the_interval_covers_at_every_time_at_once(only_a: int, only_b: int, neither: int) -> None:
    """The interval is an intersection over all draws, so one look at its end is a look at every time."""
    rng, items = np.random.default_rng(only_b), urn(only_a, only_b, neither)
    missed, runs = 0, 300
    for _ in range(runs):
        low, high = sum_interval(rng.permutation(items)[:250], len(items), 0.05)
        missed += not low <= only_b - only_a <= high
    assert missed / runs <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)


def test_a_clear_winner_is_found_from_few_discordant_pairs() -> None:
    rng, items, needed = np.random.default_rng(3), urn(100, 400, 0), []
    for _ in range(200):
        e = log_e_process(rng.permutation(items), 0.0, size=500)
        needed.append(int(np.argmax(e >= math.log(40))) + 1)
    assert 10 <= np.median(needed) <= 45


def test_what_lies_outside_a_sample_is_never_assumed() -> None:
    """B is far better in the set that was drawn from; as many images outside of it may all speak for A."""
    drawn = Sample(np.ones(40, np.int64), size=50, outside=0, unknown=50, share=1.0)
    assert compare(40, 60, 1000, [drawn]).verdict == "not known yet"
    fewer = Sample(np.ones(40, np.int64), size=50, outside=0, unknown=10, share=1.0)
    found = compare(40, 20, 1000, [fewer])
    assert found.verdict == "B better"
    assert found.low > 0.02
    assert found.for_b > 20 > found.for_a


def test_evidence_is_that_of_the_interval() -> None:
    values = np.array([1] * 12 + [-1] * 2)
    sample = Sample(values, size=100, outside=0, unknown=0, share=0.5)
    strong = compare(10, 86, 500, [sample], confidence=0.9)
    assert (strong.for_b >= 2 / 0.1) == (strong.verdict == "B better")


@pytest.mark.parametrize("confidence", [0.0, 1.0, -1.0])
def test_a_confidence_out_of_range_is_refused(confidence: float) -> None:
    with pytest.raises(InputError, match="cannot be compared"):
        compare(0, 1, 10, confidence=confidence)


def test_more_draws_than_items_are_refused() -> None:
    with pytest.raises(InputError, match="do not fit"):
        sum_interval([1, 1, 1], 2, 0.05)
    with pytest.raises(InputError, match="do not fit"):
        log_e_process([2], 0.0)
