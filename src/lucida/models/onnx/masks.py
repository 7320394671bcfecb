"""Masks from the logits that a network gives for every pixel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import PIL.Image

from lucida.errors import InputError, ModelError
from lucida.models.onnx.rules import Rule, read_table
from lucida.results import Segmentation

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lucida.models.needs import Frame
    from lucida.models.onnx.card import Card
    from lucida.results import Result

    Floats = NDArray[np.float32]

RULES = {"kind": Rule(str)}
SMALL = 256  # classes that a byte can number


@dataclass(frozen=True)
class MaskDecoder:
    """Gives every pixel its likeliest class, at the size of the image.

    Attributes:
        classes: Names of the classes, in the order of the logits.
        size: Side of the prepared image in pixels.
    """

    classes: tuple[str, ...]
    size: int

    def __call__(self, outputs: Sequence[Floats], frames: Sequence[Frame]) -> list[Result]:
        """Decode a batch.

        Args:
            outputs: Logits (n, classes, h, w), at the size of the prepared image or another.
            frames: Where each image lies in what was prepared of it.

        Raises:
            ModelError: There is not one map for each class.
        """
        (logits,) = outputs
        if logits.ndim != 4 or logits.shape[1] != len(self.classes):
            raise ModelError(
                "The network does not give one map for each class.",
                expected=f"logits (n, {len(self.classes)}, height, width)",
                got=str(logits.shape),
                hint="do the classes of the card name all of them, the background too?",
            )
        return [self.image(maps, frame) for maps, frame in zip(logits, frames, strict=True)]

    def image(self, logits: Floats, frame: Frame) -> Segmentation:
        """Decode one image: logits (classes, h, w)."""
        height, width = logits.shape[1:]
        left, top, right, bottom = frame.part(self.size)
        across, down = width / self.size, height / self.size
        box = (left * across, top * down, right * across, bottom * down)
        shape = (frame.height, frame.width)
        best = np.full(shape, -np.inf, np.float32)
        total = np.zeros(shape, np.float32)
        mask = np.zeros(shape, np.uint8 if len(self.classes) <= SMALL else np.int32)
        # Class by class, and never all at full size: there may be hundreds.
        highest = logits.max(axis=0)
        top_logit = _enlarge(highest, shape, box)
        for number, each in enumerate(logits):
            value = _enlarge(each, shape, box)
            better = value > best
            mask[better] = number
            np.maximum(best, value, out=best)
            total += np.exp(value - top_logit)
        return Segmentation(mask, self.classes, np.asarray(np.exp(best - top_logit) / total, np.float32))


def _enlarge(values: Floats, shape: tuple[int, int], box: tuple[float, float, float, float]) -> Floats:
    """Return a part of a map, left, top, right and bottom, at a shape (height, width)."""
    picture = PIL.Image.fromarray(np.ascontiguousarray(values, np.float32), "F")
    return np.asarray(picture.resize((shape[1], shape[0]), PIL.Image.Resampling.BILINEAR, box=box), np.float32)


def decode_masks(card: Card) -> MaskDecoder:
    """Return the decoder of a card whose [decode] is of the kind "masks".

    Raises:
        UnknownName: A key that no rule names.
        InputError: A value is not what it must be, or images are cut before the network sees them.
    """
    read_table(card.decode, RULES, where="[decode]", file=card.path)
    if card.needs.resize == "crop":
        raise InputError(
            f"{card.path} cuts images before they are segmented.",
            expected='resize = "pad" or "squash", so that every pixel is seen',
            got='resize = "crop"',
            hint=f"correct [input] in {card.path.name}",
        )
    return MaskDecoder(card.classes, card.needs.size)
