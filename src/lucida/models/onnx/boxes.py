"""Boxes from the scores and boxes that a network gives for each of its places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lucida.models.onnx.rules import Rule, read_table
from lucida.results import Detections

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lucida.models.needs import Frame
    from lucida.models.onnx.card import Card
    from lucida.results import Result

    Floats = NDArray[np.float32]

CANDIDATES = 1000  # best of an image that are looked at
RULES = {
    "kind": Rule(str),
    "overlap": Rule(float, 0.6, above=0),
    "least": Rule(float, 0.05, above=0),
    "most": Rule(int, 100, above=0),
}


@dataclass(frozen=True)
class BoxDecoder:
    """Keeps the best boxes of each class.

    Attributes:
        classes: Names of the classes, in the order of the scores.
        overlap: Intersection over union from which two boxes of a class are of one object; 1 where the network
            itself finds each object once.
        least: Scores below it are left out.
        most: Boxes of an image, at most.
    """

    classes: tuple[str, ...]
    overlap: float = 0.6
    least: float = 0.05
    most: int = 100

    def __call__(self, outputs: Sequence[Floats], frames: Sequence[Frame]) -> list[Result]:
        """Decode a batch.

        Args:
            outputs: Scores (n, places, classes) in 0 to 1, and boxes (n, places, 4) in prepared pixels.
            frames: Where each image lies in what was prepared of it.
        """
        return [self.image(scores, boxes, frame) for scores, boxes, frame in zip(*outputs, frames, strict=True)]

    def image(self, scores: Floats, boxes: Floats, frame: Frame) -> Detections:
        """Decode one image: scores (places, classes) and boxes (places, 4)."""
        place, label = (scores >= self.least).nonzero()
        best = np.argsort(-scores[place, label], kind="stable")[:CANDIDATES]
        place, label = place[best], label[best]
        # Cut to the image first: what lies outside must not tell boxes apart.
        found = frame.back(boxes[place])
        keep = suppress(found, label, self.overlap)[: self.most]
        whole = keep[(found[keep, 2:] > found[keep, :2]).all(axis=1)]
        confidence = np.asarray(scores[place, label], np.float32)
        return Detections(found[whole], confidence[whole], label[whole].astype(np.int64), self.classes)


def decode_boxes(card: Card) -> BoxDecoder:
    """Return the decoder of a card whose [decode] is of the kind "boxes".

    Raises:
        UnknownName: A key that no rule names.
        InputError: A value is not what it must be.
    """
    table = read_table(card.decode, RULES, where="[decode]", file=card.path)
    table.pop("kind")
    return BoxDecoder(card.classes, **table)


def suppress(boxes: Floats, labels: NDArray[np.int64], overlap: float, most: int = 0) -> NDArray[np.int64]:
    """Return the rows that stay where boxes of one class that overlap a better one are left out.

    Args:
        boxes: (n, 4), best first.
        labels: The class of each, (n,).
        overlap: Intersection over union above which a box is left out.
        most: Rows, at most; 0 for any number.
    """
    limit = most or len(boxes)
    if overlap >= 1:
        return np.arange(min(len(boxes), limit))
    alive = np.ones(len(boxes), bool)
    kept: list[int] = []
    # Row by row: a table of all pairs of tens of thousands of boxes would fill the memory.
    for row in range(len(boxes)):
        if not alive[row]:
            continue
        kept.append(row)
        if len(kept) == limit:
            break
        rest = np.flatnonzero(alive[row + 1 :] & (labels[row + 1 :] == labels[row])) + row + 1
        near = intersection_over_union(boxes[row : row + 1], boxes[rest])[0] > overlap
        alive[rest[near]] = False
    return np.array(kept, np.int64)


def intersection_over_union(one: Floats, other: Floats) -> Floats:
    """Return how far boxes (n, 4) and boxes (m, 4) overlap, (n, m), 0 to 1."""
    low = np.maximum(one[:, None, :2], other[:, :2])
    high = np.minimum(one[:, None, 2:], other[:, 2:])
    common = np.clip(high - low, 0, None).prod(axis=2)
    areas = [np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(axis=1) for boxes in (one, other)]
    return np.asarray(common / np.maximum(areas[0][:, None] + areas[1] - common, 1e-9), np.float32)
