"""Scores and heat maps from what a network says of each place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import PIL.Image

from lucida.models.onnx.rules import Rule, read_table
from lucida.results import Oddness

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lucida.models.needs import Frame
    from lucida.models.onnx.card import Card
    from lucida.results import Result

    Floats = NDArray[np.float32]

TOP = 0.01
RULES = {"kind": Rule(str), "top": Rule(float, TOP, above=0)}


@dataclass(frozen=True)
class HeatDecoder:
    """Gives an image the mean of its oddest places as a score.

    Attributes:
        size: Side of the prepared image in pixels.
        top: Share of places that count, at least one of them.
    """

    size: int
    top: float = TOP

    def __call__(self, outputs: Sequence[Floats], frames: Sequence[Frame]) -> list[Result]:
        """Decode a batch.

        Args:
            outputs: Heat (n, h, w); 1 is the threshold.
            frames: Where each image lies in what was prepared of it.
        """
        (heat,) = outputs
        return [self.image(one, frame) for one, frame in zip(heat, frames, strict=True)]

    def image(self, heat: Floats, frame: Frame) -> Oddness:
        """Decode one image: heat (h, w)."""
        rows, columns = cells(frame, self.size, (heat.shape[0], heat.shape[1]))
        seen = heat[rows, columns]
        left, top, right, bottom = frame.part(self.size)
        across, down = heat.shape[1] / self.size, heat.shape[0] / self.size
        whole = PIL.Image.fromarray(np.ascontiguousarray(heat, np.float32), "F").resize(
            (frame.width, frame.height),
            PIL.Image.Resampling.BILINEAR,
            box=(left * across, top * down, right * across, bottom * down),
        )
        return Oddness(mean_of_top(seen, self.top), np.asarray(whole, np.float32))


def cells(frame: Frame, size: int, shape: tuple[int, int]) -> tuple[slice, slice]:
    """Return the rows and columns of a map (h, w) that see something of the image."""
    left, top, right, bottom = frame.part(size)
    height, width = shape
    return (
        slice(math.floor(top * height / size), math.ceil(bottom * height / size)),
        slice(math.floor(left * width / size), math.ceil(right * width / size)),
    )


def mean_of_top(heat: Floats, share: float) -> float:
    """Return the mean of the largest values, at least one of them."""
    count = max(1, math.ceil(heat.size * share))
    return float(np.partition(heat.ravel(), -count)[-count:].mean())


def decode_heat(card: Card) -> HeatDecoder:
    """Return the decoder of a card whose [decode] is of the kind "heat".

    Raises:
        UnknownName: A key that no rule names.
        InputError: A value is not what it must be.
    """
    table = read_table(card.decode, RULES, where="[decode]", file=card.path)
    return HeatDecoder(card.needs.size, table["top"])
