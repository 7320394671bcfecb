"""Boxes and points from what the networks give, for one piece of an image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from lucida.models.opencv_zoo.layouts import STRIDES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

OVERLAP: Final = 0.3  # intersection over union above which two boxes are of one thing
CANDIDATES: Final = 5000  # best of an image that are looked at
# Sides of the prior boxes at each stride, in pixels, and the share of them that one unit of an output moves a point.
SIDES: Final = ((10, 16, 24), (32, 48), (64, 96), (128, 192, 256))
VARIANCE: Final = 0.1
CORNERS: Final = (4, 6, 10, 12)  # where the corners of a plate stand among the values of a prior box


@dataclass(frozen=True)
class Found:
    """What was found, in no order.

    Attributes:
        boxes: Left, top, right, bottom, float32 (n, 4).
        scores: float32 (n,), 0 to 1.
        points: float32 (n, k, 2), across and down.
    """

    boxes: Floats
    scores: Floats
    points: Floats

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Found:
        """Return some of it."""
        return Found(self.boxes[rows], self.scores[rows], self.points[rows])

    def moved(self, scale: float, left: float, top: float) -> Found:
        """Return it in pixels of the image that a piece was cut from: first moved, then scaled."""
        shift = np.array([left, top], np.float32)
        boxes = ((self.boxes + np.tile(shift, 2)) / np.float32(scale)).astype(np.float32)
        return Found(boxes, self.scores, ((self.points + shift) / np.float32(scale)).astype(np.float32))


def joined(parts: list[Found]) -> Found:
    """Return all of them as one."""
    return Found(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("boxes", "scores", "points")))


def decode_grid(outputs: Mapping[str, Floats], size: tuple[int, int], least: float) -> Found:
    """Decode YuNet: at each stride a grid of places, of which each may be the middle of a face.

    Args:
        outputs: By name: "cls_8", "obj_8", "bbox_8", "kps_8", and the same of 16 and 32.
        size: Height and width of the input.
        least: Scores below it are left out.

    Returns:
        Points of a face: its right and left eye, the tip of its nose, the right and left corner of its mouth; right
        as the person has it, so on the left of the image.

    Source: `FaceDetectorYN` of OpenCV.
    """
    parts = []
    for stride in STRIDES:
        columns = size[1] // stride
        values = {name: outputs[f"{name}_{stride}"].reshape(-1, n) for name, n in (("cls", 1), ("obj", 1), ("bbox", 4))}
        scores = np.sqrt(np.clip(values["cls"], 0, 1) * np.clip(values["obj"], 0, 1))[:, 0]
        kept = np.flatnonzero(scores >= np.float32(least))
        place = np.stack([kept % columns, kept // columns], axis=1).astype(np.float32)
        box = values["bbox"][kept]
        # Beyond this a box is larger than any image.
        half = np.exp(np.minimum(box[:, 2:], 30).astype(np.float64)) * stride / 2
        middle = (place + box[:, :2]) * stride
        points = (outputs[f"kps_{stride}"].reshape(-1, 5, 2)[kept] + place[:, None]) * stride
        boxes = np.concatenate([middle - half, middle + half], axis=1).astype(np.float32)
        parts.append(Found(boxes, scores[kept].astype(np.float32), points.astype(np.float32)))
    return joined(parts)


def decode_priors(outputs: Mapping[str, Floats], size: tuple[int, int], least: float) -> Found:
    """Decode LPD-YuNet: prior boxes of several sides, of which each may hold a plate.

    Args:
        outputs: "loc" (priors, 14), "conf" (priors, 2) and "iou" (priors, 1).
        size: Height and width of the input.
        least: Scores below it are left out.

    Returns:
        Points of a plate: its four corners, in order around it; its box holds them all.

    Source: `LPD_YuNet` of OpenCV's zoo.
    """
    places, conf, iou = (outputs[name].reshape(-1, n) for name, n in (("loc", 14), ("conf", 2), ("iou", 1)))
    scores = np.sqrt(np.clip(conf[:, 1], 0, 1) * np.clip(iou[:, 0], 0, 1))
    kept = np.flatnonzero(scores >= np.float32(least))
    prior = priors(*size)[kept]
    points = np.stack([prior[:, :2] + places[kept, k : k + 2] * VARIANCE * prior[:, 2:] for k in CORNERS], axis=1)
    boxes = np.concatenate([points.min(axis=1), points.max(axis=1)], axis=1)
    return Found(boxes.astype(np.float32), scores[kept].astype(np.float32), points.astype(np.float32))


@lru_cache(maxsize=4)
def priors(height: int, width: int) -> Floats:
    """Return the middle and the sides of every prior box, in pixels, float32 (n, 4)."""
    rows, columns = (height + 1) // 2 // 2, (width + 1) // 2 // 2
    parts = []
    for level, sides in enumerate(SIDES):
        rows, columns, stride = rows // 2, columns // 2, 8 << level
        down, across = np.mgrid[0:rows, 0:columns]
        middles = (np.stack([across, down], axis=2).reshape(-1, 1, 2) + 0.5) * stride
        extents = np.repeat(np.array(sides, np.float64)[:, None], 2, axis=1)
        each = (rows * columns, len(sides), 2)
        parts.append(np.concatenate([np.broadcast_to(middles, each), np.broadcast_to(extents, each)], axis=2))
    return np.concatenate([part.reshape(-1, 4) for part in parts]).astype(np.float32)


def best_of(found: Found) -> NDArray[np.int64]:
    """Return the rows that stay, best first, where of several boxes that overlap the best alone is meant.

    Overlaps are of boxes whose edges are cut to whole pixels, as the reference has them.

    Source: `NMSBoxes` of OpenCV on `Rect2i`.
    """
    order = np.argsort(-found.scores, kind="stable")[:CANDIDATES]
    corner = found.boxes[order, :2].astype(np.int64)
    extent = (found.boxes[order, 2:] - found.boxes[order, :2]).astype(np.int64)
    areas = extent.prod(axis=1)
    alive, kept = np.ones(len(order), bool), []
    for row in range(len(order)):
        if not alive[row]:
            continue
        kept.append(row)
        low = np.maximum(corner[row], corner[row + 1 :])
        high = np.minimum(corner[row] + extent[row], corner[row + 1 :] + extent[row + 1 :])
        common = np.clip(high - low, 0, None).prod(axis=1)
        union = areas[row] + areas[row + 1 :] - common
        alive[row + 1 :] &= ~np.where(union > 0, common > OVERLAP * union, True)
    return order[np.array(kept, np.int64)]
