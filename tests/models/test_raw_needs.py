"""All channels of a file, as it has them: their values reach the model, none of them through 8 bits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from lucida.errors import ImageError, InputError
from lucida.images import Image, Spacing
from lucida.models import ImageNeeds
from lucida.models.onnx.card import read_card, write_card
from lucida.models.planes import shrink
from lucida.models.precision import made_sample

SIX = tuple(1000.0 * (k + 1) for k in range(6))


def needs(size: int = 8, resize: str = "squash", depth: int = 6, **changed: object) -> ImageNeeds:
    values = {"channels": "raw", "scale": 1.0, "mean": SIX[:depth], "std": (2.0,) * depth, "deep": True, **changed}
    return ImageNeeds(size, resize, "bilinear", **values)  # type: ignore[arg-type]


def deep(height: int, width: int, channels: int = 6, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 65536, (height, width, channels)).astype(np.uint16)


def test_values_are_those_of_the_file():
    pixels = deep(8, 8)
    before = pixels.copy()
    found = needs().prepare(Image(pixels, "MULTI"))
    assert (found.dtype, found.shape) == (np.float32, (6, 8, 8))
    np.testing.assert_allclose(found, ((pixels - np.array(SIX)) / 2).transpose(2, 0, 1), rtol=1e-6)
    assert np.array_equal(pixels, before)
    needs().check(found[None])


def test_low_bits_of_large_values_stay_apart():
    pixels = np.full((4, 4, 1), 1_000_000.0, np.float32)
    pixels[0, 0] += 0.25
    found = needs(4, depth=1, mean=(1_000_000.0,), std=(0.1,)).prepare(Image(pixels, "MULTI"))
    assert found[0, 0, 0] == pytest.approx(2.5)
    assert found[0, 1, 1] == 0


@pytest.mark.parametrize("resize", ["squash", "crop", "pad"])
@pytest.mark.parametrize("side", [(31, 47), (5, 6)])
def test_resizing_is_that_of_pillow_in_floats(resize: str, side: tuple[int, int]):
    pixels = deep(*side)
    found = needs(16, resize).restore(needs(16, resize).prepare(Image(pixels, "MULTI"))[None])[0]
    alike = ImageNeeds(16, resize, "bilinear", scale=1.0)  # type: ignore[arg-type]
    for k in range(6):
        # The same geometry, of a picture of 8 bits of the same values as near as it can.
        grey = np.repeat((pixels[..., k : k + 1] >> 8).astype(np.uint8), 3, axis=2)
        expected = alike.prepare(Image(grey, "RGB"))[0]
        inside = expected != 127 if resize == "pad" else np.ones_like(expected, bool)
        assert np.abs(found[..., k] / 257 - expected)[inside].max() < 2.5
    if resize == "squash":
        whole = PIL.Image.fromarray(pixels[..., 4].astype(np.float32)).resize((16, 16), PIL.Image.Resampling.BILINEAR)
        np.testing.assert_allclose(found[..., 4], np.asarray(whole), rtol=1e-4, atol=0.5)


def test_around_an_image_is_the_mean():
    found = needs(8, "pad").prepare(Image(deep(4, 8), "MULTI"))
    assert not found[:, :2].any()
    assert not found[:, 6:].any()
    assert found[:, 2:6].any()


def test_what_is_no_number_becomes_the_mean_and_swallows_nothing_around_it():
    pixels = np.full((16, 16, 2), 40.0, np.float32)
    pixels[:4, :4, 0] = np.nan
    pixels[9, 9, 1] = -np.inf
    one = needs(8, depth=2, mean=(10.0, 20.0), std=(10.0, 10.0))
    found = one.prepare(Image(pixels, "MULTI"))
    assert (found[0, :2, :2] == 0).all()
    np.testing.assert_allclose(found[0, 3:, 3:], 3.0, atol=1e-5)
    np.testing.assert_allclose(found[1], 2.0, atol=1e-5)
    assert np.isfinite(one.fit(Image(pixels, "MULTI"))).all()


@pytest.mark.parametrize(
    ("pixels", "mode", "depth", "is_deep"),
    [
        (np.full((4, 4), 7, np.uint16), "I;16", 1, True),
        (np.full((4, 4), 7, np.int32), "I", 1, True),
        (np.full((4, 4), 7, np.float32), "F", 1, True),
        (np.full((4, 4), 7, np.uint8), "L", 1, False),
        (np.full((4, 4, 4), 7, np.uint8), "RGBA", 4, False),
        (np.full((4, 4, 3), 7, np.uint16), "RGB;16", 3, True),
    ],
)
def test_every_mode_has_its_channels(pixels: np.ndarray, mode: str, depth: int, is_deep: bool):
    one = ImageNeeds(4, channels="raw", scale=1.0, mean=(0.0,) * depth, std=(1.0,) * depth, deep=is_deep)
    image = Image(pixels, mode, window=(0.0, 1.0) if depth == 1 else None)
    found = one.prepare(image)
    assert found.shape == (depth, 4, 4) == one.shape
    assert (found == 7).all(), "no window, no division"


def test_a_palette_stands_for_its_colours():
    colours = np.zeros((256, 4), np.uint8)
    colours[3] = (10, 20, 30, 255)
    one = ImageNeeds(4, channels="raw", scale=1.0, mean=(0.0,) * 3, std=(1.0,) * 3)
    found = one.prepare(Image(np.full((4, 4), 3, np.uint8), "P", colours))
    assert found[:, 0, 0].tolist() == [10, 20, 30]


@pytest.mark.parametrize(("channels", "dtype"), [(5, np.uint16), (7, np.uint16), (6, np.uint8)])
def test_other_channels_are_refused(channels: int, dtype: type):
    with pytest.raises(ImageError, match="other channels") as caught:
        needs().prepare(Image(deep(8, 8, channels).astype(dtype), "MULTI"))
    error = caught.value
    assert all((error.what, error.expected, error.got, error.hint))
    assert error.expected == "6 channels of more than 8 bits"


def test_restore_gives_the_values_of_the_file():
    pixels = deep(8, 8)
    found = needs().restore(needs().prepare(Image(pixels, "MULTI"))[None])
    np.testing.assert_allclose(found[0], pixels, atol=0.01)


def test_made_images_look_like_measured_ones():
    found = made_sample(needs(32), 4)
    assert found.shape == (4, 6, 32, 32)
    needs(32).check(found)
    assert abs(found.std() - 1) < 0.05


def test_a_card_says_it_and_is_read_again(tmp_path: Path):
    (tmp_path / "model.onnx").write_bytes(b"")
    one = needs(32, spacing=Spacing(0.7, 0.5, "mm"))
    top = {"name": "six", "task": "encode", "file": "model.onnx"}
    write_card(tmp_path / "model.toml", top, one, {"embedding": "embedding", "dimensions": 3})
    card = read_card(tmp_path / "model.toml")
    assert card.needs == one
    write_card(tmp_path / "model.toml", top, needs(32), {"embedding": "embedding", "dimensions": 3})
    assert read_card(tmp_path / "model.toml").digest == card.digest, "where pixels lie changes no result"


def test_a_card_of_rgb_says_nothing_new(tmp_path: Path):
    (tmp_path / "model.onnx").write_bytes(b"")
    top = {"name": "three", "task": "encode", "file": "model.onnx"}
    write_card(tmp_path / "model.toml", top, ImageNeeds(32), {"embedding": "embedding", "dimensions": 3})
    text = (tmp_path / "model.toml").read_text(encoding="utf-8")
    assert not any(key in text for key in ("deep", "spacing", "unit"))


@pytest.mark.parametrize(
    ("written", "match"),
    [
        ('channels = "raw"', "how many channels"),
        ('channels = "raw"\nmean = [1, 2]\nstd = [1]', "'std'"),
        ("spacing = [1, 2, 3]", "'spacing'"),
        ("deep = 1", "'deep'"),
    ],
)
def test_cards_that_cannot_be_are_refused(tmp_path: Path, written: str, match: str):
    (tmp_path / "model.onnx").write_bytes(b"")
    text = (
        f'name = "x"\ntask = "encode"\nfile = "model.onnx"\n[input]\nsize = 8\n{written}\n[output]\nembedding = "e"\n'
    )
    (tmp_path / "model.toml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=match) as caught:
        read_card(tmp_path / "model.toml")
    assert all((caught.value.expected, caught.value.got, caught.value.hint))


def test_raw_values_are_not_scaled_where_a_card_does_not_say(tmp_path: Path):
    (tmp_path / "model.onnx").write_bytes(b"")
    text = (
        'name = "x"\ntask = "encode"\nfile = "model.onnx"\n[input]\nsize = 8\nchannels = "raw"\nmean = [1, 2]\n'
        '[output]\nembedding = "e"\n'
    )
    (tmp_path / "model.toml").write_text(text, encoding="utf-8")
    found = read_card(tmp_path / "model.toml").needs
    assert (found.scale, found.std, found.depth) == (1.0, (1.0, 1.0), 2)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32])
def test_made_smaller_they_keep_their_type_and_their_mean(dtype: type):
    pixels = np.random.default_rng(0).integers(0, 200, (16, 24, 6)).astype(dtype)
    found = shrink(pixels, (12, 8))
    assert (found.shape, found.dtype) == ((8, 12, 6), dtype)
    assert abs(float(found.mean()) - float(pixels.mean())) < 2
