"""Orders by SHA-256 and score bins."""

from __future__ import annotations

from hashlib import sha256

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lucida.evidence import order as module
from lucida.evidence.order import HashOrder, hash_keys, score_bins


def test_order_is_the_one_that_anyone_can_recompute() -> None:
    ids = [f"image {i} é" for i in range(50)]
    by_hand = sorted(range(50), key=lambda i: sha256(f"7\0epoch-1\0{ids[i]}".encode()).digest())
    assert HashOrder(7, ids).order("epoch-1", np.arange(50)).tolist() == by_hand


def test_order_does_not_depend_on_the_order_of_the_rows() -> None:
    ids = [str(i) for i in range(200)]
    orders = HashOrder("s", ids)
    rows = np.random.default_rng(0).permutation(200)[:120]
    assert orders.order("pilot", rows).tolist() == orders.order("pilot", np.sort(rows)).tolist()


def test_each_stage_and_each_seed_has_an_order_of_its_own() -> None:
    ids = [str(i) for i in range(200)]
    seen = {
        tuple(HashOrder(seed, ids).order(stage, np.arange(200)).tolist())
        for seed in (1, 2, "1x")
        for stage in ("pilot", "epoch-1", "epoch-2")
    }
    assert len(seen) == 9
    assert 0 <= HashOrder(1, ids).offset("pilot") < 1


def test_equal_keys_are_ordered_by_id(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "hash_keys", lambda seed, stage, ids: np.zeros(len(ids), dtype=np.uint64))
    ids = ["c", "a", "b"]
    assert HashOrder(1, ids).order("pilot", np.array([0, 2, 1])).tolist() == [1, 2, 0]


def test_keys_of_odd_names_are_defined() -> None:
    assert len(hash_keys(0, "pilot", ["", "a\nb", "\udcff", "图片"])) == 4


def test_order_looks_uniform() -> None:
    first = [HashOrder(seed, list("abcd")).order("pilot", np.arange(4))[0] for seed in range(2000)]
    counts = np.bincount(first, minlength=4)
    assert abs(counts - 500).max() < 5 * np.sqrt(2000 * 0.25 * 0.75)


@given(arrays(np.float64, st.integers(0, 300), elements=st.sampled_from([-2.0, 0.0, 0.25, 0.5, 0.5000001, 1.0, 7.0])))
@settings(deadline=None)
def test_bins_never_split_a_tie_and_follow_the_score(scores: np.ndarray) -> None:
    bins = score_bins(scores)
    assert bins.shape == scores.shape
    for value in np.unique(scores):
        assert len(np.unique(bins[scores == value])) == 1
    order = np.argsort(-scores, kind="stable")
    assert (np.diff(bins[order]) >= 0).all()
    if len(scores):
        assert sorted(set(bins.tolist())) == list(range(int(bins.max()) + 1))


def test_bins_are_about_equal_and_at_most_forty() -> None:
    bins = score_bins(np.random.default_rng(1).random(10_000))
    assert np.bincount(bins).tolist() == [250] * 40


def test_bins_do_not_depend_on_the_order_of_the_rows() -> None:
    rng = np.random.default_rng(2)
    scores = rng.integers(0, 50, 1000).astype(float)
    shuffle = rng.permutation(1000)
    assert (score_bins(scores)[shuffle] == score_bins(scores[shuffle])).all()
