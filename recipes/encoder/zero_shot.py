"""Labels by words alone: ConSE with the word table.

The posterior over the known classes makes a convex combination of their word vectors; the wanted class whose
word vector lies nearest wins. With few known classes this is weak, and the figures are reported to say so.

Source: Norouzi et al. 2014, Zero-Shot Learning by Convex Combination of Semantic Embeddings.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from recipes.encoder.data import Labels
from recipes.encoder.inference import Floats
from recipes.encoder.probe import proportion

Table = Callable[[Sequence[str]], Floats]


def unit(vectors: Floats) -> Floats:
    """Scale each row to length one."""
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9))


def load_table(folder: Path) -> Table:
    """Load the word table: texts to unit vectors float32 (n, d)."""
    from model2vec import StaticModel

    model: Any = StaticModel.from_pretrained(str(folder))
    return lambda texts: unit(np.asarray(model.encode(list(texts)), np.float32))


def known_classes(weights: Path) -> list[list[str]]:
    """Read the words of each known class, its name first."""
    rows = json.loads((weights / "classes.json").read_text(encoding="utf-8"))
    return [[row["name"], *row["synonyms"]] for row in rows]


def conse(logits: Floats, table: Table, known: Sequence[Sequence[str]], names: Sequence[str]) -> Labels:
    """Choose a name for each row of logits; gives int64 (n,)."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    posterior = shifted / shifted.sum(axis=1, keepdims=True)
    vectors = np.stack([unit(table(words).mean(axis=0, keepdims=True))[0] for words in known])
    mixed = unit(posterior @ vectors)
    return np.asarray((mixed @ table(names).T).argmax(axis=1), np.int64)


def zero_shot(
    logits: Floats, labels: Labels, table: Table, known: Sequence[Sequence[str]], names: Sequence[str]
) -> dict[str, Any]:
    """Measure ConSE as published, and with each logit's mean over all the images taken away."""
    counts = np.bincount(labels)
    return {
        "plain": proportion(conse(logits, table, known, names) == labels),
        "centred_over_the_images": proportion(conse(logits - logits.mean(axis=0), table, known, names) == labels),
        "chance": round(1 / len(names), 4),
        "majority": round(float(counts.max() / counts.sum()), 4),
    }
