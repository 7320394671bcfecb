"""What is looked at of images is decided by their headers, and normalised by their values."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from measured import METRES, png, sample, tiff

from lucida.data import Samples
from lucida.errors import InputError, UnknownName
from lucida.images import Spacing
from lucida.models.needs import ImageNeeds
from lucida.train.channels import Channels, Moments, look
from lucida.train.pictures import Pictures, read_picture


def samples(*files: bytes, validation: tuple[bytes, ...] = ()) -> Samples:
    parts = [(data, "train") for data in files] + [(data, "validation") for data in validation]
    items = tuple(sample(f"{k}", data, "a", split) for k, (data, split) in enumerate(parts))
    return Samples("classify", ("a",), items, "made")


def grey(dtype: Any = np.uint8) -> bytes:
    return png(np.full((6, 8), 7, dtype))


def colours() -> bytes:
    return png(np.full((6, 8, 3), 7, np.uint8))


def many(channels: int = 6, dtype: Any = np.uint16, **options: Any) -> bytes:
    pytest.importorskip("tifffile")
    return tiff(np.full((6, 8, channels), 7, dtype), **options)


def test_photos_are_rgb_and_nothing_is_said():
    found = look(samples(grey(), colours(), b"no image"))
    assert found == Channels()
    assert found.needs(8, "pad", ((0.5,) * 3, (0.2,) * 3)) == ImageNeeds(
        8, "pad", "bilinear", mean=(0.5,) * 3, std=(0.2,) * 3
    )


def test_sixteen_bits_are_kept():
    found = look(samples(grey(np.uint16), grey(np.uint16)))
    assert (found.count, found.deep, found.depth) == (1, True, 1)
    assert found.notes == ("16 bits, 1 channel: learned from as they are stored.",)


def test_sixteen_bits_can_be_left_out():
    assert not look(samples(grey(np.uint16)), "rgb").raw


def test_photos_can_be_taken_as_they_are_stored():
    found = look(samples(colours()), "raw")
    assert (found.count, found.deep) == (3, False)


def test_some_photos_of_more_bits_are_brought_to_eight():
    found = look(samples(grey(np.uint16), grey(), colours()))
    assert not found.raw
    assert "more than 8 bits" in found.notes[0]
    assert found.notes[0].endswith("2 have: 1.")  # fmt: skip
    # as a number on its own scale they cannot be
    with pytest.raises(InputError, match="differ in what they store"):
        look(samples(grey(np.uint16), grey()), "raw")


@pytest.mark.torch  # tifffile is installed beside PyTorch
@pytest.mark.parametrize(
    ("channels", "dtype", "deep"), [(6, np.uint8, False), (4, np.uint8, False), (2, np.uint16, True)]
)
def test_many_channels_are_kept(channels: int, dtype: Any, deep: bool):
    found = look(samples(many(channels, dtype)))
    assert (found.count, found.deep) == (channels, deep)


@pytest.mark.torch
def test_images_of_other_channels_are_counted_and_refused():
    with pytest.raises(InputError, match="differ") as caught:
        look(samples(many(6), many(6), validation=(many(5),)))
    error = caught.value
    assert error.got == "2 images with 6 channels of more than 8 bits, 1 images with 5 channels of more than 8 bits"
    assert "--channels rgb" in error.hint
    assert error.expected
    assert not look(samples(many(6), many(5)), "rgb").raw
    with pytest.raises(InputError, match="differ"):
        look(samples(many(6), colours()))


def test_an_unknown_wish():
    with pytest.raises(UnknownName, match="grey"):
        look(samples(grey()), "grey")


@pytest.mark.torch
def test_the_spacing_is_the_median_of_the_training_images():
    near, far = (many(extratags=[(33550, "d", 3, (d, 2 * d, 0.0)), METRES[1]]) for d in (1.0, 9.0))
    found = look(samples(near, near, far, many(), validation=(far, far, far, far)))
    assert found.spacing == Spacing(2.0, 1.0, "m")
    moments = Moments()
    moments.add(np.ones((2, 2, 6)))
    assert found.needs(8, "pad", ((0.5,), (1.0,)), moments).spacing == found.spacing


def test_another_model_says_how_images_are_prepared():
    like = ImageNeeds(8, channels="raw", scale=1.0, mean=(1.0, 2.0), std=(3.0, 4.0), deep=True)
    found = look(samples(grey()), like=like)
    assert found.needs(16, "squash", ((0.5,), (1.0,))).mean == like.mean


class TestMoments:
    def test_they_are_those_of_numpy(self):
        random = np.random.default_rng(0)
        images = [random.normal((1e6, 3.0), (0.5, 40.0), (5 + k, 7, 2)).astype(np.float32) for k in range(4)]
        found = Moments()
        for one in images:
            found.add(one)
        every = np.concatenate([one.reshape(-1, 2) for one in images]).astype(np.float64)
        np.testing.assert_allclose(found.mean, every.mean(0), rtol=1e-12)
        np.testing.assert_allclose(found.std, every.std(0), rtol=1e-9)

    def test_only_numbers_count(self):
        pixels = np.array([[[1.0, np.nan], [3.0, np.nan]], [[np.inf, np.nan], [np.nan, np.nan]]], np.float32)
        found = Moments()
        found.add(pixels)
        mean, std = found.normalisation()
        assert mean == (2.0, 0.0)
        assert std == (1.0, 1.0)

    def test_a_channel_that_says_nothing_is_said(self):
        found = Moments()
        found.add(np.stack([np.full((4, 4), 0.1, np.float32), np.eye(4, dtype=np.float32)], axis=2))
        found.add(np.stack([np.full((9, 3), 0.1, np.float32), np.ones((9, 3), np.float32)], axis=2))
        assert found.normalisation()[1][0] == 1.0
        assert found.notes() == ["Channel 1: the same value in all training images."]

    def test_without_images_there_is_nothing(self):
        with pytest.raises(InputError, match="no image to train on"):
            Moments().normalisation()


def test_pictures_of_eight_bits_are_as_they_were():
    one = samples(colours())
    assert np.array_equal(read_picture(one[0]).pixels, read_picture(one[0], channels=Channels()).pixels)
    assert read_picture(one[0]).pixels.dtype == np.uint8


@pytest.mark.torch
def test_pictures_keep_type_and_channels_and_others_are_skipped():
    large = tiff(np.full((20, 40, 6), 700, np.uint16))
    found = Pictures(samples(large, many(5), colours()), 10, channels=Channels(6, True))
    assert found.readable() == [0]
    assert "5 channels" in found.skipped["1"]
    one = found[0]
    assert one is not None
    assert (one.pixels.shape, one.pixels.dtype) == ((10, 20, 6), np.uint16)
    assert (one.width, one.height) == (40, 20)
    assert (one.pixels == 700).all()
    assert found.moments.mean.tolist() == [700.0] * 6
