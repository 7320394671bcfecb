"""Speeds are measured by turns, at both batch sizes."""

from __future__ import annotations

import numpy as np

from lucida.compress.speed import speeds


def test_all_take_turns_and_see_both_batches():
    seen = []
    images = np.zeros((5, 3, 8, 8), np.float32)
    ways = {name: ((lambda batch, name=name: seen.append((name, len(batch)))), images) for name in ("a", "b")}
    found = speeds(ways, rounds=3)
    assert set(found) == {"a", "b"}
    assert all(rate > 0 for by in found.values() for rate in by.values())
    assert {size for _, size in seen} == {1, 32}
    turns = [name for name, size in seen if size == 32]
    assert turns == ["a", "b"] * 4
