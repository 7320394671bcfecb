"""COCO's mean average precision, as the field reports it.

Source: Lin et al. 2014, Microsoft COCO; computed by torchmetrics on faster-coco-eval.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

import torch
from torch import Tensor

from lucida.errors import MissingExtra
from lucida.results import Detections, Result

PACKAGES = {"torchmetrics": "torchmetrics", "faster_coco_eval": "faster-coco-eval"}


def need_metrics() -> None:
    """Make sure that what measures detectors is installed, before hours are spent.

    Raises:
        MissingExtra: A package is missing.
    """
    for module, package in PACKAGES.items():
        if find_spec(module) is None:
            raise MissingExtra(package, "train", "Measuring a detector")


def average_precision(
    found: Sequence[Result], truth: Sequence[dict[str, Tensor]], classes: Sequence[str]
) -> dict[str, float]:
    """Return "map_50", "map" (over overlaps from 0.5 to 0.95), and "map_50_CLASS" of each class that occurs.

    Args:
        found: What was found in each image.
        truth: What there is: "boxes" float32 (k, 4), "labels" int64 (k,).
        classes: Names of the classes.
    """
    from torchmetrics.detection import MeanAveragePrecision

    both = {}
    for name, thresholds in (("map", None), ("map_50", [0.5])):
        # Of several processes the first one judges alone: it must not wait for figures of the others.
        options = {"backend": "faster_coco_eval", "class_metrics": True, "sync_on_compute": False}
        metric = MeanAveragePrecision(iou_thresholds=thresholds, **options)
        metric.update([_tensors(one) for one in found], list(truth))
        both[name] = metric.compute()
    there = both["map_50"]["classes"].reshape(-1).tolist()
    each = both["map_50"]["map_per_class"].reshape(-1).tolist()
    return {
        "map_50": float(both["map_50"]["map"]),
        "map": float(both["map"]["map"]),
        **{f"map_50_{classes[k]}": value for k, value in zip(there, each, strict=True)},
    }


def _tensors(found: Result) -> dict[str, Tensor]:
    assert isinstance(found, Detections), "a detector gives nothing else"
    return {
        "boxes": torch.from_numpy(found.xyxy),
        "scores": torch.from_numpy(found.confidence),
        "labels": torch.from_numpy(found.class_id),
    }
