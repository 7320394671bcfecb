"""COCO's average precision, for many weightings of the images at once.

Boxes are matched once, as COCO does (best first, each object at most once, at most 100 boxes an image and class); an
image that counts twice then has its boxes and objects twice.

Source: Lin et al. 2014, Microsoft COCO; the rules are those of its own `cocoeval`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from lucida.evaluate.metrics.classification import mean_known, ratio
from lucida.evaluate.resample import ones
from lucida.models.onnx.boxes import intersection_over_union

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lucida.results import Detections

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]

OVERLAPS: Final = np.linspace(0.5, 0.95, 10)
RECALLS: Final = np.linspace(0, 1, 101)
MOST: Final = 100


@dataclass(frozen=True, eq=False)
class Matches:
    """How the boxes of one class fared.

    Attributes:
        scores: Of all boxes of all images, best first, float64 (d,).
        image: Row of the image of each, int64 (d,).
        hits: Whether each is an object that no better box has found, bool (overlaps, d).
        objects: How many there are in each image, float64 (n,).
    """

    scores: Floats
    image: NDArray[np.int64]
    hits: Flags
    objects: Floats

    def average_precision(self, weights: Floats, overlap: int) -> Floats:
        """Return the interpolated precision over 101 recalls, (b,), NaN without objects.

        Args:
            weights: How often each image counts, (b, n).
            overlap: Index into `OVERLAPS`.
        """
        total = weights @ self.objects
        if not len(self.scores):
            return np.where(total > 0, 0.0, np.nan)
        taken = weights[:, self.image]
        won = np.cumsum(taken * self.hits[overlap], axis=1)
        precision = np.nan_to_num(ratio(won, np.cumsum(taken, axis=1)))
        precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        recall = np.nan_to_num(ratio(won, np.broadcast_to(total[:, None], won.shape)))
        places = _first_reaching(recall)
        padded = np.concatenate([precision, np.zeros((len(weights), 1))], axis=1)
        found = np.take_along_axis(padded, np.minimum(places, won.shape[1]), axis=1).mean(axis=1)
        return np.where(total > 0, found, np.nan)


def _first_reaching(recall: Floats) -> NDArray[np.int64]:
    """Return where rising recalls (b, d) first reach each of `RECALLS`, (b, 101); d where they do not."""
    if len(recall) == 1:
        return np.searchsorted(recall[0], RECALLS)[None]  # bit for bit as COCO does
    # All rows in one search: recalls lie within 0 to 1, so a row is told from the next by an offset of 2.
    offsets = 2.0 * np.arange(len(recall))[:, None]
    places = np.searchsorted((recall + offsets).ravel(), (RECALLS - 1e-12 + offsets).ravel())
    return np.asarray(places.reshape(len(recall), -1) - np.arange(len(recall))[:, None] * recall.shape[1])


def match_class(
    found: Sequence[tuple[Floats, Floats]], truth: Sequence[Floats], overlaps: Floats = OVERLAPS
) -> Matches:
    """Match the boxes of one class over all images.

    Args:
        found: Of each image: boxes (d, 4) and their scores (d,).
        truth: Of each image: boxes (k, 4).
        overlaps: Intersection over union from which a box has found an object.
    """
    scores, images, hits = [], [], []
    for row, ((boxes, sure), objects) in enumerate(zip(found, truth, strict=True)):
        order = np.argsort(-sure, kind="stable")[:MOST]
        scores.append(sure[order])
        images.append(np.full(len(order), row))
        hits.append(match_image(boxes[order], objects, overlaps))
    every = np.concatenate(scores) if scores else np.zeros(0)
    order = np.argsort(-every, kind="stable")
    return Matches(
        every[order].astype(np.float64),
        np.concatenate(images).astype(np.int64)[order] if images else np.zeros(0, np.int64),
        np.concatenate(hits, axis=1)[:, order] if hits else np.zeros((len(overlaps), 0), bool),
        np.array([len(objects) for objects in truth], np.float64),
    )


def match_image(boxes: Floats, objects: Floats, overlaps: Floats = OVERLAPS) -> Flags:
    """Return which boxes (d, 4), best first, have found an object of (k, 4), bool (overlaps, d)."""
    return partners(boxes, objects, overlaps) >= 0


def partners(boxes: Floats, objects: Floats, overlaps: Floats) -> NDArray[np.int64]:
    """Return the row of the object that each box has found, int64 (overlaps, d), -1 where it has found none."""
    found = np.full((len(overlaps), len(boxes)), -1)
    if not len(boxes) or not len(objects):
        return found
    common = intersection_over_union(boxes.astype(np.float32), objects.astype(np.float32)).astype(np.float64)
    free = np.ones((len(overlaps), len(objects)), bool)
    level = np.arange(len(overlaps))
    for row, each in enumerate(common):
        fitting = np.where(free & (each >= np.minimum(overlaps, 1 - 1e-10)[:, None]), each, -1.0)
        # Of equals COCO takes the last.
        best = len(objects) - 1 - fitting[:, ::-1].argmax(axis=1)
        hit = fitting[level, best] >= 0
        found[hit, row] = best[hit]
        free[level[hit], best[hit]] = False
    return found


@dataclass(frozen=True, eq=False)
class Detected:
    """How all boxes of all classes fared.

    Attributes:
        classes: Names.
        matches: Of each class.
    """

    classes: tuple[str, ...]
    matches: tuple[Matches, ...]

    def each(self, weights: Floats | None = None, *, overlaps: Sequence[int] = range(len(OVERLAPS))) -> Floats:
        """Return the average precision of each class, averaged over some of the overlaps, (b, classes)."""
        images = len(self.matches[0].objects)
        weights = ones(images) if weights is None else weights
        columns = [
            np.mean([one.average_precision(weights, overlap) for overlap in overlaps], axis=0) for one in self.matches
        ]
        return np.stack(columns, axis=1)

    def map(self, weights: Floats | None = None) -> Floats:
        """Return mAP@50:95, (b,)."""
        return mean_known(self.each(weights))

    def map_50(self, weights: Floats | None = None) -> Floats:
        """Return mAP@50, (b,)."""
        return mean_known(self.each(weights, overlaps=(0,)))


def detected(
    found: Sequence[Detections], truth: Sequence[tuple[Floats, NDArray[np.int64]]], classes: tuple[str, ...]
) -> Detected:
    """Match what was found with what there is.

    Args:
        found: One an image.
        truth: One an image: boxes (k, 4), and the numbers of their classes (k,).
        classes: Names, in the order of the numbers.
    """
    matches = [
        match_class(
            [(one.xyxy[one.class_id == k], one.confidence[one.class_id == k]) for one in found],
            [boxes[labels == k] for boxes, labels in truth],
        )
        for k in range(len(classes))
    ]
    return Detected(classes, tuple(matches))
