"""Detectors that find what words describe: OWL-ViT, OWLv2, Grounding DINO."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import PIL.Image
import torch

from lucida.models.transformers.running import LEAST, Running, best_first
from lucida.models.transformers.wording import check_length, needs_words
from lucida.results import Detections

TEMPLATE: Final = "a photo of a {}"  # as OWL-ViT was evaluated


class Owl(Running):
    """OWL-ViT and OWLv2: a description each, and how well each place of the image fits it."""

    auto = "AutoModelForZeroShotObjectDetection"
    processor = "AutoProcessor"

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._names = needs_words(self.spec)
        self._prompts = [TEMPLATE.format(name) for name in self._names]
        most = int(self._model.config.text_config.max_position_embeddings)
        check_length(self.spec, self._processor.tokenizer, self._prompts, most)

    def prepare(self, picture: PIL.Image.Image) -> Mapping[str, Any]:
        words = [self._prompts]
        return self._prepared(lambda: self._processor(text=words, images=picture, return_tensors="pt"), picture)

    def decode(self, outputs: Any, inputs: Mapping[str, Any], sizes: Sequence[tuple[int, int]]) -> Sequence[Detections]:
        rows = self._processor.post_process_grounded_object_detection(
            outputs, threshold=LEAST, target_sizes=torch.tensor(sizes)
        )
        return [best_first(row["boxes"], row["scores"], row["labels"], self._names) for row in rows]


class GroundingDino(Running):
    """Grounding DINO: all descriptions in one text, and how well each place of the image fits each of its words."""

    auto = "AutoModelForZeroShotObjectDetection"
    processor = "AutoProcessor"

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._names = needs_words(self.spec)
        # A full stop ends a description.
        plain = [" ".join(name.replace(".", " ").lower().split()) for name in self._names]
        self._text = " ".join(f"{name}." for name in plain)
        tokenizer = self._processor.tokenizer
        check_length(self.spec, tokenizer, [self._text], int(getattr(self._model.config, "max_text_len", 256)))
        stop = tokenizer.convert_tokens_to_ids(".")
        self._spans = spans(tokenizer(self._text)["input_ids"], stop, set(tokenizer.all_special_ids))

    def prepare(self, picture: PIL.Image.Image) -> Mapping[str, Any]:
        return self._prepared(lambda: self._processor(text=self._text, images=picture, return_tensors="pt"), picture)

    def decode(self, outputs: Any, inputs: Mapping[str, Any], sizes: Sequence[tuple[int, int]]) -> Sequence[Detections]:
        rows = self._processor.post_process_grounded_object_detection(
            outputs, inputs["input_ids"], threshold=LEAST, text_threshold=LEAST, target_sizes=list(sizes)
        )
        found = []
        for row, logits in zip(rows, outputs.logits, strict=True):
            kept = logits[logits.sigmoid().max(-1).values > LEAST]
            # Of which description the words are that fit best.
            each = torch.stack([kept[:, span].amax(-1) for span in self._spans], dim=1)
            found.append(best_first(row["boxes"], row["scores"], each.argmax(1), self._names))
        return found


def spans(tokens: Sequence[int], stop: int, special: set[int]) -> list[list[int]]:
    """Return the places of the tokens of each description in a text where each ends in a full stop."""
    found: list[list[int]] = [[]]
    for place, token in enumerate(tokens):
        if token == stop:
            found.append([])
        elif token not in special:
            found[-1].append(place)
    return [places for places in found if places]
