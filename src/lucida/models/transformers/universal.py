"""MaskFormer, Mask2Former and OneFormer: objects with their pixels, or a class for every pixel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
import PIL.Image
import torch
import transformers

from lucida.models.transformers.pixels import as_numbers, best_of, enlarged, repeated
from lucida.models.transformers.running import LEAST, Running, best_first
from lucida.results import Detections, Segmentation, run_lengths

if TYPE_CHECKING:
    from lucida.models.hub.snapshot import Snapshot
    from lucida.results import Result

SIDE: Final = {"mask2former": 384}  # what masks are brought to before they are read
SURE: Final = 0.5  # of a segment in a panoptic map, as transformers has it
WHOLE: Final = 0.8  # share of its pixels that a segment must keep where others lie over it


class Universal(Running):
    """Gives what its task asks for, in the way that the model was trained for."""

    auto = "AutoModelForUniversalSegmentation"
    smooth: ClassVar[bool] = False

    def decode(self, outputs: Any, inputs: Mapping[str, Any], sizes: Sequence[tuple[int, int]]) -> Sequence[Result]:
        found: list[Result] = []
        for row, size in enumerate(sizes):
            masks = outputs.masks_queries_logits[row]
            side = SIDE.get(self._model.config.model_type)
            if side:
                masks = torch.nn.functional.interpolate(masks[None], (side, side), mode="bilinear")[0]
            found.append(self._way(outputs.class_queries_logits[row].softmax(-1), masks, size))
        return found

    @property
    def trained(self) -> str:
        """What the model was trained for, as its name says: "instance", "panoptic", "semantic", or ""."""
        from lucida.models.transformers.seeing import trained_for

        return trained_for(self.spec.name)

    def _way(self, likely: Any, masks: Any, size: tuple[int, int]) -> Result:
        if self.trained == "semantic" or ("detect" not in self.spec.tasks and self.trained != "instance"):
            return self._pixels(likely, masks, size)
        return self._segments(likely, masks, size) if self.trained == "panoptic" else self._objects(likely, masks, size)

    def _pixels(self, likely: Any, masks: Any, size: tuple[int, int]) -> Segmentation:
        """Source: `post_process_semantic_segmentation`."""
        maps = torch.einsum("qc,qhw->chw", likely[:, :-1], masks.sigmoid())
        best, number = best_of(enlarged(each, size, smooth=self.smooth) for each in maps)
        classes = self.spec.gives.classes
        return Segmentation(as_numbers(number, len(classes)), classes, np.asarray(best.clamp(0, 1).numpy(), np.float32))

    def _objects(self, likely: Any, masks: Any, size: tuple[int, int]) -> Detections:
        """Source: `post_process_instance_segmentation`."""
        scores, queries, labels = _pairs(likely)
        found = []
        for score, query, label in zip(scores.tolist(), queries.tolist(), labels.tolist(), strict=True):
            inside = (masks[query] > 0).float()
            sure = score * float((masks[query].sigmoid() * inside).sum() / (inside.sum() + 1e-6))
            if sure >= LEAST:
                found.append((repeated(inside, size).numpy() > 0, sure, label))
        return objects_of(found, self.spec.gives.classes)

    def _segments(self, likely: Any, masks: Any, size: tuple[int, int]) -> Detections:
        """Source: `post_process_panoptic_segmentation`."""
        scores, labels = likely.max(-1)
        kept = (labels < likely.shape[-1] - 1) & (scores > SURE)
        return segments(masks[kept].sigmoid(), scores[kept], labels[kept], size, self.spec.gives.classes)


class OneFormer(Universal):
    """The same, told what is asked of it."""

    processor = "OneFormerProcessor"
    smooth = True

    def _read_processor(self, snapshot: Snapshot) -> Any:
        # The names of its classes lie elsewhere on the hub, and serve training alone.
        images = transformers.OneFormerImageProcessor.from_pretrained(
            snapshot.folder, local_files_only=True, class_info_file="", repo_path=None
        )
        words = transformers.AutoTokenizer.from_pretrained(
            snapshot.folder, local_files_only=True, trust_remote_code=False
        )
        length = int(snapshot.config.get("task_seq_len", 77))
        return transformers.OneFormerProcessor(images, words, task_seq_length=length)

    def prepare(self, picture: PIL.Image.Image) -> Mapping[str, Any]:
        asked = "instance" if "detect" in self.spec.tasks else "semantic"
        return self._prepared(lambda: self._processor(picture, [asked], return_tensors="pt"), picture)

    def _objects(self, likely: Any, masks: Any, size: tuple[int, int]) -> Detections:
        scores, queries, labels = _pairs(likely)
        kept = scores > SURE
        classes = self.spec.gives.classes
        return segments(masks[queries[kept]], scores[kept], labels[kept], size, classes, smooth=True)


def _pairs(likely: Any) -> tuple[Any, Any, Any]:
    """Return the likeliest pairs of a mask and a class, as many as there are masks: scores, masks and classes."""
    queries, classes = likely.shape[0], likely.shape[1] - 1
    scores, pairs = likely[:, :-1].flatten().topk(queries, sorted=False)
    return scores, pairs // classes, pairs % classes


def segments(
    masks: Any, scores: Any, labels: Any, size: tuple[int, int], classes: tuple[str, ...], *, smooth: bool = False
) -> Detections:
    """Return objects that do not overlap: each pixel is of the one that is surest there.

    Args:
        masks: How sure each pixel of each is, (n, h, w).
        scores: Of each.
        labels: Of each.
        size: Height and width of the image.
        classes: Names of the classes.
        smooth: How masks are brought to the size of the image.

    Source: `compute_segments` of transformers.
    """
    if not len(masks):
        return objects_of([], classes)
    _, owner = best_of(enlarged(one, size, smooth=smooth) * score for one, score in zip(masks, scores, strict=True))
    found = []
    for row, (mask, score) in enumerate(zip(masks, scores, strict=True)):
        own = owner == row
        before = int((enlarged(mask, size, smooth=smooth) * score >= 0.5).sum())
        area = int(own.sum())
        if area and before and area / before > WHOLE:
            found.append((own.numpy(), round(float(score), 6), int(labels[row])))
    return objects_of(found, classes)


def objects_of(found: Sequence[tuple[Any, float, int]], classes: tuple[str, ...]) -> Detections:
    """Return objects of their pixels bool (height, width), scores and classes; those without a pixel are left out."""
    whole = [(extent_of(mask), mask, score, label) for mask, score, label in found if mask.any()]
    return best_first(
        torch.tensor([one[0] for one in whole], dtype=torch.float32).reshape(-1, 4),
        torch.tensor([one[2] for one in whole], dtype=torch.float32),
        torch.tensor([one[3] for one in whole], dtype=torch.int64),
        classes,
        [run_lengths.encode(one[1]) for one in whole],
    )


def extent_of(mask: Any) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of pixels bool (height, width), some of which are set."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
