"""Detectors give what transformers' own pipelines give, in pixels of the image."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from PIL import Image as Pillow

from lucida.errors import ImageError, MissingExtra, ModelError
from lucida.images import Image
from lucida.models import find
from lucida.results import Detections
from lucida.runs.seeing import Seer, Wish
from pictures import inside

pytestmark = pytest.mark.torch
DETECTORS = ("detr", "rtdetr", "rtdetr-v2", "dfine", "yolos")


@pytest.mark.parametrize("name", DETECTORS)
def test_boxes_are_those_of_transformers(tiny, photo, name):
    import torch
    import transformers

    model = transformers.AutoModelForObjectDetection.from_pretrained(tiny(name))
    processor = transformers.AutoImageProcessor.from_pretrained(tiny(name))
    with torch.inference_mode():
        outputs = model(**processor(images=Pillow.fromarray(photo), return_tensors="pt"))
    expected = processor.post_process_object_detection(outputs, threshold=0.05, target_sizes=[photo.shape[:2]])[0]
    spec = find(str(tiny(name)))
    assert (spec.tasks, spec.gives.classes) == (("detect",), ("cat", "dog", "bird"))
    (found,) = spec.load().predict([Image(photo, "RGB")])
    order = np.argsort(-expected["scores"].numpy(), kind="stable")
    assert len(found) == len(order) > 3
    np.testing.assert_allclose(found.xyxy, inside(expected["boxes"].numpy()[order], photo), atol=1e-4)
    np.testing.assert_allclose(found.confidence, expected["scores"].numpy()[order], atol=1e-4)
    assert found.labels == tuple(model.config.id2label[k] for k in expected["labels"].numpy()[order].tolist())


def test_what_is_shown_is_what_the_pipeline_shows(tiny, photo):
    import io

    import transformers

    expected = transformers.pipeline("object-detection", model=str(tiny("rtdetr")))(Pillow.fromarray(photo))
    assert expected, "random weights are sure of something"
    file = io.BytesIO()
    Pillow.fromarray(photo).save(file, "PNG")
    seer = Seer(find(str(tiny("rtdetr"))), Wish(task="detect"))
    shown = seer.see([file.getvalue()])[0].result
    assert isinstance(shown, Detections)
    assert [one["label"] for one in expected] == list(shown.labels)
    boxes = [[one["box"][side] for side in ("xmin", "ymin", "xmax", "ymax")] for one in expected]
    np.testing.assert_array_equal(shown.xyxy.astype(int), inside(np.array(boxes), photo).astype(int))
    only = Seer(find(str(tiny("rtdetr"))), Wish(task="detect", classes=("dog",), least=0.1)).see([file.getvalue()])[0]
    assert set(only.result.labels) <= {"dog"}


def test_pictures_of_every_kind_and_size(tiny, photo):
    model = find(str(tiny("detr"))).load()
    grey = np.arange(40 * 60, dtype=np.uint16).reshape(40, 60) * 27
    kinds = [
        Image(np.full((1, 1, 3), 90, np.uint8), "RGB"),
        Image(grey, "I;16"),
        Image((grey // 256).astype(np.uint8), "L"),
        Image(np.dstack([photo, np.full((75, 110), 128, np.uint8)]), "RGBA"),
        Image(np.tile(photo, (40, 37, 1)), "RGB"),
    ]
    for image, found in zip(kinds, model.predict(kinds), strict=True):
        height, width = image.pixels.shape[:2]
        assert np.isfinite(found.xyxy).all()
        assert found.xyxy.min() >= 0
        assert found.xyxy[:, 2].max() <= width
        assert found.xyxy[:, 3].max() <= height
    with pytest.raises(ImageError, match="brought to the size"):
        model.predict([Image(np.zeros((1, 4000, 3), np.uint8), "RGB")])


def test_a_backbone_of_timm_is_loaded_without_a_network(tmp_path, photo):
    """As the published DETR: its config names a backbone of timm, and that it was pretrained."""
    import transformers

    from models.tiny_seeing import _HEADS, SQUARE, save

    folder = tmp_path / "timm"
    config = transformers.DetrConfig(use_timm_backbone=True, backbone="resnet18", num_queries=5, **_HEADS)
    save(transformers.DetrForObjectDetection(config), folder)
    transformers.DetrImageProcessor(size=SQUARE).save_pretrained(folder)
    table = json.loads((folder / "config.json").read_text())
    table = {key: value for key, value in table.items() if "backbone" not in key}
    table |= {"backbone": "resnet18", "use_timm_backbone": True, "use_pretrained_backbone": True}
    (folder / "config.json").write_text(json.dumps(table))
    assert len(find(str(folder)).load().predict([Image(photo, "RGB")])[0].classes) == 2


def test_what_cannot_be_run_says_so(tiny, monkeypatch):
    spec = find(str(tiny("detr")))
    with pytest.raises(ModelError, match="int8"):
        spec.load("int8")
    (tiny("rtdetr") / "preprocessor_config.json").rename(tiny("rtdetr") / "elsewhere")
    with pytest.raises(ModelError, match="how images are to be prepared"):
        find(str(tiny("rtdetr")))
    (tiny("rtdetr") / "elsewhere").rename(tiny("rtdetr") / "preprocessor_config.json")
    for name in [name for name in sys.modules if name.startswith("lucida.models.transformers.")]:
        if name.endswith(("running", "objects", "network")):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtra, match="transformers"):
        spec.load()
