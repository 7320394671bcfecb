"""Exports of the YOLO kind: recognised by their outputs, decoded as their authors decode, NMS as torchvision's."""

from __future__ import annotations

import json

import numpy as np
import pytest

from lucida.errors import InputError, ModelError, UnknownName
from lucida.images import Image
from lucida.models import find
from lucida.models.onnx.yolo.header import read_header
from lucida.models.onnx.yolo.layouts import LAYOUTS
from lucida.models.onnx.yolo.letterbox import letterbox, resize_linear
from lucida.runs.seeing import Seer, Wish
from models.tiny_yolo import PLACES, SIDE, candidates, write

NAMES = {0: "bolt", 1: "crack", 2: "nut"}
NAMED = {"names": str(NAMES), "stride": "32", "imgsz": f"[{SIDE}, {SIDE}]", "license": "AGPL-3.0"}
BLACK = np.zeros((SIDE, SIDE, 3), np.uint8)


def black(height: int = SIDE, width: int = SIDE) -> Image:
    return Image(np.zeros((height, width, 3), np.uint8), "RGB")


def corners(boxes: np.ndarray) -> np.ndarray:
    return np.concatenate([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2], axis=1)


def table(layout: str, seed: int = 1, classes: int = 3) -> np.ndarray:
    """What a network of a layout gives."""
    count = 3 * PLACES if layout == "v5" else PLACES
    boxes, scores = candidates(seed, count, classes)
    sure = np.ones((count, 1), np.float32)
    if layout == "v8":
        return np.concatenate([boxes, scores], axis=1).T
    if layout == "chosen":
        best = scores.argmax(axis=1)[:, None]
        return np.concatenate([corners(boxes), scores.max(axis=1, keepdims=True), best], axis=1)[:30]
    return np.concatenate([boxes, sure, scores], axis=1)


@pytest.mark.parametrize("layout", ["v5", "v6", "v8", "chosen"])
def test_a_layout_is_recognised_and_read(tmp_path, layout):
    values = table(layout)
    spec = find(f"onnx:{write(tmp_path / 'yolo.onnx', {'output0': values}, NAMED)}")
    assert spec.tasks == ("detect",)
    assert spec.gives.classes == ("bolt", "crack", "nut")
    assert (spec.licence, spec.needs.size, spec.gives.least) == ("AGPL-3.0", SIDE, 0.25)
    model = spec.load()
    assert model.layout is LAYOUTS[layout]
    (found,) = model.predict([Image(BLACK, "RGB")])
    # A black image of the right size moves nothing.
    rows = values.T if layout == "v8" else values
    scores = rows[:, 4] if layout == "chosen" else rows[:, {"v8": 4}.get(layout, 5) :].max(axis=1)
    assert found.confidence.max() == pytest.approx(scores.max(), abs=1e-5)
    assert (np.diff(found.confidence) <= 0).all()
    best = rows[scores.argmax()]
    box = best[:4] if layout == "chosen" else corners(best[None, :4])[0]
    np.testing.assert_allclose(found.xyxy[0], box.clip(0, SIDE), atol=1e-4)


@pytest.mark.torch
@pytest.mark.parametrize("layout", ["v5", "v8"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_boxes_that_stay_are_those_of_torchvision(tmp_path, layout, seed):
    import torch
    from torchvision.ops import batched_nms

    values = table(layout, seed)
    (found,) = find(f"onnx:{write(tmp_path / 'yolo.onnx', {'output0': values}, NAMED)}").load().predict([black()])
    rows = values.T if layout == "v8" else values
    each = rows[:, -3:]
    sure = each.max(axis=1) > 0.05
    boxes, scores, labels = corners(rows[sure, :4]), each[sure].max(axis=1), each[sure].argmax(axis=1)
    overlap = {"v5": 0.45, "v8": 0.7}[layout]
    keep = batched_nms(*(torch.from_numpy(np.ascontiguousarray(one)) for one in (boxes, scores, labels)), overlap)
    keep = keep.numpy()[:300]
    assert len(found) == len(keep) < len(boxes)
    np.testing.assert_allclose(found.xyxy, boxes[keep].clip(0, SIDE), atol=1e-4)
    assert found.class_id.tolist() == labels[keep].tolist()
    np.testing.assert_allclose(found.confidence, scores[keep], atol=1e-6)


def test_yolox_is_told_by_how_far_its_boxes_reach(tmp_path):
    draw = np.random.default_rng(0)
    values = np.concatenate(
        [
            draw.uniform(0, 1, (PLACES, 2)),
            draw.uniform(-0.3, 0.5, (PLACES, 2)),
            draw.uniform(0, 1, (PLACES, 1)),
            draw.uniform(0, 1, (PLACES, 80)),
        ],
        axis=1,
    ).astype(np.float32)
    spec = find(f"onnx:{write(tmp_path / 'yolox.onnx', {'output': values})}")
    assert spec.gives.classes[:3] == ("person", "bicycle", "car")
    assert len(set(spec.gives.classes)) == 80
    model = spec.load()
    assert model.layout is LAYOUTS["yolox"]
    (found,) = model.predict([black()])
    scores = values[:, 4:5] * values[:, 5:]
    place, label = np.unravel_index(scores.argmax(), scores.shape)
    # By hand: the first 64 places are 8 pixels apart, the next 16 are 16, the last 4 are 32.
    first, step, wide = (0, 8, 8) if place < 64 else (64, 16, 4) if place < 80 else (80, 32, 2)
    down, across = divmod(place - first, wide)
    middle, extent = (values[place, :2] + (across, down)) * step, np.exp(values[place, 2:4]) * step
    box = np.concatenate([middle - extent / 2, middle + extent / 2]).clip(0, SIDE)
    np.testing.assert_allclose(found.xyxy[0], box, rtol=1e-4, atol=1e-3)
    assert found.labels[0] == spec.gives.classes[label]


def test_boxes_lie_in_the_image_where_grey_was_around_it(tmp_path):
    """A wide image of 128 x 64 is halved, with 16 rows of grey above and below."""
    values = np.zeros((3 + 4, PLACES), np.float32)
    values[:5, 0] = (20, 30, 10, 8, 0.9)
    grey = 0.01 * 114 / 255 / 2
    model = find(f"onnx:{write(tmp_path / 'yolo.onnx', {'output0': values}, NAMED)}").load()
    (found,) = model.predict([black(64, 128)])
    box = (np.array([15, 26, 25, 34]) - (0, 16, 0, 16)) * 2
    np.testing.assert_allclose(found.xyxy[0], box + np.array([grey, grey, 3 * grey, 3 * grey]), atol=1e-3)
    assert found.labels[0] == "bolt"


@pytest.mark.torch
def test_masks_are_those_of_the_prototypes(tmp_path):
    import torch

    draw = np.random.default_rng(5)
    boxes, scores = candidates(5, PLACES, 3)
    coefficients = draw.normal(0, 1, (PLACES, 8)).astype(np.float32)
    prototypes = draw.normal(0, 1, (8, SIDE // 4, SIDE // 4)).astype(np.float32)
    values = np.concatenate([boxes, scores, coefficients], axis=1).T
    path = write(tmp_path / "yolo.onnx", {"output0": values, "output1": prototypes}, NAMED)
    spec = find(f"onnx:{path}")
    assert spec.tasks == ("detect", "segment")
    (found,) = spec.load().predict([black(2 * SIDE, 2 * SIDE)])
    assert len(found.masks) == len(found) > 3
    place = np.abs(corners(boxes)[None] * 2 - found.xyxy[:, None]).sum(axis=2).argmin(axis=1)
    for row, where in enumerate(place.tolist()):
        logits = torch.from_numpy(np.tensordot(coefficients[where], prototypes, 1))[None, None]
        whole = torch.nn.functional.interpolate(logits, size=(2 * SIDE, 2 * SIDE), mode="bilinear")[0, 0].numpy() > 0
        left, top, right, bottom = found.xyxy[row]
        down, across = np.mgrid[: 2 * SIDE, : 2 * SIDE]
        inside = (across >= left) & (across < right) & (down >= top) & (down < bottom)
        assert (found.mask(row) != (whole & inside)).mean() < 0.002


def test_a_file_with_free_sizes_is_run_to_know_them(tmp_path):
    path = write(tmp_path / "yolo.onnx", {"output0": table("v8")}, NAMED, free=True)
    assert read_header(path).outputs == {"output0": (None, None, None)}
    spec = find(str(path))
    assert spec.gives.classes == ("bolt", "crack", "nut")
    assert len(spec.load().predict([black()])[0])


def test_with_a_toml_it_is_told_what_it_is(tmp_path):
    write(tmp_path / "yolo.onnx", {"extra": np.zeros((2, 2)), "output0": table("v8")})
    (tmp_path / "names.json").write_text(json.dumps(["a", "b", "c"]))
    lines = ['name = "mine"', 'task = "detect"', 'file = "yolo.onnx"', "[input]", 'name = "images"', f"size = {SIDE}"]
    lines += ["[output]", 'raw = ["output0"]', 'classes = "names.json"', "[decode]", 'kind = "yolo"']
    card = tmp_path / "mine.toml"
    card.write_text("\n".join([*lines, 'layout = "v8"', "overlap = 0.3", "most = 5"]))
    spec = find(f"onnx:{tmp_path / 'yolo.onnx'}")
    assert spec.gives.classes == ("a", "b", "c")
    assert 1 <= len(spec.load().predict([black()])[0]) <= 5
    card.write_text("\n".join([*lines, 'layout = "v5"']))
    with pytest.raises(ModelError, match="not known here") as caught:
        find(str(card)).load()
    assert "YOLOv5" in caught.value.expected
    card.write_text("\n".join([*lines, 'layout = "v99"']))
    with pytest.raises(InputError, match="layout"):
        find(str(card)).load()
    card.write_text("\n".join([*lines, "iou = 0.3"]))
    with pytest.raises(UnknownName, match="iou"):
        find(str(card)).load()


@pytest.mark.parametrize(
    ("outputs", "said"),
    [
        ({"boxes": np.zeros((7, 4)), "scores": np.zeros((7, 3))}, "boxes (?, 7, 4), scores (?, 7, 3)"),
        ({"output0": np.zeros((4 + 5, PLACES))}, f"output0 (?, 9, {PLACES})"),
        ({"output0": np.zeros((5,))}, "output0 (?, 5)"),
    ],
)
def test_an_unknown_layout_says_what_was_found(tmp_path, outputs, said):
    with pytest.raises(ModelError) as caught:
        find(str(write(tmp_path / "odd.onnx", outputs, NAMED)))
    error = caught.value
    assert said in error.got
    assert "64 x 64" in error.got
    assert "YOLOv8" in error.expected
    assert "TOML" in error.hint


def test_what_is_no_detector_is_refused(tmp_path):
    (tmp_path / "odd.onnx").write_bytes(b"this is no ONNX file at all, not even nearly")
    with pytest.raises(ModelError, match="cannot be read"):
        find(str(tmp_path / "odd.onnx"))
    with pytest.raises(ModelError, match="no model at"):
        find(str(tmp_path / "missing.onnx"))
    values = table("chosen")
    values[:, 5] = 7
    model = find(str(write(tmp_path / "yolo.onnx", {"output0": values}, NAMED))).load()
    with pytest.raises(ModelError, match="no name") as caught:
        model.predict([black()])
    assert "class 7" in caught.value.got


def test_images_are_scaled_as_opencv_does():
    cv2 = pytest.importorskip("cv2")
    draw = np.random.default_rng(0)
    for height, width in ((300, 400), (31, 17), (1, 1), (1, 50), (640, 480)):
        pixels = draw.integers(0, 256, (height, width, 3), np.uint8)
        for shape in ((64, 64), (50, 21), (200, 333)):
            expected = cv2.resize(pixels, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
            assert np.abs(resize_linear(pixels, shape).astype(int) - expected).max() <= 1
    pixels = draw.integers(0, 256, (300, 400, 3), np.uint8)
    values, place = letterbox(pixels, (64, 64), LAYOUTS["v8"])
    square = cv2.copyMakeBorder(cv2.resize(pixels, (64, 48)), 8, 8, 0, 0, cv2.BORDER_CONSTANT, value=(114,) * 3)
    assert np.abs(values - square.transpose(2, 0, 1) / 255).max() <= 1.01 / 255
    assert (place.left, place.top) == (0, 8)
    values, place = letterbox(pixels, (64, 64), LAYOUTS["yolox"])
    assert (place.left, place.top) == (0, 0)
    assert np.abs(values[:, :48] - cv2.resize(pixels, (64, 48))[..., ::-1].transpose(2, 0, 1)).max() <= 1
    assert (values[:, 48:] == 114).all()


def test_pictures_of_every_kind_and_size(tmp_path):
    model = find(str(write(tmp_path / "yolo.onnx", {"output0": table("v8")}, NAMED))).load()
    grey = np.arange(40 * 60, dtype=np.uint16).reshape(40, 60) * 27
    kinds = [
        black(1, 1),
        black(1, 4000),
        Image(grey, "I;16"),
        Image(np.full((20, 30, 4), 128, np.uint8), "RGBA"),
        black(3000, 4000),
    ]
    for image, found in zip(kinds, model.predict(kinds), strict=True):
        height, width = image.pixels.shape[:2]
        assert (found.xyxy >= 0).all()
        assert (found.xyxy <= (width, height, width, height)).all()


def test_what_is_not_sure_is_shown_on_request(tmp_path):
    import io

    from PIL import Image as Pillow

    spec = find(str(write(tmp_path / "yolo.onnx", {"output0": table("v8")}, NAMED)))
    file = io.BytesIO()
    Pillow.fromarray(BLACK).save(file, "PNG")
    usual = Seer(spec, Wish()).see([file.getvalue()])[0].result
    assert usual.confidence.min() >= 0.25
    assert len(Seer(spec, Wish(least=0.05)).see([file.getvalue()])[0].result) > len(usual)
