"""Masks as run lengths."""

from __future__ import annotations

import numpy as np
import pytest

from lucida.results.run_lengths import decode, encode


def test_run_lengths_go_down_the_columns() -> None:
    # Of the COCO API: mask.encode of [[0, 1, 0], [1, 1, 0]] has the counts 1, 1, 2 ones, then the rest.
    expected = np.array([[0, 1, 0], [1, 1, 0]], bool)
    assert np.array_equal(decode({"counts": [1, 3, 2], "size": [2, 3]}, (3, 2)), expected)
    assert np.array_equal(decode({"counts": "132", "size": [2, 3]}, (3, 2)), expected)
    assert encode(expected) == {"counts": "132", "size": [2, 3]}
    with pytest.raises(ValueError, match="run lengths"):
        decode({"counts": [1, 3], "size": [2, 3]}, (3, 2))
    with pytest.raises(ValueError, match="on an image of"):
        decode({"counts": [1, 3, 2], "size": [2, 3]}, (2, 3))


@pytest.mark.parametrize("shape", [(1, 1), (7, 12), (64, 3), (300, 305)])
def test_a_mask_comes_back_as_it_was(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(3)
    for mask in (rng.random(shape) < 0.5, rng.random(shape) < 0.01, np.zeros(shape, bool), np.ones(shape, bool)):
        assert np.array_equal(decode(encode(mask)), mask)


@pytest.mark.torch
def test_packed_run_lengths_agree_with_the_coco_api() -> None:
    api = pytest.importorskip("faster_coco_eval.core.mask")
    rng = np.random.default_rng(3)
    for side in (7, 64, 300):
        mask = (rng.random((side, side + 5)) < rng.uniform(0.02, 0.9)).astype(np.uint8)
        packed = api.encode(np.asfortranarray(mask))
        text = packed["counts"].decode() if isinstance(packed["counts"], bytes) else packed["counts"]
        assert encode(mask.astype(bool)) == {"counts": text, "size": [side, side + 5]}
        found = decode({"counts": text, "size": [side, side + 5]}, (side + 5, side))
        assert np.array_equal(found, mask.astype(bool))
