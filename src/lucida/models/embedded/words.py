"""Any words, through what the encoder knows: each class it was trained on votes for the words nearest to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from lucida.errors import ModelError
from lucida.models.spec import Matcher, check_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Table = Callable[[Sequence[str]], NDArray[np.float32]]


@cache
def load_table(folder: Path) -> Table:
    """Load the word table: texts to unit vectors float32 (n, d).

    Raises:
        ModelError: The folder is missing or damaged.
    """
    from model2vec import StaticModel

    try:
        model: Any = StaticModel.from_pretrained(str(folder))
    except Exception as error:
        raise ModelError(
            "The word table cannot be loaded.",
            expected=f"a model2vec folder at {folder}",
            got=str(error)[:200],
            hint="install camera-lucida again; labels by example work without it",
        ) from error

    def encode(texts: Sequence[str]) -> NDArray[np.float32]:
        vectors = np.asarray(model.encode(list(texts)), np.float32)
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)

    return encode


class WordMatcher(Matcher):
    """Scores logits over known classes against any words.

    The posterior over the known classes is a mixture of their word vectors; a class scores by how near it lies.
    Source: Norouzi et al. 2014, Zero-Shot Learning by Convex Combination of Semantic Embeddings.

    Args:
        table: Texts to unit vectors.
        known: For each class the encoder knows, its name and synonyms.
        wanted: For each class asked for, the words or phrases that stand for it.
    """

    output: Literal["embedding", "logits"] = "logits"

    def __init__(self, table: Table, known: Sequence[Sequence[str]], wanted: Sequence[Sequence[str]]) -> None:
        self._known = np.stack([_mean(table(words)) for words in known])
        self._wanted = np.stack([_mean(table(words)) for words in wanted])

    def logits(self, outputs: NDArray[np.float32]) -> NDArray[np.float32]:
        check_rows(outputs, len(self._known))
        # On images unlike its training set a network favours a few classes whatever it sees: taking each
        # class's mean over the images away leaves what tells them apart.
        centred = outputs - outputs.mean(axis=0) if len(outputs) >= 32 else outputs
        posterior = _softmax(centred)
        mixed = posterior @ self._known
        mixed /= np.maximum(np.linalg.norm(mixed, axis=1, keepdims=True), 1e-9)
        return 10.0 * mixed @ self._wanted.T


def _mean(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    mean = vectors.mean(axis=0)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-9), np.float32)


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True), np.float32)
