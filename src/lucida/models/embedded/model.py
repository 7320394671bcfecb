"""The running embedded model: the encoder's vector beside edges and plain pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from lucida.models.embedded.edges import orientations
from lucida.models.embedded.pixels import thumbnails
from lucida.models.onnx.model import OnnxModel
from lucida.models.spec import Matcher, Precision, Spec

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from lucida.models.onnx.card import Card


class EmbeddedModel(OnnxModel):
    """Vectors of the shipped encoder, and words matched to the classes it knows."""

    def __init__(
        self,
        spec: Spec,
        card: Card,
        words: Path,
        precision: Precision = "auto",
        sample: NDArray[np.float32] | None = None,
    ) -> None:
        super().__init__(spec, card, precision, sample)
        self._words = words

    def embed(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        encoded = super().embed(batch)
        pictures = self.spec.needs.restore(batch)
        return np.concatenate([encoded, orientations(pictures), thumbnails(pictures)], axis=1)

    def matcher(self, descriptions: Sequence[Sequence[str]], *, none: bool = False) -> Matcher:
        from lucida.models.embedded.lexicon import load_lexicon
        from lucida.models.embedded.words import WordMatcher

        lexicon = load_lexicon(self._words)
        return WordMatcher(lexicon, self._card.synonyms, descriptions, none=none, measured=self._card.measured)
