"""The running embedded model: the encoder's vector beside edges and plain pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lucida.models.embedded.edges import orientations
from lucida.models.embedded.pixels import thumbnails
from lucida.models.onnx.model import OnnxModel

if TYPE_CHECKING:
    from numpy.typing import NDArray


class EmbeddedModel(OnnxModel):
    """Vectors of the shipped encoder."""

    def embed(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        encoded = super().embed(batch)
        pictures = self.spec.needs.restore(batch)
        return np.concatenate([encoded, orientations(pictures), thumbnails(pictures)], axis=1)
