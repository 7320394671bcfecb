"""What a detector learns from: whole boxes, images without any, and a word on all that was left out."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision")

sys.path.insert(0, str(Path(__file__).parent))
from discs import CLASSES, discs, draw, sample  # noqa: E402

from lucida.data import Boxes, Samples  # noqa: E402
from lucida.errors import InputError, UnknownName  # noqa: E402
from lucida.models.needs import ImageNeeds  # noqa: E402
from lucida.train.detect.examples import Training, Validation, canvas  # noqa: E402
from lucida.train.detect.size import fitting_size  # noqa: E402

pytestmark = pytest.mark.torch
DATA, WHOLE = draw(0)


def boxes(*rows: tuple[float, float, float, float], label: str = "disc") -> Boxes:
    return Boxes(np.array(rows, np.float32).reshape(-1, 4), (label,) * len(rows))


def samples(*targets: Boxes | None) -> Samples:
    return Samples("detect", CLASSES, tuple(sample(f"{k}.png", DATA, t) for k, t in enumerate(targets)), "drawn")


def test_boxes_outside_are_cut_and_those_of_zero_size_left_out_and_both_are_said():
    training = Training(samples(boxes((80, 80, 200, 90), (10, 10, 10, 30), (20, 20, 40, 40), (300, 0, 400, 9))), 96)
    view = training.view(0)
    assert view.boxes.tolist() == [[80, 80, 96, 90], [20, 20, 40, 40]]
    notes = " ".join(training.notes)
    assert "2 clipped" in notes
    assert "Boxes of zero size: 2 left out (the first: 0.png)" in notes


def test_boxes_shrink_with_their_image():
    training = Training(samples(boxes((20, 20, 40, 60))), 48)
    assert training.view(0).image.shape == (3, 48, 48)
    assert training.view(0).boxes.tolist() == [[10, 10, 20, 30]]


def test_images_without_objects_stay_and_unknown_ones_do_not():
    training = Training(samples(WHOLE, boxes(), None), 96)
    assert len(training) == 2
    assert training.view(1).boxes.shape == (0, 4)
    assert any("nobody has said what objects are in them: 1." in note for note in training.notes)


def test_a_broken_image_is_passed_over_and_counted():
    given = samples(WHOLE, WHOLE)
    broken = replace(given, items=(*given.items, sample("broken.png", DATA[:60], WHOLE)))
    training = Training(broken, 96)
    assert len(training) == 2
    assert list(training.skipped) == ["broken.png"]


def test_no_box_at_all_is_refused():
    with pytest.raises(InputError, match="No image of the training part has a box"):
        Training(samples(boxes(), boxes((5, 5, 5, 5))), 96)
    with pytest.raises(InputError, match="No image of the validation part has a box"):
        Validation(samples(boxes()), ImageNeeds(96, "pad"))


def test_a_class_that_nobody_named_is_refused():
    with pytest.raises(UnknownName, match="square"):
        Training(samples(boxes((1, 1, 9, 9), label="sqare")), 96)


def test_validation_images_are_as_the_model_will_see_them():
    validation = Validation(discs(4, 3).of("validation"), ImageNeeds(64, "pad", "bilinear"))
    assert validation.images.shape == (3, 3, 64, 64)
    assert validation.frames[0].width == 96
    assert validation.truth[0]["boxes"].max() > 64  # in pixels of the whole image


@pytest.mark.parametrize(
    ("shapes", "expected"),
    [([(480, 640)] * 3, (256, 320)), ([(640, 480)], (320, 256)), ([(300, 300)], (320, 320)), ([(90, 900)], (32, 320))],
)
def test_views_have_the_usual_shape_of_the_images(shapes, expected):
    assert canvas(shapes, 320) == expected


def test_small_objects_want_larger_images():
    large, small = ((10, 10, 60, 60),) * 3, ((10, 10, 14, 14),) * 3
    both = Boxes(np.array([*large, *small], np.float32), ("disc",) * 3 + ("square",) * 3)
    assert fitting_size(samples(boxes(*large)), 320) == 320
    assert fitting_size(samples(both), 320) == 576  # 24 pixels for 4 of 96
    assert fitting_size(samples(boxes((10, 10, 12, 12), (30, 30, 32, 32), (50, 50, 52, 52))), 320) == 640
    assert fitting_size(samples(boxes()), 320) == 320


def test_a_class_of_hardly_any_objects_does_not_decide_the_size():
    assert fitting_size(samples(boxes((10, 10, 14, 14))), 320) == 320
