"""How raw outputs of a network become boxes, masks and heat maps: a table of decoders by the kind that a card names."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

from lucida.errors import UnknownName

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lucida.models.needs import Frame
    from lucida.models.onnx.card import Card
    from lucida.results import Result


class Decoder(Protocol):
    """Turns the outputs of a batch into results, one an image."""

    def __call__(self, outputs: Sequence[NDArray[np.float32]], frames: Sequence[Frame]) -> list[Result]:
        """Decode a batch.

        Args:
            outputs: The card's `raw` outputs in order, each (n, ...).
            frames: Where each image lies in what was prepared of it; n of them.
        """
        ...


# Kind to "module:function"; the function makes a decoder of a card, and says which keys of [decode] it takes.
DECODERS: dict[str, str] = {
    "boxes": "lucida.models.onnx.boxes:decode_boxes",
    "masks": "lucida.models.onnx.masks:decode_masks",
    "heat": "lucida.models.onnx.heat:decode_heat",
}


def decoder(card: Card) -> Decoder:
    """Return the decoder that a card names.

    Raises:
        UnknownName: No such kind.
        InputError: A key of [decode] is missing or of the wrong kind.
    """
    kind = str(card.decode.get("kind", ""))
    if kind not in DECODERS:
        # "yolo" prepares images in its own way, too, and never comes here.
        raise UnknownName(f"kind in [decode] of {card.path}", kind, (*DECODERS, "yolo"))
    module, function = DECODERS[kind].split(":")
    made: Decoder = getattr(import_module(module), function)(card)
    return made
