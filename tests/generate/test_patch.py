"""Masked edits: what is not covered stays, what is covered changes, whatever the sizes."""

from __future__ import annotations

import numpy as np
import pytest

from lucida.generate.patch import patch_of
from lucida.models.generator import GenerateNeeds

FREE = GenerateNeeds(size=(64, 64), multiple=8, least=16, most=256)
FIXED = GenerateNeeds(size=(32, 32), multiple=32, least=32, most=32)


def mask(height: int, width: int, rows: slice, columns: slice) -> np.ndarray:
    found = np.zeros((height, width), np.uint8)
    found[rows, columns] = 255
    return found


@pytest.mark.parametrize("needs", [FREE, FIXED])
@pytest.mark.parametrize(
    ("height", "width", "rows", "columns"),
    [
        (300, 400, slice(100, 140), slice(200, 220)),
        (300, 400, slice(0, 5), slice(390, 400)),
        (20, 30, slice(3, 9), slice(4, 8)),
        (500, 80, slice(10, 490), slice(40, 41)),
        (50, 50, slice(0, 50), slice(0, 50)),
        (1, 1, slice(0, 1), slice(0, 1)),
    ],
)
def test_only_what_is_covered_changes(needs, height, width, rows, columns):
    image = np.random.default_rng(0).integers(0, 200, (height, width, 3), np.uint8)
    covered = mask(height, width, rows, columns)
    patch = patch_of(image, covered, needs)

    found = patch.paste(np.full((patch.size[1], patch.size[0], 3), 255, np.uint8))

    assert patch.size == needs.nearest(*patch.size)
    assert patch.image.shape == (patch.size[1], patch.size[0], 3)
    assert patch.mask.any()
    assert (found[covered == 0] == image[covered == 0]).all()
    assert (found[covered > 0] != image[covered > 0]).mean() > 0.9
    inner = found[covered > 0].mean(axis=1)
    assert inner.max() == 255


def test_a_place_that_is_drawn_as_it_was_comes_back_nearly_as_it_was():
    # Smooth, so that scaling there and back loses little.
    rows, columns = np.mgrid[:200, :300]
    image = np.stack([rows / 2, columns / 2, (rows + columns) / 3], axis=2).astype(np.uint8)
    patch = patch_of(image, mask(200, 300, slice(50, 90), slice(100, 180)), FREE)

    assert np.abs(patch.paste(patch.image).astype(int) - image).max() <= 2


def test_small_places_of_large_photos_are_drawn_with_their_surroundings():
    image = np.zeros((2000, 3000, 3), np.uint8)
    patch = patch_of(image, mask(2000, 3000, slice(1000, 1010), slice(1500, 1520)), FREE)
    left, top, right, bottom = patch.box

    assert (right - left, bottom - top) == (64, 64)
    assert left <= 1500
    assert right >= 1520
    assert top <= 1000
    assert bottom >= 1010
