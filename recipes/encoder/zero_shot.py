"""Labels by words alone, measured through the package's own matcher: what a user gets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lucida.models.embedded.lexicon import Lexicon
from lucida.models.embedded.words import WordMatcher
from lucida.models.onnx.card import read_card
from recipes.encoder.data import Labels
from recipes.encoder.inference import Floats
from recipes.encoder.probe import proportion


def known_classes(weights: Path) -> list[list[str]]:
    """Read the words of each known class, its name first."""
    return [list(words) for words in read_card(weights / "encoder.toml").synonyms]


def zero_shot(
    logits: Floats, labels: Labels, lexicon: Lexicon, known: Sequence[Sequence[str]], names: Sequence[str]
) -> dict[str, Any]:
    """Measure labels by the classes' bare names; the first known classes are those of the logits' columns."""
    matcher = WordMatcher(lexicon, known[: logits.shape[1]], [[name] for name in names])
    found = np.exp(matcher.logits(logits))
    right = found.argmax(axis=1) == labels
    counts = np.bincount(labels)
    return {
        **proportion(right),
        "mean_score": round(float(found.max(axis=1).mean()), 4),
        "chance": round(1 / len(names), 4),
        "majority": round(float(counts.max() / counts.sum()), 4),
    }
