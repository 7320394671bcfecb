"""Any words, through what the encoder knows: each class it was trained on votes for the words nearest to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lucida.errors import ModelError
from lucida.models.hub import BETTER_WITH_WORDS
from lucida.models.spec import Matcher, check_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Table = Callable[[Sequence[str]], NDArray[np.float32]]

# Both chosen on CIFAR-10's training images.
SHARPNESS = 10.0  # from cosines to log-probabilities
FAR = 0.3  # nearness beyond the usual, below which an image is rather none of the classes
# Figures of the card to quote with every label by words, and what they were measured on.
FIGURES = {"words_cifar10": "ten everyday things (CIFAR-10)", "words_clothing": "ten kinds of clothing"}


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
        return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9))

    return encode


class WordMatcher(Matcher):
    """Scores logits over known classes against any words.

    The posterior over the known classes is a mixture of their word vectors; a class scores by how near it lies.
    Source: Norouzi et al. 2014, Zero-Shot Learning by Convex Combination of Semantic Embeddings.

    Args:
        table: Texts to unit vectors.
        known: For each class the encoder knows, its name and synonyms.
        wanted: For each class asked for, the words or phrases that stand for it.
        none: Whether one more class stands for anything else.
        measured: Figures of the encoder's card, for the notes.
    """

    def __init__(
        self,
        table: Table,
        known: Sequence[Sequence[str]],
        wanted: Sequence[Sequence[str]],
        *,
        none: bool = False,
        measured: Mapping[str, Any] | None = None,
    ) -> None:
        self._known = np.stack([_mean(table(words)) for words in known])
        self._wanted = np.stack([_mean(table(words)) for words in wanted])
        self._none = none
        # Some words lie near everything: what counts is how much nearer than usual.
        self._usual = (self._known @ self._wanted.T).mean(axis=0)
        self.notes = list(_notes(measured or {}, wanted))

    def logits(self, outputs: NDArray[np.float32]) -> NDArray[np.float32]:
        check_rows(outputs, len(self._known))
        mixed = _softmax(outputs) @ self._known
        mixed /= np.maximum(np.linalg.norm(mixed, axis=1, keepdims=True), 1e-9)
        near = mixed @ self._wanted.T - self._usual
        if self._none:
            near = np.concatenate([near, np.full((len(near), 1), FAR, np.float32)], axis=1)
        return np.asarray(SHARPNESS * near, np.float32)


def _notes(measured: Mapping[str, Any], wanted: Sequence[Sequence[str]]) -> Iterator[str]:
    yield (
        "Labels by words are weak with the embedded model outside the 200 everyday classes it was trained on"
        f"{_figure(measured)}: check them, or label by --examples. {BETTER_WITH_WORDS}, a hub model of a later"
        " version, does far better."
    )
    foreign = [words[0] for words in wanted if not any(c.isascii() and c.isalpha() for c in " ".join(words))]
    if foreign:
        yield (
            f"The embedded model knows English words only, not {', '.join(foreign[:3])}: describe the classes in"
            ' English in a YAML file ("name: description" lines).'
        )


def _figure(measured: Mapping[str, Any]) -> str:
    figures = [
        f"{measured[key]:.0%} right on {name}" for key, name in FIGURES.items() if isinstance(measured.get(key), float)
    ]
    return f" ({', '.join(figures)})" if figures else ""


def _mean(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    mean = vectors.mean(axis=0)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-9), np.float32)


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True), np.float32)
