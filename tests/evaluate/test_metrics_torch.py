"""Metrics against torchmetrics and faster-coco-eval, which the field quotes."""

from __future__ import annotations

import numpy as np
import pytest

from lucida.evaluate import metrics
from lucida.evaluate.metrics.detection import detected
from lucida.results import Detections

torch = pytest.importorskip("torch")
pytest.importorskip("torchmetrics")
pytestmark = pytest.mark.torch

CLASSES = ("cat", "dog", "hen")


def test_calibration_tags_and_iou_are_those_of_torchmetrics() -> None:
    from torchmetrics.functional.classification import (
        multiclass_calibration_error,
        multiclass_jaccard_index,
        multilabel_average_precision,
        multilabel_f1_score,
    )

    random = np.random.default_rng(0)
    truth = random.integers(0, 5, 400)
    logits = random.normal(size=(400, 5)) + np.eye(5)[truth]
    sure = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    theirs = multiclass_calibration_error(torch.from_numpy(sure), torch.from_numpy(truth), 5, n_bins=15)
    assert metrics.expected_calibration_error(sure, truth)[0] == pytest.approx(float(theirs), abs=1e-6)
    tags = (random.random((400, 5)) < 0.3).astype(np.float64)
    both = torch.from_numpy(sure), torch.from_numpy(tags).int()
    assert metrics.mean_average_precision(sure, tags)[0] == pytest.approx(float(multilabel_average_precision(*both, 5)))
    f1 = float(multilabel_f1_score(*both, 5, threshold=0.3))
    assert metrics.tag_f1((sure > 0.3).astype(np.float64), tags)[0] == pytest.approx(f1, abs=1e-6)
    masks = random.integers(0, 3, (2, 4, 16, 16))
    pixels = metrics.pixels_of([metrics.confusion_of(t, f, 3) for t, f in zip(*masks, strict=True)])
    jaccard = multiclass_jaccard_index(torch.from_numpy(masks[1]), torch.from_numpy(masks[0]), 3)
    assert pixels.mean_iou()[0] == pytest.approx(float(jaccard), abs=1e-6)


def _scene(seed: int, images: int = 30) -> tuple[list[Detections], list[tuple[np.ndarray, np.ndarray]]]:
    random = np.random.default_rng(seed)
    found, truth = [], []
    for _ in range(images):
        k = int(random.integers(0, 7))
        corners = random.uniform(0, 80, (k, 2))
        boxes = np.concatenate([corners, corners + random.uniform(8, 40, (k, 2))], axis=1)
        labels = random.integers(0, 3, k)
        extra = random.uniform(0, 60, (3, 2))
        near = np.concatenate([boxes + random.normal(0, 3, boxes.shape), np.c_[extra, extra + 20]])
        near[:, 2:] = np.maximum(near[:, 2:], near[:, :2] + 1)
        names = np.r_[np.where(random.random(k) < 0.8, labels, random.integers(0, 3, k)), random.integers(0, 3, 3)]
        sure = random.random(len(near)).round(2)  # ties
        order = np.argsort(-sure, kind="stable")
        found.append(
            Detections(
                near[order].astype(np.float32), sure[order].astype(np.float32), names[order].astype(np.int64), CLASSES
            )
        )
        truth.append((boxes.astype(np.float32), labels.astype(np.int64)))
    return found, truth


def _reference(found: list[Detections], truth: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Return average precision as COCO has it, (overlaps, classes), nan without objects."""
    from faster_coco_eval import COCO, COCOeval_faster

    said, there = [], []
    for image, ((boxes, labels), one) in enumerate(zip(truth, found, strict=True), 1):
        for box, k in zip(boxes.tolist(), labels.tolist(), strict=True):
            size = [box[2] - box[0], box[3] - box[1]]
            there.append(
                {"id": len(there) + 1, "image_id": image, "category_id": k + 1, "bbox": [*box[:2], *size],
                 "area": size[0] * size[1], "iscrowd": 0}
            )  # fmt: skip
        for box, score, k in zip(one.xyxy.tolist(), one.confidence.tolist(), one.class_id.tolist(), strict=True):
            wide = [*box[:2], box[2] - box[0], box[3] - box[1]]
            said.append({"image_id": image, "category_id": k + 1, "bbox": wide, "score": score})
    data = COCO(
        {
            "images": [{"id": i + 1, "width": 200, "height": 200} for i in range(len(found))],
            "annotations": there,
            "categories": [{"id": k + 1, "name": name} for k, name in enumerate(CLASSES)],
        }
    )
    judge = COCOeval_faster(data, data.loadRes(said), "bbox", print_function=lambda *_: None)
    judge.evaluate()
    judge.accumulate()
    precision = np.asarray(judge.eval["precision"])[:, :, :, 0, -1]
    return np.where((precision > -1).all(axis=1), precision.mean(axis=1), np.nan)


@pytest.mark.parametrize("seed", range(6))
def test_average_precision_is_that_of_coco(seed: int) -> None:
    found, truth = _scene(seed)
    ours, theirs = detected(found, truth, CLASSES), _reference(found, truth)
    assert ours.each()[0] == pytest.approx(theirs.mean(axis=0), abs=1e-6)
    assert ours.each(overlaps=(0,))[0] == pytest.approx(theirs[0], abs=1e-6)
    assert ours.map()[0] == pytest.approx(np.nanmean(theirs), abs=1e-6)


def test_images_that_count_twice_have_their_boxes_twice() -> None:
    found, truth = _scene(9, 12)
    weights = np.random.default_rng(0).integers(0, 3, 12)
    rows = np.repeat(np.arange(12), weights)
    once = detected(found, truth, CLASSES).each(weights[None].astype(np.float64))[0]
    again = _reference([found[row] for row in rows], [truth[row] for row in rows]).mean(axis=0)
    # Boxes of equal scores may stand in another order.
    assert once == pytest.approx(again, abs=0.02)
