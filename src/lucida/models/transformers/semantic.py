"""A class for every pixel: SegFormer, UPerNet and their like; or what words describe: CLIPSeg."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import PIL.Image
import torch

from lucida.errors import ModelError
from lucida.models.quiet import quiet
from lucida.models.transformers.pixels import as_numbers, best_of, enlarged, likeliest
from lucida.models.transformers.running import Running
from lucida.models.transformers.wording import check_length, needs_words
from lucida.results import Segmentation

CHUNK: Final = 16  # descriptions of a pass


class SemanticSegmenter(Running):
    """Whatever transformers lists for semantic segmentation."""

    auto = "AutoModelForSemanticSegmentation"

    def prepare(self, picture: PIL.Image.Image) -> Mapping[str, Any]:
        # A middle that was cut out would be laid over the whole image.
        whole = {"do_center_crop": False} if getattr(self._processor, "do_center_crop", False) else {}
        return self._prepared(lambda: self._processor(images=picture, return_tensors="pt", **whole), picture)

    def decode(
        self, outputs: Any, inputs: Mapping[str, Any], sizes: Sequence[tuple[int, int]]
    ) -> Sequence[Segmentation]:
        classes = self.spec.gives.classes
        if outputs.logits.shape[1] != len(classes):
            raise ModelError(
                f"{self.spec.name} does not give one map for each class.",
                expected=f"{len(classes)} maps, as its config.json names classes",
                got=f"{outputs.logits.shape[1]}",
                hint="download the model again, whole",
            )
        found = (likeliest(logits, size) for logits, size in zip(outputs.logits, sizes, strict=True))
        return [Segmentation(mask, classes, confidence) for mask, confidence in found]


class SegmenterByText(Running):
    """CLIPSeg: the pixels that each of some descriptions means; where none does, there is background."""

    auto = "CLIPSegForImageSegmentation"
    processor = "CLIPSegProcessor"

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._names = needs_words(self.spec)
        tokenizer = self._processor.tokenizer
        check_length(self.spec, tokenizer, self._names, int(self._model.config.text_config.max_position_embeddings))
        with quiet():
            self._words = tokenizer(list(self._names), padding=True, return_tensors="pt")

    def run(self, inputs: Mapping[str, Any], call: Any = None) -> Any:
        rows = []
        for pixels in inputs["pixel_values"]:
            found = []
            for start in range(0, len(self._names), CHUNK):
                words = {name: value[start : start + CHUNK] for name, value in self._words.items()}
                images = pixels[None].expand(len(words["input_ids"]), -1, -1, -1)
                logits = super().run({**words, "pixel_values": images}).logits
                # With one description it leaves the axis out.
                found.append(logits.reshape(-1, *logits.shape[-2:]))
            rows.append(torch.cat(found))
        return rows

    def decode(
        self, outputs: Any, inputs: Mapping[str, Any], sizes: Sequence[tuple[int, int]]
    ) -> Sequence[Segmentation]:
        classes = ("background", *self._names)
        results = []
        for logits, size in zip(outputs, sizes, strict=True):
            best, number = best_of(enlarged(each, size) for each in logits)
            number = torch.where(best > 0, number + 1, 0)
            sure = np.asarray(torch.sigmoid(best.abs()).numpy(), np.float32)
            results.append(Segmentation(as_numbers(number, len(classes)), classes, sure))
        return results
