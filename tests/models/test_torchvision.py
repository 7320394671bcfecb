"""Models of torchvision give what torchvision gives; their weights come in safetensors alone."""

from __future__ import annotations

import json
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from lucida.errors import ImageError, MissingExtra, ModelError, UnknownName
from lucida.images import Image
from lucida.models import find
from lucida.models.coco import VOC, numbered
from lucida.models.torchvision.table import MODELS

NAMES = ["__background__", "bolt", "crack", "nut"]
SMALL = {"ssdlite": "ssdlite320_mobilenet_v3_large", "lraspp": "lraspp_mobilenet_v3_large"}


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    draw = np.random.default_rng(3)
    small = draw.integers(0, 255, (9, 13, 3), np.uint8)
    return np.asarray(Pillow.fromarray(small).resize((110, 75), Pillow.Resampling.BICUBIC))


def made(network: str, file: Path, classes: list[str] | None = None, count: int = 4):
    """Write weights of a network that torchvision builds, and return it."""
    import torch
    import torchvision
    from safetensors.torch import save_file

    torch.manual_seed(0)
    model = torchvision.models.get_model(network, weights=None, weights_backbone=None, num_classes=count).eval()
    with torch.no_grad():
        for name, value in model.named_parameters():
            if "cls_score" in name or "classifier" in name:
                value.add_(torch.randn_like(value) * 0.3)
    save_file(model.state_dict(), file, {"classes": json.dumps(classes)} if classes else None)
    return model


def tensor(photo: np.ndarray):
    import torch

    return torch.from_numpy(photo.transpose(2, 0, 1).copy()).float() / 255


def header(file: Path, shapes: dict[str, list[int]], metadata: dict[str, str] | None = None) -> Path:
    """Write a safetensors file of zeros."""
    table: dict[str, object] = {"__metadata__": metadata} if metadata else {}
    end = 0
    for name, shape in shapes.items():
        size = 4 * int(np.prod(shape))
        table[name] = {"dtype": "F32", "shape": shape, "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(table).encode()
    file.write_bytes(struct.pack("<Q", len(text)) + text + bytes(end))
    return file


@pytest.mark.torch
@pytest.mark.parametrize("network", ["ssdlite320_mobilenet_v3_large", "fasterrcnn_mobilenet_v3_large_320_fpn"])
def test_boxes_are_those_of_torchvision(tmp_path, photo, network):
    import torch

    theirs = made(network, tmp_path / "mine.safetensors", NAMES)
    with torch.inference_mode():
        row = theirs([tensor(photo)])[0]
    spec = find(f"torchvision:{network}@{tmp_path / 'mine.safetensors'}")
    assert (spec.tasks, spec.gives.classes) == (("detect",), tuple(NAMES))
    assert find(spec.name).key == spec.key
    (found,) = spec.load().predict([Image(photo, "RGB")])
    assert len(found) == len(row["boxes"]) > 3
    order = np.argsort(-row["scores"].numpy(), kind="stable")
    np.testing.assert_allclose(found.xyxy, row["boxes"].numpy()[order], atol=1e-4)
    np.testing.assert_allclose(found.confidence, row["scores"].numpy()[order], atol=1e-4)
    assert found.class_id.tolist() == row["labels"].numpy()[order].tolist()


@pytest.mark.torch
def test_masks_are_those_of_torchvision(tmp_path, photo):
    import torch

    theirs = made("maskrcnn_resnet50_fpn", tmp_path / "mine.safetensors")
    model = find(f"torchvision:maskrcnn_resnet50_fpn@{tmp_path / 'mine.safetensors'}").load()
    for each in (theirs, model._model):
        each.transform.min_size = (96,)
        each.roi_heads.score_thresh, each.roi_heads.detections_per_img = 0.0, 6
    with torch.inference_mode():
        row = theirs([tensor(photo)])[0]
    (found,) = model.predict([Image(photo, "RGB")])
    assert len(found) == len(row["boxes"]) == len(found.masks) > 2
    np.testing.assert_allclose(found.xyxy, row["boxes"].numpy(), atol=1e-4)
    for k in range(len(found)):
        np.testing.assert_array_equal(found.mask(k), row["masks"][k, 0].numpy() > 0.5)


@pytest.mark.torch
def test_the_class_of_every_pixel_is_that_of_torchvision(tmp_path, photo):
    import torch
    from safetensors.torch import save_file
    from torchvision.models import get_model_weights

    theirs = made("lraspp_mobilenet_v3_large", tmp_path / "model.safetensors", count=21)
    prepare = get_model_weights("lraspp_mobilenet_v3_large").DEFAULT.transforms()
    with torch.inference_mode():
        before = theirs(prepare(Pillow.fromarray(photo))[None])["out"]
        # Random weights are sure of one class everywhere, unless that is taken off.
        theirs.classifier.low_classifier.bias -= before.mean((0, 2, 3))
        save_file(theirs.state_dict(), tmp_path / "model.safetensors")
        logits = theirs(prepare(Pillow.fromarray(photo))[None])["out"]
    logits = torch.nn.functional.interpolate(logits, photo.shape[:2], mode="bilinear", align_corners=False)[0]
    spec = find(f"lraspp@{tmp_path}")
    assert (spec.tasks, spec.gives.classes) == (("segment",), VOC)
    model = spec.load()
    (found,) = model.predict([Image(photo, "RGB")])
    assert len(np.unique(found.mask)) > 1
    # A PIL image is resized by another program than a tensor, within a grey level.
    assert (found.mask != logits.argmax(0).numpy()).mean() < 0.02
    with pytest.raises(ImageError, match="brought to the size"):
        model.predict([Image(np.zeros((1, 400, 3), np.uint8), "RGB")])
    assert model.predict([Image(np.zeros((1, 1, 3), np.uint8), "RGB")])[0].mask.shape == (1, 1)


@pytest.mark.torch
def test_names_are_those_that_torchvision_publishes():
    import torchvision

    for name, entry in MODELS.items():
        categories = torchvision.models.get_model_weights(name).DEFAULT.meta["categories"]
        assert tuple(categories) == (VOC if entry.way == "pixels" else numbered())


@pytest.mark.torch
@pytest.mark.parametrize("network", sorted(set(MODELS) - {"ssd300_vgg16"}))
def test_the_number_of_classes_is_read_off_the_weights(network):
    import torch
    import torchvision

    with torch.device("meta"):
        weights = torchvision.models.get_model(network, weights=None, weights_backbone=None, num_classes=7).state_dict()
    assert tuple(weights[MODELS[network].head].shape) == (7 * MODELS[network].times,)


def test_classes_of_coco_are_told_by_their_number(tmp_path):
    file = header(tmp_path / "w.safetensors", {MODELS["maskrcnn_resnet50_fpn_v2"].head: [91]})
    spec = find(f"maskrcnn@{file}")
    assert spec.gives.classes[1] == "person"
    assert spec.gives.classes[90] == "toothbrush"
    assert len(set(spec.gives.classes)) == 91, "those that COCO left out are told apart"
    assert spec.tasks == ("detect", "segment")
    assert "not stated" in spec.licence, "of weights of one's own"


def test_weights_are_converted_once_and_never_pickle(tmp_path, monkeypatch):
    monkeypatch.setenv("LUCIDA_CACHE", str(tmp_path))
    with pytest.raises(ModelError, match="not on this machine") as caught:
        find("maskrcnn")
    assert "maskrcnn_resnet50_fpn_v2.safetensors" in caught.value.expected
    assert "save_file(torchvision.models.get_model('maskrcnn_resnet50_fpn_v2', weights='DEFAULT')" in caught.value.hint
    (tmp_path / "torchvision").mkdir()
    header(
        tmp_path / "torchvision" / "maskrcnn_resnet50_fpn_v2.safetensors",
        {MODELS["maskrcnn_resnet50_fpn_v2"].head: [91]},
    )
    spec = find("MaskRCNN")
    assert spec.name == "torchvision:maskrcnn_resnet50_fpn_v2"
    assert spec.licence == "BSD-3-Clause"
    (tmp_path / "mine.pth").write_bytes(b"pickle")
    with pytest.raises(ModelError, match="pickle") as caught:
        find(f"fcn@{tmp_path / 'mine.pth'}")
    assert "weights_only=True" in caught.value.hint


def test_what_does_not_fit_is_refused(tmp_path):
    with pytest.raises(UnknownName, match="maskrcn_resnet50") as caught:
        find("torchvision:maskrcn_resnet50")
    assert "maskrcnn_resnet50_fpn" in caught.value.hint
    (tmp_path / "odd.safetensors").write_bytes(b"\xff" * 40)
    with pytest.raises(ModelError, match="cannot be read"):
        find(f"fcn@{tmp_path / 'odd.safetensors'}")
    file = header(tmp_path / "w.safetensors", {MODELS["fcn_resnet50"].head: [4]})
    with pytest.raises(ModelError, match="not those of retinanet"):
        find(f"retinanet@{file}")
    header(file, {MODELS["fcn_resnet50"].head: [4]}, {"classes": json.dumps(["a", "b"])})
    with pytest.raises(ModelError, match="do not fit its weights"):
        find(f"fcn@{file}")


def test_without_torchvision_the_error_says_what_to_install(tmp_path, monkeypatch):
    spec = find(f"fcn@{header(tmp_path / 'w.safetensors', {MODELS['fcn_resnet50'].head: [4]})}")
    monkeypatch.delitem(sys.modules, "lucida.models.torchvision.model", raising=False)
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(MissingExtra) as caught:
        spec.load()
    assert "[hub]" in caught.value.hint


@pytest.mark.torch
def test_weights_of_another_network_are_refused(tmp_path):
    file = header(tmp_path / "w.safetensors", {MODELS["fcn_resnet50"].head: [4]})
    with pytest.raises(ModelError, match="do not fit"):
        find(f"fcn@{file}").load()
    with pytest.raises(ModelError, match="int8"):
        find(f"fcn@{file}").load("int8")
