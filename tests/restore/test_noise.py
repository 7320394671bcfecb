"""The noise of an image, estimated from the image alone."""

from __future__ import annotations

import numpy as np
import pytest

from lucida.restore.noise import estimate


def photo(side: int = 160) -> np.ndarray:
    """Return what is smooth with edges, float32 (side, side, 3)."""
    down, across = np.mgrid[0:side, 0:side] / side
    planes = [np.sin(6 * down) * 0.2 + across * 0.3 + 0.4 * (across > 0.5), down, np.cos(9 * across * down) * 0.4 + 0.5]
    return np.stack(planes, axis=2).astype(np.float32)


@pytest.mark.parametrize("sigma", [5.0, 15.0, 50.0])
def test_finds_the_noise_that_was_added(sigma: float) -> None:
    noise = np.random.default_rng(0).standard_normal(photo().shape).astype(np.float32)
    assert estimate(photo() + noise * sigma / 255) == pytest.approx(sigma, rel=0.05)


def test_texture_is_no_noise_and_what_is_cut_off_at_black_counts_for_nothing() -> None:
    draw = np.random.default_rng(2)
    rough = photo()
    rough[:, 60:] += draw.uniform(-0.2, 0.2, (160, 100, 3)).astype(np.float32)
    noise = draw.standard_normal(rough.shape) * 10 / 255
    assert estimate(rough) < 0.5
    assert estimate(rough + noise) == pytest.approx(10, rel=0.05)
    dark = photo() * np.where(np.arange(160)[:, None, None] < 80, 0.0, 0.6) + np.where(
        np.arange(160)[:, None, None] < 80, 0.0, 0.2
    )
    assert estimate(np.clip(dark + noise, 0, 1)) == pytest.approx(10, rel=0.1)


def test_small_and_grey_images_do_as_well() -> None:
    noise = np.random.default_rng(1).standard_normal((24, 30)).astype(np.float32)
    assert estimate(0.5 + noise * 20 / 255) == pytest.approx(20, rel=0.15)


@pytest.mark.parametrize("shape", [(1, 1), (2, 40, 3), (3, 3, 1), (50, 50)])
def test_what_is_flat_or_tiny_has_none(shape: tuple[int, ...]) -> None:
    assert estimate(np.full(shape, 0.3, np.float32)) == pytest.approx(0.0, abs=1e-4)
