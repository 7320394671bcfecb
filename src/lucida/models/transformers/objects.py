"""Detectors of transformers with classes of their own: DETR, RT-DETR, D-FINE, YOLOS and their like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lucida.models.transformers.running import LEAST, Running, best_first
from lucida.results import Detections


class Detector(Running):
    """Whatever transformers lists as a detector; decoded as its own processor does."""

    auto = "AutoModelForObjectDetection"

    def decode(self, outputs: Any, inputs: Mapping[str, Any], sizes: Sequence[tuple[int, int]]) -> Sequence[Detections]:
        rows = self._processor.post_process_object_detection(outputs, threshold=LEAST, target_sizes=list(sizes))
        classes = self.spec.gives.classes
        return [best_first(row["boxes"], row["scores"], row["labels"], classes) for row in rows]
