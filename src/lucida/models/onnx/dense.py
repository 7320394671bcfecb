"""A running ONNX model that finds objects, masks or oddities: images of any size in, results in their pixels out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from lucida.models.engine import open_session
from lucida.models.onnx.decoders import decoder
from lucida.models.onnx.model import run_batch
from lucida.models.spec import Model, Precision, Spec
from lucida.results import Detections, Segmentation

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lucida.images import Image
    from lucida.models.onnx.card import Card
    from lucida.results import Result

BATCH = 8  # images that are prepared at once


class DenseModel(Model):
    """Runs the network of a card whose outputs are decoded.

    Args:
        spec: What it promises.
        card: Its file, and how its outputs are decoded.
        precision: "auto" is fp32: where boxes end is lost before the class is.

    Raises:
        ModelError: No engine can run the file.
    """

    def __init__(self, spec: Spec, card: Card, precision: Precision = "auto") -> None:
        super().__init__(spec)
        self._card = card
        self._session = open_session(card.file, "fp32" if precision == "auto" else precision)
        self._decode = decoder(card)

    @property
    def engine(self) -> str:
        return self._session.engine

    def raw(self, batch: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Return the outputs that are decoded, of prepared images float32 (n, channels, height, width)."""
        self.spec.needs.check(batch)
        return run_batch(self._session, self._card, batch, self._card.raw, flat=False)

    def predict(self, images: Sequence[Image]) -> list[Result]:
        found: list[Result] = []
        needs = self.spec.needs
        for start in range(0, len(images), BATCH):
            part = images[start : start + BATCH]
            frames = [needs.frame(image.pixels.shape[1], image.pixels.shape[0]) for image in part]
            results = self._decode(self.raw(np.stack([needs.prepare(image) for image in part])), frames)
            found += [placed(one, image) for one, image in zip(results, part, strict=True)]
        return found


def placed(result: Result, image: Image) -> Result:
    """Return a result that knows how far apart the pixels of its image lie, where the image does."""
    if image.spacing is None or not isinstance(result, Detections | Segmentation):
        return result
    return replace(result, spacing=image.spacing)
