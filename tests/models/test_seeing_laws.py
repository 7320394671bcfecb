"""What holds for every model that finds, segments or outlines, whatever its family."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

import numpy as np
import pytest

from lucida.errors import MissingExtra
from lucida.images import Image
from lucida.models import Model, Spec, find
from lucida.models.spec import Hint
from lucida.results import Detections, Segmentation

HUB = (
    *("detr", "rtdetr", "rtdetr-v2", "dfine", "yolos", "owlv2", "owlvit", "grounding-dino", "clipseg"),
    *("segformer", "upernet", "mask2former-instance", "mask2former-panoptic", "mask2former-semantic", "maskformer"),
    *("oneformer", "sam", "sam2", "sam2-video", "owlv2+sam2"),
)
OWN = ("blood-cells", "tile-defects", "yolo")
SHAPES = ((60, 80, 3), (60, 80, 3), (75, 50, 3))
HINTS = [Hint(((20, 30), (5, 5)), (True, False)), Hint(box=(5, 6, 40, 30))]


@pytest.fixture(scope="module", params=[*OWN, *(pytest.param(name, marks=pytest.mark.torch) for name in HUB)])
def spec(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Spec:
    folder, name = tmp_path_factory.mktemp("models"), request.param
    if name == "yolo":
        from models.test_yolo import NAMED, table
        from models.tiny_yolo import write

        return find(str(write(folder / "yolo.onnx", {"output0": table("v8")}, NAMED)))
    if name in OWN:
        return find(name)
    from models.tiny_seeing import build

    found = find("+".join(str(build(part, folder / part)) for part in name.split("+")))
    return found.look_for(["a cat", "red hat"]) if found.look_for else found


@pytest.fixture(scope="module")
def model(spec: Spec) -> Model:
    return spec.load()


@pytest.fixture(scope="module")
def act(model: Model) -> Callable:
    if "outline" in model.spec.tasks:
        return lambda images: [model.outline(image, HINTS) for image in images]
    return model.predict


@pytest.fixture(scope="module")
def images() -> list[Image]:
    draw = np.random.default_rng(1)
    found = []
    for shape in SHAPES:
        small = draw.integers(0, 255, (5, 5, 3), np.uint8)
        pixels = small[np.arange(shape[0])[:, None] * 5 // shape[0], np.arange(shape[1]) * 5 // shape[1]].copy()
        pixels.setflags(write=False)
        found.append(Image(pixels, "RGB"))
    return found


def assert_close(one, other) -> None:
    assert type(one) is type(other)
    if isinstance(one, Segmentation):
        assert one.classes == other.classes
        # Where two classes are as likely, the last digit decides.
        assert (one.mask != other.mask).mean() < 0.01
        np.testing.assert_allclose(one.confidence, other.confidence, atol=1e-3)
        return
    assert len(one) == len(other)
    np.testing.assert_allclose(one.confidence, other.confidence, atol=1e-4)
    # Equally sure objects may change places.
    key = [np.lexsort([*each.xyxy.round(1).T, each.confidence.round(3)]) for each in (one, other)]
    np.testing.assert_allclose(one.xyxy[key[0]], other.xyxy[key[1]], atol=0.02)


def test_together_they_give_what_each_gives_alone(act, images):
    for one, other in zip(act(images), (act([image])[0] for image in images), strict=True):
        assert_close(one, other)


def test_the_images_stay_as_they_were_and_results_the_same(act, images):
    before = [image.pixels.copy() for image in images]
    first, again = act(images[:1]), act(images[:1])
    assert all(np.array_equal(image.pixels, pixels) for image, pixels in zip(images, before, strict=True))
    assert_close(first[0], again[0])


def test_results_fit_their_image(act, images):
    assert act([]) == []
    for found, image in zip(act(images), images, strict=True):
        height, width = image.pixels.shape[:2]
        assert isinstance(found, Detections | Segmentation)
        json.dumps(found.to_json(), allow_nan=False)
        if isinstance(found, Segmentation):
            assert found.mask.shape == (height, width)
            assert found.mask.max() < len(found.classes)
            assert ((found.confidence >= 0) & (found.confidence <= 1 + 1e-5)).all()
            continue
        assert np.isfinite(found.xyxy).all()
        assert (found.xyxy[:, 2:] >= found.xyxy[:, :2]).all()
        assert ((found.confidence >= 0) & (found.confidence <= 1)).all()
        assert "object" in found.labels or (np.diff(found.confidence) <= 1e-6).all(), "the surest first"
        assert all(found.mask(k).shape == (height, width) for k in range(len(found.masks)))
        assert len(found.masks) in (0, len(found))
        assert type(found).of_items(found.items()).labels == found.labels


def test_a_spec_says_what_it_is(spec):
    assert spec.tasks
    assert spec.licence
    assert spec.source
    assert spec.revision
    assert spec.note
    assert find(spec.name).key == spec.key, "a model is found again under its own name"


@pytest.mark.torch
def test_without_transformers_it_says_what_to_install(spec, monkeypatch):
    if spec.family not in ("transformers", "composed"):
        pytest.skip("needs no transformers")
    for name in [name for name in sys.modules if name.startswith("lucida.models.transformers.")]:
        if name.rsplit(".", 1)[1] not in ("seeing", "reader", "captioning", "wording"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtra) as caught:
        spec.load()
    assert "[hub]" in caught.value.hint
