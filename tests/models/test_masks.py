"""Masks and heat maps from what networks give, in pixels of the image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.special import softmax

from lucida.errors import InputError, ModelError, UnknownName
from lucida.models.needs import ImageNeeds
from lucida.models.onnx.card import read_card, write_card
from lucida.models.onnx.heat import HeatDecoder, cells, decode_heat, mean_of_top
from lucida.models.onnx.masks import MaskDecoder, decode_masks

CLASSES = ("background", "crack", "stain")


def card(folder: Path, task: str, decode: dict, *, resize: str = "pad"):
    (folder / "model.onnx").write_bytes(b"")
    (folder / "classes.txt").write_text("\n".join(CLASSES), encoding="utf-8")
    top = {"name": "own", "task": task, "file": "model.onnx"}
    output = {"raw": ["out"], "classes": "classes.txt"}
    write_card(folder / "model.toml", top, ImageNeeds(32, resize), output, decode=decode)
    return read_card(folder / "model.toml")


def test_at_the_size_of_the_image_each_pixel_gets_its_likeliest_class():
    logits = np.random.default_rng(0).normal(size=(3, 16, 16)).astype(np.float32)
    frame = ImageNeeds(16, "pad").frame(16, 16)
    (found,) = MaskDecoder(CLASSES, 16)([logits[None]], [frame])
    expected = softmax(logits, axis=0)
    np.testing.assert_array_equal(found.mask, expected.argmax(axis=0))
    np.testing.assert_allclose(found.confidence, expected.max(axis=0), rtol=1e-5)


def test_what_was_laid_around_an_image_is_taken_away_again():
    # An image of 20 x 10 in a square of 32: scaled by 1.6, with 8 rows above and below; maps at half the size.
    needs = ImageNeeds(32, "pad")
    logits = np.zeros((3, 16, 16), np.float32)
    logits[2, :4] = logits[2, 12:] = 9.0  # the border says something else
    logits[0, :, :8] = logits[1, 4:12, 8:] = 5.0
    (found,) = MaskDecoder(CLASSES, 32)([logits[None]], [needs.frame(20, 10)])
    assert found.mask.shape == (10, 20)
    assert (found.mask[:, :10] == 0).all()
    assert (found.mask[:, 10:] == 1).all()
    assert found.to_json()["shares"] == {"background": 0.5, "crack": 0.5, "stain": 0.0}


def test_one_map_for_each_class_is_asked_for():
    with pytest.raises(ModelError, match="one map for each class"):
        MaskDecoder(CLASSES, 16)([np.zeros((1, 2, 8, 8), np.float32)], [ImageNeeds(16, "pad").frame(16, 16)])


def test_a_card_names_the_decoders(tmp_path: Path):
    assert decode_masks(card(tmp_path, "segment", {"kind": "masks"})) == MaskDecoder(CLASSES, 32)
    assert decode_heat(card(tmp_path, "anomaly", {"kind": "heat", "top": 0.5})) == HeatDecoder(32, 0.5)
    with pytest.raises(UnknownName, match="size"):
        decode_masks(card(tmp_path, "segment", {"kind": "masks", "size": 3}))


def test_pixels_that_are_cut_off_cannot_be_segmented(tmp_path: Path):
    with pytest.raises(InputError, match="cuts images"):
        decode_masks(card(tmp_path, "segment", {"kind": "masks"}, resize="crop"))


def test_the_border_of_an_image_is_not_odd():
    heat = np.full((16, 16), 0.5, np.float32)
    heat[:3] = 50.0
    heat[6, 10] = 2.0
    (found,) = HeatDecoder(32, 0.005)([heat[None]], [ImageNeeds(32, "pad").frame(20, 10)])
    assert found.score == 2.0
    assert found.to_json()["odd"]
    assert found.heat.shape == (10, 20)
    assert np.unravel_index(found.heat.argmax(), found.heat.shape) in {(3, 12), (3, 13), (2, 13), (2, 12)}
    assert found.heat.max() <= 2.0


def test_places_that_see_a_part_of_the_image_count():
    assert cells(ImageNeeds(32, "pad").frame(20, 10), 32, (8, 8)) == (slice(2, 6), slice(0, 8))


def test_the_score_is_the_mean_of_the_oddest_places():
    heat = np.arange(100, dtype=np.float32).reshape(10, 10)
    assert mean_of_top(heat, 0.03) == pytest.approx(98.0)
    assert mean_of_top(heat[:1], 0.001) == 9.0
