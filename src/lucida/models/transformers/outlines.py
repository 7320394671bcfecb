"""The object at a point or in a box: SAM, SAM 2 and their like."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import PIL.Image
import torch
import transformers

from lucida.errors import InputError
from lucida.models.onnx.dense import placed
from lucida.models.quiet import quiet
from lucida.models.transformers.running import Running
from lucida.models.transformers.universal import extent_of
from lucida.results import Detections, run_lengths

if TYPE_CHECKING:
    from lucida.images import Image
    from lucida.models.hub.snapshot import Snapshot
    from lucida.models.spec import Hint

# Models for videos are models for images with a memory, which is left out.
PROCESSORS: Final = {"sam": "SamProcessor", "sam_hq": "SamHQProcessor"}
NAME: Final = "object"


class Outliner(Running):
    """Looks at an image once, then outlines one hint after the other."""

    auto = "AutoModelForMaskGeneration"
    # The shared halves of SAM 1 are in the file once.
    optional = ("shared_image_embedding", "prompt_encoder.shared_embedding", "mask_embed", "not_a_point_embed")

    def _read_processor(self, snapshot: Snapshot) -> Any:
        name = PROCESSORS.get(str(snapshot.config["model_type"]), "Sam2Processor")
        return getattr(transformers, name).from_pretrained(snapshot.folder, local_files_only=True)

    def outline(self, image: Image, hints: Sequence[Hint]) -> Detections:
        picture = PIL.Image.fromarray(image.rgb8())
        for hint in hints:
            _check(hint, picture)
        if not hints:
            return Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64), (NAME,))
        seen = self._prepared(lambda: self._processor(images=picture, return_tensors="pt"), picture)
        with self._lock, quiet(), torch.inference_mode():
            with torch.autocast(self._device, torch.bfloat16, enabled=self._precision == "bf16"):
                known = self._model.get_image_embeddings(seen["pixel_values"].to(self._device))
            found = [self._one(picture, hint, known, seen) for hint in hints]
        boxes = np.array([_box(mask, hint) for (mask, _), hint in zip(found, hints, strict=True)], np.float32)
        scores = np.clip(np.array([score for _, score in found], np.float32), 0, 1)
        shapes = tuple(run_lengths.encode(mask) for mask, _ in found)
        result = Detections(boxes, scores, np.zeros(len(found), np.int64), (NAME,), shapes)
        kept = placed(result, image)
        assert isinstance(kept, Detections), "what goes in comes out"
        return kept

    def _one(self, picture: PIL.Image.Image, hint: Hint, known: Any, seen: Any) -> tuple[Any, float]:
        """Return the pixels that a hint means, and how well they are thought to fit."""
        asked: dict[str, Any] = {}
        if hint.points:
            asked["input_points"] = [[[list(point) for point in hint.points]]]
            asked["input_labels"] = [[[int(inside) for inside in hint.inside or (True,) * len(hint.points)]]]
        if hint.box is not None:
            asked["input_boxes"] = [[list(hint.box)]]
        inputs = dict(self._processor(images=picture, return_tensors="pt", **asked))
        inputs = {name: inputs[name] for name in ("input_points", "input_labels", "input_boxes") if name in inputs}
        # One point may mean a part or the whole: then the best of three; else there is one answer.
        several = hint.box is None and len(hint.points) == 1
        outputs = self.run(
            {name: value.to(torch.float32) if value.is_floating_point() else value for name, value in inputs.items()},
            lambda **more: self._model(image_embeddings=known, multimask_output=several, **more),
        )
        scores = outputs.iou_scores[0, 0]
        best = int(scores.argmax())
        sizes = [seen["original_sizes"]]
        if "reshaped_input_sizes" in seen:
            sizes.append(seen["reshaped_input_sizes"])
        masks = self._processor.post_process_masks(outputs.pred_masks[:, :, best : best + 1], *sizes)
        return masks[0][0, 0].numpy().astype(bool), float(scores[best])


def _check(hint: Hint, picture: PIL.Image.Image) -> None:
    width, height = picture.size
    marks = [*hint.points, *((hint.box[:2], hint.box[2:]) if hint.box else ())]
    if not marks:
        raise InputError("A hint points at nothing.", expected="a point or a box", got="neither", hint="--point 120,80")
    outside = [mark for mark in marks if not (0 <= mark[0] <= width and 0 <= mark[1] <= height)]
    if outside:
        raise InputError(
            "A hint lies outside of the image.",
            expected=f"0 to {width} across and 0 to {height} down",
            got=", ".join(f"{value:g}" for value in outside[0]),
            hint="points and boxes are in pixels of the image, from its left upper corner",
        )


def _box(mask: Any, hint: Hint) -> tuple[float, ...]:
    """Return where the pixels lie; where there are none, what was pointed at."""
    if mask.any():
        return extent_of(mask)
    return hint.box or (*hint.points[0], *hint.points[0])
