"""Fusion: figures worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from lucida.search.fusion import combine, reciprocal_rank_fusion
from lucida.search.legs import UNLIKE, direction


def test_reciprocal_ranks_add_up() -> None:
    fused = dict(reciprocal_rank_fusion([[("a", 9.0), ("b", 8.0), ("c", 7.0)], [("b", 0.3), ("d", 0.2)]]))
    whole = 2 / 61
    assert fused == pytest.approx(
        {"a": 1 / 61 / whole, "b": (1 / 62 + 1 / 61) / whole, "c": 1 / 63 / whole, "d": 1 / 62 / whole}
    )
    assert list(fused) == ["b", "a", "d", "c"]
    assert dict(reciprocal_rank_fusion([[("a", 1.0)], [("a", 2.0)]])) == pytest.approx({"a": 1.0})
    assert reciprocal_rank_fusion([]) == []


def test_equal_scores_share_the_mean_of_their_ranks() -> None:
    fused = dict(reciprocal_rank_fusion([[("a", 1.0), ("b", 1.0), ("c", 1.0), ("d", 0.5)]]))
    assert fused["a"] == fused["b"] == fused["c"] == pytest.approx((1 / 62) / (1 / 61))
    assert fused["d"] == pytest.approx((1 / 64) / (1 / 61))


def test_scores_of_other_scales_count_alike() -> None:
    first, second = np.array([1, 0, 0, 1], np.float32), np.array([0, 1000, 0, 1000], np.float32)
    total = combine({"a": first, "b": second}, {"a": 1.0, "b": 1.0})
    assert np.allclose(total, [0, 0, -2, 2])
    assert np.allclose(combine({"a": first, "flat": np.ones(4, np.float32)}, {"a": 1.0, "flat": 1.0}), [1, -1, -1, 1])


def test_a_direction_points_from_what_is_not_wanted_to_what_is() -> None:
    like, unlike = np.array([[2, 0], [0, 5]], np.float32), np.array([[0, 3]], np.float32)
    expected = np.array([0.5, 0.5 - UNLIKE])
    assert np.allclose(direction(like, unlike), expected / np.linalg.norm(expected))
    assert np.allclose(direction(like, np.zeros((0, 2), np.float32)), [0.5**0.5] * 2)
    assert np.allclose(direction(np.zeros((0, 2), np.float32), unlike), [0, -1])
    parts = direction(
        np.array([[3, 4, 9, 9, 0, 2]], np.float32), np.zeros((0, 6), np.float32), (slice(0, 2), slice(4, 6))
    )
    assert np.allclose(parts, [0.6, 0.8, 0, 0, 0, 1])
