"""Bringing pixels to what a model takes, against values computed by hand and by Pillow."""

from __future__ import annotations

import itertools

import numpy as np
import PIL.Image
import pytest

from lucida.images import Image
from lucida.models import ImageNeeds


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def planes(picture: PIL.Image.Image) -> np.ndarray:
    return np.asarray(picture, np.float32).transpose(2, 0, 1)


def test_squash_averages_over_areas():
    pixels = noise(6, 12)
    found = ImageNeeds(3, scale=1.0).prepare(Image(pixels, "RGB"))
    by_hand = pixels.reshape(3, 2, 3, 4, 3).mean(axis=(1, 3)).transpose(2, 0, 1)
    assert found.shape == (3, 3, 3)
    assert found.dtype == np.float32
    # Pillow rounds to whole numbers after each of the two directions.
    np.testing.assert_allclose(found, by_hand, atol=1.0)


@pytest.mark.parametrize(
    ("interpolation", "pillow"),
    [
        ("area", PIL.Image.Resampling.BOX),
        ("bilinear", PIL.Image.Resampling.BILINEAR),
        ("bicubic", PIL.Image.Resampling.BICUBIC),
    ],
)
def test_shrinking_is_that_of_pillow(interpolation, pillow):
    pixels = noise(31, 47)
    found = ImageNeeds(16, scale=1.0, interpolation=interpolation).prepare(Image(pixels, "RGB"))
    assert np.array_equal(found, planes(PIL.Image.fromarray(pixels).resize((16, 16), pillow)))


def test_enlarging_by_area_does_not_repeat_pixels():
    pixels = noise(4, 4)
    found = ImageNeeds(16, scale=1.0).prepare(Image(pixels, "RGB"))
    expected = PIL.Image.fromarray(pixels).resize((16, 16), PIL.Image.Resampling.BILINEAR)
    assert np.array_equal(found, planes(expected))


def test_crop_keeps_the_middle():
    pixels = noise(8, 20)
    found = ImageNeeds(8, "crop", scale=1.0).prepare(Image(pixels, "RGB"))
    assert np.array_equal(found, pixels[:, 6:14].transpose(2, 0, 1).astype(np.float32))
    tall = ImageNeeds(8, "crop", scale=1.0).prepare(Image(pixels.transpose(1, 0, 2).copy(), "RGB"))
    assert np.array_equal(tall, pixels[:, 6:14].transpose(2, 1, 0).astype(np.float32))


def test_pad_keeps_everything_between_grey():
    pixels = noise(4, 8)
    found = ImageNeeds(8, "pad", scale=1.0).prepare(Image(pixels, "RGB"))
    assert np.array_equal(found[:, 2:6], pixels.transpose(2, 0, 1).astype(np.float32))
    assert (found[:, :2] == 127).all()
    assert (found[:, 6:] == 127).all()


def test_mean_and_std_by_channel():
    pixels = np.full((5, 7, 3), (255, 51, 0), np.uint8)
    needs = ImageNeeds(4, mean=(0.5, 0.1, 0.2), std=(0.5, 0.2, 0.4))
    found = needs.prepare(Image(pixels, "RGB"))
    # (1 - 0.5) / 0.5, (0.2 - 0.1) / 0.2, (0 - 0.2) / 0.4
    np.testing.assert_allclose(found[:, 0, 0], [1.0, 0.5, -0.5], atol=1e-6)
    assert np.ptp(found.reshape(3, -1), axis=1).max() == 0


def test_channels():
    pixels = np.full((4, 4, 3), (200, 100, 50), np.uint8)
    as_bgr = ImageNeeds(4, channels="BGR", scale=1.0, mean=(1, 2, 3)).prepare(Image(pixels, "RGB"))
    assert as_bgr[:, 0, 0].tolist() == [49, 98, 197]
    grey = ImageNeeds(4, channels="L", scale=1.0, mean=(0.0,), std=(1.0,))
    assert grey.shape == (1, 4, 4)
    found = grey.prepare(Image(pixels, "RGB"))
    assert found.shape == grey.shape
    assert found[0, 0, 0] == pytest.approx(0.299 * 200 + 0.587 * 100 + 0.114 * 50, abs=1)


@pytest.mark.parametrize(
    ("pixels", "mode", "first"),
    [
        (np.full((4, 4), 90, np.uint8), "L", (90, 90, 90)),
        (np.full((4, 4), 257 * 90, np.uint16), "I;16", (90, 90, 90)),
        (np.full((4, 4, 4), (10, 20, 30, 0), np.uint8), "RGBA", (255, 255, 255)),
        (np.full((4, 4, 4), (10, 20, 30, 255), np.uint8), "RGBA", (10, 20, 30)),
    ],
)
def test_modes_of_images(pixels, mode, first):
    before = pixels.copy()
    found = ImageNeeds(4, scale=1.0).prepare(Image(pixels, mode))
    assert tuple(found[:, 0, 0]) == first
    assert np.array_equal(pixels, before), "preparation must not change the image"


SIZES = [(1, 1), (1, 500), (500, 1), (7, 7), (8, 9), (63, 64)]


@pytest.mark.parametrize(("resize", "size"), list(itertools.product(("squash", "crop", "pad"), SIZES)))
def test_any_size_fits(resize, size):
    needs = ImageNeeds(8, resize)
    found = needs.prepare(Image(noise(*size), "RGB"))
    assert found.shape == (3, 8, 8)
    assert found.min() >= 0
    assert found.max() <= 1
    needs.check(found[None])


@pytest.mark.parametrize("channels", ["RGB", "BGR"])
def test_restore_undoes_the_normalisation(channels):
    pixels = noise(8, 8)
    needs = ImageNeeds(8, channels=channels, scale=1 / 127.5, mean=(1.0, 0.9, 0.8), std=(0.5, 0.4, 0.3))
    batch = needs.prepare(Image(pixels, "RGB"))[None]
    np.testing.assert_allclose(needs.restore(batch)[0], pixels / 255, atol=1e-5)


def test_restore_repeats_grey():
    needs = ImageNeeds(8, channels="L", mean=(0.3,), std=(0.2,))
    restored = needs.restore(needs.prepare(Image(np.full((8, 8), 51, np.uint8), "L"))[None])
    np.testing.assert_allclose(restored, np.full((1, 8, 8, 3), 0.2), atol=1e-5)
