"""A running detector of the YOLO kind: images of any size in, boxes and masks in their pixels out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from lucida.models.engine import open_session
from lucida.models.onnx.dense import BATCH, placed
from lucida.models.onnx.model import run_batch
from lucida.models.onnx.rules import Rule, read_table
from lucida.models.onnx.yolo.decode import LEAST, MOST, Decoder
from lucida.models.onnx.yolo.layouts import LAYOUTS, Layout, Outputs, recognise
from lucida.models.onnx.yolo.letterbox import GREY, letterbox
from lucida.models.spec import Model, Precision, Spec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lucida.images import Image
    from lucida.models.onnx.card import Card
    from lucida.results import Result

RULES: Final = {
    "kind": Rule(str),
    "layout": Rule(str, "", allowed=tuple(LAYOUTS)),
    "overlap": Rule(float, 0.0, above=0),
    "least": Rule(float, LEAST, above=0),
    "most": Rule(int, MOST, above=0),
}


class YoloModel(Model):
    """Runs a file whose card says [decode] kind = "yolo".

    Images are prepared as such networks were trained, whatever [input] says beyond its size. Keys of [decode]:
    `layout` (found by the shapes of the outputs where it is left out), `overlap`, `least`, `most`.

    Args:
        spec: What it promises.
        card: Its file and its classes.
        precision: "auto" is fp32: where boxes end is lost before the class is.

    Raises:
        UnknownName: A key of [decode] that is not known.
        InputError: A value of [decode] is not what it must be.
        ModelError: Its outputs are of no layout that is known, or no engine can run the file.
    """

    def __init__(self, spec: Spec, card: Card, precision: Precision = "auto") -> None:
        super().__init__(spec)
        table = read_table(card.decode, RULES, where="[decode]", file=card.path)
        self._card = card
        self._session = open_session(card.file, "fp32" if precision == "auto" else precision)
        sides = (*self._session.inputs.get(card.input, ()), None, None, None, None)[2:4]
        self._size = (sides[0] or card.needs.size, sides[1] or card.needs.size)
        outputs = self._outputs(table["layout"])
        self._layout = outputs.layout
        self._decode = Decoder(
            outputs, self._size, card.classes, table["overlap"] or self._layout.overlap, table["least"], table["most"]
        )

    @property
    def engine(self) -> str:
        return self._session.engine

    @property
    def layout(self) -> Layout:
        """The form in which it gives its boxes."""
        return self._layout

    def _outputs(self, wanted: str) -> Outputs:
        card = self._card
        grey = np.full((1, 3, *self._size), GREY / 255, np.float32)
        found = dict(zip(card.raw, run_batch(self._session, card, grey, card.raw, flat=False), strict=True))
        shapes = {name: (None, *value.shape[1:]) for name, value in found.items()}
        outputs = recognise(shapes, self._size, len(card.classes), card.file, wanted)
        if not wanted and outputs.layout.name == "v6" and np.abs(found[outputs.boxes][..., :2]).max() < self._far:
            # Of one shape with YOLOX, whose boxes are told by how far they reach.
            return recognise(shapes, self._size, len(card.classes), card.file, "yolox")
        return outputs

    @property
    def _far(self) -> float:
        return max(self._size) / 4

    def predict(self, images: Sequence[Image]) -> list[Result]:
        found: list[Result] = []
        for start in range(0, len(images), BATCH):
            part = images[start : start + BATCH]
            prepared = [letterbox(image.rgb8(), self._size, self._layout) for image in part]
            values = self.raw(np.stack([batch for batch, _ in prepared]))
            for row, (image, (_, place)) in enumerate(zip(part, prepared, strict=True)):
                prototypes = values[1][row] if len(values) > 1 else None
                found.append(placed(self._decode(values[0][row], prototypes, place), image))
        return found

    def raw(self, batch: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Return boxes, and prototypes where there are some, of prepared images float32 (n, 3, height, width)."""
        outputs = self._decode.outputs
        names = [name for name in (outputs.boxes, outputs.prototypes) if name]
        return run_batch(self._session, self._card, batch, names, flat=False)
