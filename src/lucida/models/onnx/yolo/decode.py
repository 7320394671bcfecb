"""Boxes and masks from what a network of the YOLO kind gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import PIL.Image

from lucida.errors import ModelError
from lucida.models.onnx.boxes import suppress
from lucida.models.onnx.yolo.layouts import Outputs, strides_of
from lucida.results import Detections, run_lengths

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from lucida.models.onnx.yolo.letterbox import Place

    Floats = NDArray[np.float32]

LEAST: Final = 0.05  # boxes that are less probable are never given
MOST: Final = 300  # boxes of an image
CANDIDATES: Final = 30000  # best of an image that are looked at


@dataclass(frozen=True)
class Decoder:
    """Turns outputs into objects.

    Attributes:
        outputs: How they are to be read.
        size: Height and width of the input.
        classes: Names of the classes.
        overlap: Intersection over union from which two boxes of a class are of one object.
        least: Scores below it are left out.
        most: Boxes of an image, at most.
    """

    outputs: Outputs
    size: tuple[int, int]
    classes: tuple[str, ...]
    overlap: float
    least: float = LEAST
    most: int = MOST

    def __call__(self, values: Floats, prototypes: Floats | None, place: Place) -> Detections:
        """Decode one image.

        Args:
            values: What the output with the boxes says of it, two axes.
            prototypes: (masks, h, w); None where there are no masks.
            place: Where the image lies in what was prepared of it.
        """
        boxes, scores, labels, masks = self.rows(values)
        best = np.argsort(-scores, kind="stable")[:CANDIDATES]
        best = best[scores[best] > self.least]
        boxes, scores, labels, masks = boxes[best], scores[best], labels[best], masks[best]
        keep = suppress(boxes, labels, self.overlap, self.most)
        found = place.back(boxes[keep])
        whole = (found[:, 2:] > found[:, :2]).all(axis=1)
        keep, found = keep[whole], found[whole]
        shapes = () if prototypes is None else _masks(masks[keep], prototypes, found, place, self.size)
        return Detections(found, scores[keep], labels[keep], self.classes, shapes)

    def rows(self, values: Floats) -> tuple[Floats, Floats, NDArray[np.int64], Floats]:
        """Return boxes (n, 4) in prepared pixels, scores (n,), classes (n,) and coefficients of masks (n, k)."""
        layout, count = self.outputs.layout, self.outputs.classes
        table = np.asarray(values.T if layout.turned else values, np.float32)
        if not layout.anchors:
            labels = table[:, 5].astype(np.int64)
            self._check(labels[table[:, 4] > self.least])
            return table[:, :4], table[:, 4], labels, table[:, 6:]
        if layout.grid:
            table = self._off_grid(table)
        start = 5 if layout.objectness else 4
        each = table[:, start : start + count]
        labels = each.argmax(axis=1)
        scores = each[np.arange(len(each)), labels] * (table[:, 4] if layout.objectness else np.float32(1))
        half = table[:, 2:4] / 2
        boxes = np.concatenate([table[:, :2] - half, table[:, :2] + half], axis=1)
        return boxes, np.asarray(scores, np.float32), labels, table[:, start + count :]

    def _check(self, labels: NDArray[np.int64]) -> None:
        if len(labels) and not 0 <= labels.min() <= labels.max() < len(self.classes):
            raise ModelError(
                "The network finds a class that has no name.",
                expected=f"{len(self.classes)} classes, numbered from 0",
                got=f"class {labels.max() if labels.min() >= 0 else labels.min()}",
                hint="name them in a TOML beside the file: [output] classes",
            )

    def _off_grid(self, table: Floats) -> Floats:
        """Return boxes in pixels of those that are in units of their place in the grid.

        Source: `demo_postprocess` of YOLOX.
        """
        height, width = self.size
        strides = strides_of(height, width, len(table)) or ()
        grids, steps = [], []
        for stride in strides:
            across, down = np.meshgrid(np.arange(width // stride), np.arange(height // stride))
            grids.append(np.stack([across, down], axis=2).reshape(-1, 2))
            steps.append(np.full((len(grids[-1]), 1), stride))
        grid, step = np.concatenate(grids).astype(np.float32), np.concatenate(steps).astype(np.float32)
        middle, extent = (table[:, :2] + grid) * step, np.exp(np.minimum(table[:, 2:4], 20)) * step
        return np.concatenate([middle, extent, table[:, 4:]], axis=1)


def _masks(
    coefficients: Floats, prototypes: Floats, boxes: Floats, place: Place, size: tuple[int, int]
) -> tuple[dict[str, Any], ...]:
    """Return the pixels of each object within its box, as run lengths.

    Source: `process_mask_native` of YOLOv5 and v8.
    """
    height, width = prototypes.shape[1:]
    across, down = width / size[1] * place.gain, height / size[0] * place.gain
    left, top = place.left * width / size[1], place.top * height / size[0]
    shapes = []
    for row, box in zip(coefficients, boxes, strict=True):
        whole = np.zeros((place.height, place.width), bool)
        # Pixels whose left upper corner lies in the box, as `crop_mask` has it.
        x0, y0, x1, y1 = np.ceil(box).astype(int).tolist()
        if x1 > x0 and y1 > y0:
            values = np.tensordot(row, prototypes, 1).astype(np.float32)
            part = PIL.Image.fromarray(values).resize(
                (x1 - x0, y1 - y0),
                PIL.Image.Resampling.BILINEAR,
                box=_within((left + x0 * across, top + y0 * down, left + x1 * across, top + y1 * down), width, height),
            )
            whole[y0:y1, x0:x1] = np.asarray(part) > 0
        shapes.append(run_lengths.encode(whole))
    return tuple(shapes)


def _within(box: tuple[float, ...], width: int, height: int) -> tuple[float, float, float, float]:
    left, top, right, bottom = box
    return max(0.0, left), max(0.0, top), min(float(width), right), min(float(height), bottom)
