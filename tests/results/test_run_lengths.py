"""Masks as run lengths."""

from __future__ import annotations

import numpy as np
import pytest

from lucida.results.run_lengths import checked, decode, encode, extent


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


def test_size_and_place_are_read_off_the_runs() -> None:
    rng = np.random.default_rng(4)
    for share in (0.0, 0.001, 0.02, 0.5, 1.0):
        mask = rng.random((37, 53)) < share
        down, across = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        box = (across[0], down[0], across[-1] + 1, down[-1] + 1) if len(down) else (0, 0, 0, 0)
        assert extent(encode(mask)) == (mask.sum(), box)


def test_what_a_browser_sends_is_tidied_or_refused() -> None:
    mask = {"size": [2, 3], "counts": [1, 2, 0, 1, 2, 0]}
    assert checked(mask, 3, 2) == {"size": [2, 3], "counts": "132"}
    assert checked({"size": [2, 3], "counts": [0, 0, 6]}, 3, 2) == encode(np.zeros((2, 3), bool))
    assert checked(encode(np.ones((2, 3), bool)), 3, 2) == encode(np.ones((2, 3), bool))
    for size, counts in (([3, 2], [6]), ([2, 3], [5]), ([2, 3], [7, -1]), ([2, 3], "é"), ([2, 3], ["x"]), ("23", [6])):
        with pytest.raises(ValueError, match=r"run lengths|size"):
            checked({"size": size, "counts": counts}, 3, 2)
    with pytest.raises(ValueError, match="size"):
        checked("132", 3, 2)
