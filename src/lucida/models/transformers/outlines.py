"""The object at a point or in a box: SAM, SAM 2 and their like."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import PIL.Image
import torch
import transformers

from lucida.errors import InputError
from lucida.models.onnx.dense import placed
from lucida.models.quiet import quiet
from lucida.models.spec import Model
from lucida.models.transformers.running import Running
from lucida.models.transformers.universal import extent_of
from lucida.results import Detections, run_lengths

if TYPE_CHECKING:
    from lucida.images import Image
    from lucida.models.hub.snapshot import Snapshot
    from lucida.models.spec import Hint
    from lucida.results import Result

# Models for videos are models for images with a memory, which is left out.
PROCESSORS: Final = {"sam": "SamProcessor", "sam_hq": "SamHQProcessor"}
NAME: Final = "object"
CHUNK: Final = 16  # hints of a pass


class Outliner(Running):
    """Looks at an image once, then outlines one hint after the other."""

    auto = "AutoModelForMaskGeneration"
    # The shared halves of SAM 1 are in the file once.
    optional = ("shared_image_embedding", "prompt_encoder.shared_embedding", "mask_embed", "not_a_point_embed")

    def predict(self, images: Sequence[Image]) -> list[Result]:
        return Model.predict(self, images)

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
            found: dict[int, tuple[Any, float]] = {}
            for rows in _alike(hints):
                found |= dict(zip(rows, self._group(picture, [hints[k] for k in rows], known, seen), strict=True))
        outlined = [found[k] for k in range(len(hints))]
        boxes = np.array([_box(mask, hint) for (mask, _), hint in zip(outlined, hints, strict=True)], np.float32)
        scores = np.clip(np.array([score for _, score in outlined], np.float32), 0, 1)
        shapes = tuple(run_lengths.encode(mask) for mask, _ in outlined)
        result = Detections(boxes, scores, np.zeros(len(outlined), np.int64), (NAME,), shapes)
        kept = placed(result, image)
        assert isinstance(kept, Detections), "what goes in comes out"
        return kept

    def _group(
        self, picture: PIL.Image.Image, hints: Sequence[Hint], known: Any, seen: Any
    ) -> Iterator[tuple[Any, float]]:
        """Yield the pixels that each of some hints of one kind means, and how well they are thought to fit."""
        asked: dict[str, Any] = {}
        if hints[0].points:
            asked["input_points"] = [[[list(point) for point in hint.points] for hint in hints]]
            asked["input_labels"] = [[[int(one) for one in _inside(hint)] for hint in hints]]
        if hints[0].box is not None:
            asked["input_boxes"] = [[list(hint.box or ()) for hint in hints]]
        inputs = self._processor(images=picture, return_tensors="pt", **asked)
        # One point may mean a part or the whole: then the best of three; else there is one answer.
        several = hints[0].box is None and len(hints[0].points) == 1
        sizes = [seen[name] for name in ("original_sizes", "reshaped_input_sizes") if name in seen]
        for start in range(0, len(hints), CHUNK):
            part = {name: inputs[name][:, start : start + CHUNK] for name in asked}
            part = {name: value.float() if value.is_floating_point() else value for name, value in part.items()}
            outputs = self.run(
                part, lambda **more: self._model(image_embeddings=known, multimask_output=several, **more)
            )
            for masks, scores in zip(outputs.pred_masks[0], outputs.iou_scores[0], strict=True):
                best = int(scores.argmax())
                whole = self._processor.post_process_masks(masks[None, best : best + 1][:, None], *sizes)
                yield whole[0][0, 0].numpy().astype(bool), float(scores[best])


def _alike(hints: Sequence[Hint]) -> list[list[int]]:
    """Return the rows of hints that have as many points, and a box or none."""
    rows: dict[tuple[int, bool], list[int]] = {}
    for row, hint in enumerate(hints):
        rows.setdefault((len(hint.points), hint.box is not None), []).append(row)
    return list(rows.values())


def _inside(hint: Hint) -> tuple[bool, ...]:
    return hint.inside or (True,) * len(hint.points)


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
