"""Evidence of nested sets: prefixes, running suprema, the fallback chain, and the guarantee itself."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lucida.evidence.finite import Mixture, log_e_value, most_wrong
from lucida.evidence.nested import Epoch

LEVEL = 0.05


def make_epoch(
    n: int, rungs: int, rng: np.random.Generator, *, max_error: float = 0.1, level: float = LEVEL, missed: float = 0.0
) -> Epoch:
    """Make an epoch over items 0..n-1 with random strata and weights; some item numbers are left out."""
    order = rng.permutation(n + 5)[:n]
    stratum = rng.integers(0, rungs, n)
    weights = rng.dirichlet(np.ones(rungs)) * (rng.random(rungs) < 0.6)
    return Epoch(
        order,
        stratum,
        weights,
        items=n + 5,
        level=level,
        max_error=max_error,
        mixture=Mixture.below(max_error),
        missed=missed,
    )


def by_definition(
    epoch: Epoch, verdicts: dict[int, bool], max_error: float
) -> tuple[list[int], list[int], list[float]]:
    """Compute t, k and the supremum of each rung straight from the definition."""
    mixture, drawn, errors, best = Mixture.below(max_error), [], [], []
    for rung in range(epoch.rungs):
        t = k = 0
        highest = -math.inf
        for item in epoch.members(rung).tolist():
            if item not in verdicts:
                break
            t, k = t + 1, k + verdicts[item]
            highest = max(highest, float(log_e_value(epoch.null[rung], epoch.size[rung], t, k, mixture)))
        drawn.append(t)
        errors.append(k)
        best.append(highest)
    return drawn, errors, best


def assert_same_evidence(best: np.ndarray, expected: list[float]) -> None:
    # Before anything counts as evidence, 0 (M = 1) and -inf mean the same: no threshold is below 0.
    np.testing.assert_allclose(np.maximum(best, 0), np.maximum(expected, 0), atol=1e-7)


@pytest.mark.parametrize("seed", range(12))
def test_evidence_is_that_of_the_completely_answered_prefix(seed: int) -> None:
    rng = np.random.default_rng(seed)
    epoch, verdicts = make_epoch(60, 6, rng), {}
    for step in range(150):
        item = int(rng.integers(0, 65)) if step % 3 else (epoch.upcoming(int(rng.integers(0, 6)), 1) or [0])[0]
        if item in verdicts and rng.random() < 0.3:
            del verdicts[item]
            epoch.record(item, None)
        else:
            verdicts[item] = bool(rng.random() < 0.1)
            epoch.record(item, verdicts[item])
        drawn, errors, best = by_definition(epoch, verdicts, 0.1)
        assert epoch.drawn.tolist() == drawn
        assert epoch.errors.tolist() == errors
        assert_same_evidence(epoch.best, best)


def test_the_order_in_which_answers_come_does_not_matter() -> None:
    rng = np.random.default_rng(3)
    verdicts = {i: bool(rng.random() < 0.05) for i in range(150)}
    epochs = [make_epoch(200, 8, np.random.default_rng(4)) for _ in range(3)]
    for epoch in epochs[:2]:
        for item in rng.permutation(150).tolist():
            epoch.record(item, verdicts[item])
    epochs[2].record_many(verdicts)
    for epoch in epochs[1:]:
        assert (epoch.drawn == epochs[0].drawn).all()
        assert_same_evidence(epoch.best, epochs[0].best.tolist())
        assert (epoch.certified() == epochs[0].certified()).all()


def test_upcoming_lists_unanswered_items_of_the_rung_in_order() -> None:
    rng = np.random.default_rng(5)
    epoch = make_epoch(300, 5, rng)
    for item in rng.permutation(305)[:120].tolist():
        epoch.record(item, False)
    for rung in range(5):
        answered = set(epoch.order[epoch.verdict >= 0].tolist())
        expected = [i for i in epoch.members(rung).tolist() if i not in answered]
        assert epoch.upcoming(rung, 1000) == expected
        assert epoch.upcoming(rung, 3) == expected[:3]


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 12)), min_size=1, max_size=25))
@settings(max_examples=300, deadline=None)
def test_the_fallback_never_hands_out_more_than_the_level(rows: list[tuple[float, float]]) -> None:
    """A certified rung has used at most the weights since the last uncertified one; in all, these sum to 1."""
    rungs = len(rows)
    weights = np.array([w for w, _ in rows])
    weights /= max(weights.sum(), 1e-9)
    epoch = Epoch(
        np.arange(10 * rungs),
        np.repeat(np.arange(rungs), 10),
        weights,
        items=10 * rungs,
        level=LEVEL,
        max_error=0.1,
        mixture=Mixture.below(0.1),
    )
    epoch.best = np.array([e for _, e in rows])
    epoch._chain_is_current = False
    certified, inherited = epoch.certified(), epoch.inherited()
    since = 0.0
    for rung in range(rungs):
        since += weights[rung]
        used = inherited[rung] + weights[rung]
        assert used <= since + 1e-12
        assert certified[rung] == (used > 0 and epoch.best[rung] >= -math.log(LEVEL) - math.log(used))
        if not certified[rung]:
            since = 0.0  # a bad rung that is certified later cannot have got anything from below this one
    assert inherited.max() <= 1 + 1e-9


def test_a_known_contradiction_ends_a_certified_set() -> None:
    epoch = Epoch(
        np.arange(1000),
        np.zeros(1000, dtype=np.int64),
        np.ones(1),
        items=1000,
        level=LEVEL,
        max_error=0.05,
        mixture=Mixture.below(0.05),
    )
    for item in range(200):
        epoch.record(item, False)
    assert epoch.top() == 0
    for item in range(999, 948, -1):  # 51 errors, off the order: the evidence has not read them yet
        epoch.record(item, True)
    assert epoch.top() == -1
    epoch.record(999, False)
    assert epoch.top() == 0


@given(st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_one_more_error_never_certifies_more(seed: int) -> None:
    rng = np.random.default_rng(seed)
    verdicts = {i: bool(rng.random() < 0.02) for i in rng.permutation(305)[: rng.integers(20, 300)].tolist()}
    before, after = (make_epoch(300, 6, np.random.default_rng(seed + 1)) for _ in range(2))
    before.record_many(verdicts)
    flipped = next((i for i, wrong in verdicts.items() if not wrong), None)
    after.record_many(verdicts | ({} if flipped is None else {flipped: True}))
    assert not (after.certified() & ~before.certified()).any()


# ---- the guarantee, by simulation -----------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "rate"), [(200, 0.05), (1000, 0.01), (1000, 0.05), (10_000, 0.02)])
def test_a_set_just_over_the_bound_is_certified_at_most_as_often_as_promised(n: int, rate: float) -> None:
    """Stop whenever one likes: count it if the evidence EVER crosses, over 1,000 random orders."""
    wrong, runs, rng = most_wrong(rate, n) + 1, 1000, np.random.default_rng(n)
    mixture, crossed = Mixture.below(rate), 0
    for _ in range(runs):
        places = np.sort(rng.choice(n, wrong, replace=False))
        # While no error comes the evidence grows, so it is highest just before an error.
        t, k = places[places > 0], np.arange(wrong)[places > 0]
        crossed += bool((log_e_value(wrong, n, t, k, mixture) >= -math.log(LEVEL)).any())
    assert crossed / runs <= LEVEL + 3 * math.sqrt(LEVEL * (1 - LEVEL) / runs)
    assert crossed > 0 or n < 1000  # else the test would say little


def test_the_evidence_is_highest_just_before_an_error() -> None:
    rng, mixture, n, wrong = np.random.default_rng(0), Mixture.below(0.02), 1000, 21
    for _ in range(50):
        places = np.sort(rng.choice(n, wrong, replace=False))
        t = np.arange(1, n + 1)
        everywhere = log_e_value(wrong, n, t, np.searchsorted(places, t - 1, side="right"), mixture)
        before = log_e_value(wrong, n, places[places > 0], np.arange(wrong)[places > 0], mixture)
        if everywhere.max() > 0:
            assert before.max() == pytest.approx(everywhere.max())


def ever_certified(epoch: Epoch) -> np.ndarray:
    """Apply the fallback to the suprema over the whole path: what any steering and any stopping could certify."""
    share, certified = 0.0, []
    for weight, best in zip(epoch.weights, epoch.best, strict=True):
        share += weight
        certified.append(share > 0 and best >= -math.log(epoch.level * share))
        share = share if certified[-1] else 0.0
    return np.array(certified)


@pytest.mark.parametrize("shape", ["every rung just over", "only the last rung over", "growing"])
def test_a_chain_with_bad_rungs_certifies_one_at_most_as_often_as_promised(shape: str) -> None:
    """The whole path is read, so this bounds every steering and every stopping time."""
    n, rungs, rate, runs, rng = 600, 6, 0.05, 400, np.random.default_rng(7)
    stratum = np.repeat(np.arange(rungs), n // rungs)
    per_stratum = {
        "every rung just over": [6, 5, 5, 5, 5, 5],
        "only the last rung over": [5, 5, 5, 5, 5, 6],
        "growing": [0, 3, 6, 8, 10, 12],
    }[shape]
    truth = np.zeros(n, dtype=bool)
    for s, wrong in enumerate(per_stratum):
        truth[s * (n // rungs) : s * (n // rungs) + wrong] = True
    bad = np.cumsum(per_stratum) > [most_wrong(rate, (s + 1) * n // rungs) for s in range(rungs)]
    verdicts, false = {i: bool(truth[i]) for i in range(n)}, 0
    for _ in range(runs):
        order = rng.permutation(n)
        epoch = Epoch(
            order,
            stratum[order],
            np.array([0.15, 0, 0.45, 0, 0.4, 0]),
            items=n,
            level=LEVEL,
            max_error=rate,
            mixture=Mixture.below(rate),
        )
        epoch.record_many(verdicts)
        false += bool((ever_certified(epoch) & bad).any())
    assert false / runs <= LEVEL + 3 * math.sqrt(LEVEL * (1 - LEVEL) / runs)


def test_random_steering_certifies_nothing_that_the_whole_path_does_not() -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        epoch = make_epoch(150, 5, rng, max_error=0.1, level=0.3)
        truth, ever = rng.random(155) < 0.06, np.zeros(5, dtype=bool)
        for _ in range(200):
            choices = epoch.upcoming(int(rng.integers(0, 5)), 1) if rng.random() < 0.7 else [int(rng.integers(0, 155))]
            for item in choices:
                epoch.record(item, bool(truth[item]))
            ever |= epoch.certified()
        epoch.record_many({i: bool(truth[i]) for i in range(155)})
        assert not (ever & ~ever_certified(epoch)).any()


def test_a_reviewer_who_misses_errors_is_allowed_for() -> None:
    """With a miss rate of 0.3 and the correction for it, a set just over the bound is hardly ever certified."""
    n, rate, runs, rng, false = 1000, 0.05, 400, np.random.default_rng(1), {0.0: 0, 0.3: 0}
    for _ in range(runs):
        order = rng.permutation(n)
        called = (np.arange(n) < 51) & (rng.random(n) >= 0.3)
        for missed in false:
            epoch = Epoch(
                order,
                np.zeros(n, dtype=np.int64),
                np.ones(1),
                items=n,
                level=LEVEL,
                max_error=rate,
                mixture=Mixture.below(rate),
                missed=missed,
            )
            places = np.flatnonzero(called[order])
            t, k = places[places > 0], np.arange(len(places))[places > 0]
            evidence = log_e_value(epoch.null[0], n, t, k, Mixture.below(rate))
            false[missed] += bool((evidence >= -math.log(epoch.level)).any())
    assert false[0.3] / runs <= LEVEL + 3 * math.sqrt(LEVEL * (1 - LEVEL) / runs)
    assert false[0.0] / runs > 2 * LEVEL  # without the correction the promise would be broken
