"""Two models as one: boxes of the first, pixels of the second."""

from __future__ import annotations

import numpy as np
import pytest

from lucida.errors import ModelError
from lucida.images import Image
from lucida.models import find
from lucida.models.composed.family import compose
from lucida.models.needs import ImageNeeds
from lucida.models.registry import claimed, licence
from lucida.models.spec import Gives, Model, Spec
from lucida.results import Detections, run_lengths

NEEDS = ImageNeeds(32, resize="fit")


class Finder(Model):
    """Finds an object in the middle, one that is unsure, and one outside, of the first class that it is told."""

    def predict(self, images):
        boxes = np.array([[2, 3, 8, 9], [1, 1, 4, 4], [-9, -9, -1, -1]], np.float32)
        scores = np.array([0.9, 0.05, 0.8], np.float32)
        return [Detections(boxes, scores, np.zeros(3, np.int64), self.spec.gives.classes) for _ in images]


class Outliner(Model):
    """Outlines the left half of a box."""

    def outline(self, image, hints):
        shapes = []
        for hint in hints:
            left, top, right, bottom = (int(side) for side in hint.box)
            mask = np.zeros(image.pixels.shape[:2], bool)
            mask[top:bottom, left : (left + right) // 2] = True
            shapes.append(run_lengths.encode(mask))
        boxes = np.zeros((len(hints), 4), np.float32)
        return Detections(boxes, boxes[:, 0], np.zeros(len(hints), np.int64), ("object",), tuple(shapes))


def spec(name: str, task: str, kind: type[Model], **more) -> Spec:
    return Spec(
        name, "test", (task,), NEEDS, Gives(least=0.3), f"licence of {name}", name, "1",
        build=lambda spec, precision, trial: kind(spec), **more,
    )  # fmt: skip


@pytest.fixture
def pair() -> tuple[Spec, Spec]:
    from dataclasses import replace

    plain = spec("finder", "detect", Finder)
    finder = replace(plain, look_for=lambda classes: replace(plain, gives=Gives(classes=tuple(classes), least=0.3)))
    return finder, spec("outliner", "outline", Outliner)


def test_what_one_finds_the_other_outlines(pair):
    both = compose(*pair).look_for(["bolt", "nut"])
    assert both.name == "finder+outliner"
    assert both.tasks == ("detect", "segment")
    assert both.licence == "licence of finder and licence of outliner"
    (found,) = both.load().predict([Image(np.zeros((12, 16, 3), np.uint8), "RGB")])
    assert found.labels == ("bolt",), "what is unsure or lies outside is not outlined"
    assert found.xyxy.tolist() == [[2, 3, 8, 9]]
    down, across = found.mask(0).nonzero()
    assert (across.min(), across.max(), down.min(), down.max()) == (2, 4, 3, 8)


def test_only_a_detector_and_an_outliner_make_a_pair(pair):
    finder, outliner = pair
    with pytest.raises(ModelError, match="cannot find objects") as caught:
        compose(outliner, finder)
    assert "outline" in caught.value.got
    with pytest.raises(ModelError, match="cannot outline"):
        find("blood-cells+blood-cells")
    assert claimed("owlv2+sam2")
    assert not claimed("nothing+sam2")
    assert licence("owlv2+sam2") == "Apache-2.0"


@pytest.mark.torch
def test_objects_by_words_with_their_pixels(tmp_path):
    from models.tiny_seeing import build

    name = f"{build('owlv2', tmp_path / 'owlv2')}+{build('sam2', tmp_path / 'sam2')}"
    both = find(name).look_for(["a cat"])
    assert find(both.name).key == both.key
    image = Image(np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8), "RGB")
    (found,) = both.load().predict([image])
    assert len(found) == len(found.masks)
    alone = find(name.split("+")[0]).look_for(["a cat"]).load().predict([image])[0].above(0.1)
    inside = alone.xyxy.clip(0, [80, 60, 80, 60])
    assert set(map(tuple, found.xyxy.tolist())) <= set(map(tuple, inside.tolist()))
