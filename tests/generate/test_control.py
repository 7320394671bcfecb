"""Control images: lines where a person would draw them, drawings as they are."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from lucida.errors import UnknownName
from lucida.generate.control import canny, control_image, scribble
from lucida.models.generator import Given


def scene() -> np.ndarray:
    """A yellow disc on white, which are equally bright, and grain over all."""
    rows, columns = np.mgrid[:200, :300]
    pixels = np.full((200, 300, 3), 245, np.float32)
    pixels[(rows - 100) ** 2 + (columns - 150) ** 2 < 60**2] = (250, 240, 60)
    pixels += np.random.default_rng(0).normal(0, 3, pixels.shape)
    return np.clip(pixels, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("make", [scribble, canny])
def test_lines_lie_along_edges_and_nowhere_else(make):
    lines = make(scene())

    rows, columns = np.nonzero(lines)
    off = np.abs(np.hypot(rows - 100, columns - 150) - 60)
    assert lines.shape == (200, 300)
    assert set(np.unique(lines)) == {0, 255}
    assert off.max() < 8
    around = np.unique(np.round(np.arctan2(rows - 100, columns - 150) * 10))
    assert len(around) > 55  # of 63: the disc is drawn all around


def test_scribbles_are_thick():
    lines = scribble(scene()) > 0
    assert ndimage.binary_erosion(lines).sum() > 0.25 * lines.sum()


@pytest.mark.parametrize("kind", ["scribble", "canny"])
@pytest.mark.parametrize("light", [True, False])
def test_a_drawing_is_taken_as_it_is_white_on_black(kind, light):
    drawing = np.zeros((60, 80, 3), np.uint8)
    drawing[30:33, 10:70] = 255
    found, how = control_image(Given(255 - drawing if light else drawing), kind)

    assert (found.pixels == drawing).all()
    assert "drawing already" in how
    assert ("inverted" in how) == light


def test_blank_paper_is_no_drawing():
    found, _ = control_image(Given(np.full((40, 40, 3), 255, np.uint8)), "scribble")
    assert not found.pixels.any()


def test_an_unknown_kind_is_refused():
    with pytest.raises(UnknownName, match="pose"):
        control_image(Given(scene()), "pose")
