"""Any words, through what the encoder knows: each class it was trained on votes for the words nearest to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lucida.errors import InputError
from lucida.models.spec import Matcher, check_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lucida.models.embedded.lexicon import Lexicon, Reading


@dataclass(frozen=True)
class Calibration:
    """Constants that make probabilities truthful.

    Attributes:
        temperature: Of the known classes.
        sharpness: From cosines to how a known class divides its vote.
        power: Of the sum of votes, before it is a probability again.
        doubt: Share of the probability that goes to all alike, for what the encoder has no name for.
        far: Cosine below which a known class rather votes for "none of these"; None where that is not asked.
    """

    temperature: float
    sharpness: float
    power: float
    doubt: float
    far: float | None = None


# Chosen by recipes/words/calibrate.py on images that were not trained on.
CLOSED = Calibration(1.0, 4.0, 4.0, 0.01)
OPEN = Calibration(0.7, 2.5, 4.0, 0.01, 0.3)
# Figures of the card to quote wherever words are matched, and what they were measured on.
FIGURES = {"words_cifar10": "ten everyday things (CIFAR-10)", "words_clothing": "ten kinds of clothing"}


class WordMatcher(Matcher):
    """Scores logits over known classes against any words.

    Every known class divides its probability among the words asked for, by how near they lie to its own.
    Source: after Norouzi et al. 2014, Zero-Shot Learning by Convex Combination of Semantic Embeddings; the sum is taken
    over classes rather than over vectors, so that it is a probability and can be calibrated.

    Args:
        lexicon: Texts to unit vectors.
        known: For each class the encoder knows, its name and synonyms.
        wanted: For each class asked for, the words or phrases that stand for it.
        none: Whether one more class stands for anything else.
        templates: Must be empty: the table knows words, not sentences.
        measured: Figures of the encoder's card, for the notes.
    """

    def __init__(
        self,
        lexicon: Lexicon,
        known: Sequence[Sequence[str]],
        wanted: Sequence[Sequence[str]],
        *,
        none: bool = False,
        templates: Sequence[str] = (),
        measured: Mapping[str, Any] | None = None,
    ) -> None:
        if templates:
            raise InputError(
                "The embedded model reads words, not sentences: a template says nothing to it.",
                expected="no --template",
                got=", ".join(map(repr, templates)),
                hint="leave it out, or --model siglip2",
            )
        read = [[lexicon.read(word) for word in words] for words in wanted]
        classes = [[lexicon.read(word).vector for word in words] for words in known]
        vectors = [[reading.vector for reading in readings] for readings in read]
        self._calibration = OPEN if none else CLOSED
        self._votes = votes(nearness(classes, vectors), self._calibration)
        self.notes = list(_notes(measured or {}, [reading for readings in read for reading in readings]))

    def logits(self, outputs: NDArray[np.float32]) -> NDArray[np.float32]:
        check_rows(outputs, len(self._votes))
        return np.log(posterior(outputs, self._votes, self._calibration))


def nearness(
    known: Sequence[Sequence[NDArray[np.float32]]], wanted: Sequence[Sequence[NDArray[np.float32]]]
) -> NDArray[np.float32]:
    """Return the cosine (known, wanted) of the nearest pair of words of each two classes."""
    return np.array(
        [[max(float(a @ b) for a in mine for b in theirs) for theirs in wanted] for mine in known], np.float32
    )


def votes(near: NDArray[np.float32], calibration: Calibration) -> NDArray[np.float32]:
    """Return how each known class divides its vote, float32 (known, wanted), or one more column for none of them."""
    if calibration.far is not None:
        near = np.concatenate([near, np.full((len(near), 1), calibration.far, np.float32)], axis=1)
    return _softmax(np.float32(calibration.sharpness) * near)


def posterior(
    outputs: NDArray[np.float32], divided: NDArray[np.float32], calibration: Calibration
) -> NDArray[np.float32]:
    """Return probabilities float32 (n, wanted) of logits over the known classes; rows sum to 1."""
    found = (_softmax(outputs / np.float32(calibration.temperature)) @ divided) ** np.float32(calibration.power)
    found /= found.sum(axis=1, keepdims=True)
    return np.asarray((1 - calibration.doubt) * found + calibration.doubt / found.shape[1], np.float32)


def _notes(measured: Mapping[str, Any], readings: Sequence[Reading]) -> Iterator[str]:
    yield (
        "The embedded model knows words well only among the 210 everyday classes it was trained on"
        f"{_figure(measured)}. A hub model does far better: --model siglip2 (see `lucida models`)."
    )
    strange = [reading for reading in readings if not reading.known]
    if strange:
        shown = ", ".join(
            f"{reading.text!r} as {repr(reading.read_as) if reading.read_as else 'nothing'}" for reading in strange[:5]
        )
        more = f" and {len(strange) - 5} more" if len(strange) > 5 else ""
        yield (
            f"Not in the word table, so read as the nearest that is: {shown}{more}. If that is wrong, say it in other"
            " words."
        )


def _figure(measured: Mapping[str, Any]) -> str:
    figures = [
        f"{measured[key]:.0%} right on {name}" for key, name in FIGURES.items() if isinstance(measured.get(key), float)
    ]
    return f" ({', '.join(figures)})" if figures else ""


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True), np.float32)
