"""Bicubic resizing as the benchmarks of super-resolution have it."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from lucida.errors import InputError
from lucida.images.bicubic import resize

SET5 = Path(__file__).parents[2] / "shared" / "data" / "super_resolution" / "set5.parquet"


@pytest.mark.skipif(not SET5.exists(), reason="Set5 is not in ../shared/data")
@pytest.mark.parametrize(("column", "scale"), [("lr_x2", 2), ("lr_x4", 4)])
def test_gives_the_published_images_of_set5_bit_by_bit(column: str, scale: int) -> None:
    import pyarrow.parquet as pq

    for row in pq.read_table(SET5).to_pylist():
        low, high = (np.asarray(PIL.Image.open(io.BytesIO(row[name]["bytes"]))) for name in (column, "hr_x2"))
        high = high[: low.shape[0] * scale, : low.shape[1] * scale]
        assert np.array_equal(resize(high, 1 / scale), low)


@pytest.mark.parametrize("scale", [0.25, 0.5, 2.0])
def test_agrees_with_pillow_inside(scale: float) -> None:
    pixels = np.random.default_rng(0).random((40, 48), dtype=np.float32)
    size = (int(48 * scale), int(40 * scale))
    expected = np.asarray(PIL.Image.fromarray(pixels).resize(size, PIL.Image.Resampling.BICUBIC))
    edge = max(3, int(2 * scale) + 1)  # Pillow leaves out what lies beyond the border
    inside = (slice(edge, -edge), slice(edge, -edge))
    assert np.allclose(resize(pixels, scale)[inside], expected[inside], atol=1e-5)


def test_sides_are_rounded_up_and_a_flat_image_stays_flat() -> None:
    found = resize(np.full((5, 1, 3), 77, np.uint8), 0.5)
    assert found.shape == (3, 1, 3)
    assert found.dtype == np.uint8
    assert (found == 77).all()


def test_refuses_no_size() -> None:
    with pytest.raises(InputError, match="no size"):
        resize(np.zeros((2, 2), np.uint8), 0)
