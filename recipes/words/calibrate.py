"""Choose the constants of labels by words so that their probabilities are truthful.

    python -m recipes.words.calibrate --weights src/lucida/models/embedded/weights --data ../shared/data

Questions are made up from images that the encoder was not trained on: a few classes drawn at random, each asked for
by one of its words. In half of the questions that word is then taken from what the encoder knows of the class, so that
only its meaning leads there. The constants with the lowest log loss win; the figures beside them are for the card.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lucida.models.embedded import words
from lucida.models.embedded.lexicon import load_lexicon
from lucida.models.embedded.words import Calibration
from recipes.encoder import inference
from recipes.encoder.classes import class_words
from recipes.encoder.data import load_parquet
from recipes.encoder.sources import cifar_split

Floats = npt.NDArray[np.float32]
GRID = {
    "temperature": (0.5, 0.7, 1.0, 1.4),
    "sharpness": (1.5, 2.5, 4.0, 6.0, 9.0, 13.0),
    "power": (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 9.0),
    "doubt": (0.01, 0.03, 0.1),
}
FARS = (0.1, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5)
# Sharpness and power do much the same: they are tried together.
TOGETHER = (("sharpness", "power"), ("far",), ("temperature",), ("doubt",))


@dataclass(frozen=True)
class Question:
    """Some images, and classes to tell them by.

    Attributes:
        near: Cosine of each known class to each class asked for, (known, asked).
        logits: Of the images, over the known classes.
        truth: Which class asked for each image is of; one past the last where it is none of them.
    """

    near: Floats
    logits: Floats
    truth: npt.NDArray[np.int64]


def questions(
    logits: Floats, labels: npt.NDArray[np.int64], spoken: Sequence[Sequence[str]], folder: Path, n: int, seed: int
) -> Iterator[Question]:
    """Make up questions; the same ones each time."""
    lexicon = load_lexicon(folder)
    vectors = [[lexicon.read(word).vector for word in names] for names in spoken]
    generator = np.random.default_rng(seed)
    present = np.unique(labels)
    for number in range(n):
        asked = generator.choice(present, size=min(int(generator.integers(3, 13)), len(present) - 1), replace=False)
        word = {int(c): int(generator.integers(len(vectors[c]))) for c in asked}
        known = [
            [v for i, v in enumerate(vs) if not (number % 2 and word.get(c) == i and len(vs) > 1)]
            for c, vs in enumerate(vectors)
        ]
        near = words.nearness(known, [[vectors[c][word[c]]] for c in word])
        place = {c: i for i, c in enumerate(word)}
        own = np.flatnonzero(np.isin(labels, asked))
        others = generator.permutation(np.flatnonzero(~np.isin(labels, asked)))[: max(1, len(own) // 2)]
        rows = np.concatenate([own, others])
        truth = np.array([place.get(int(label), len(word)) for label in labels[rows]])
        yield Question(near, logits[rows], truth)


def answer(question: Question, calibration: Calibration) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Return probabilities and truths of the images that count: without "none of these", those of a class asked for."""
    rows = question.truth <= question.near.shape[1] - (calibration.far is None)
    divided = words.votes(question.near, calibration)
    return words.posterior(question.logits[rows], divided, calibration), question.truth[rows]


def measure(asked: Sequence[Question], calibration: Calibration) -> dict[str, float]:
    """Return log loss, accuracy and expected calibration error (15 bins) over all questions, each weighed alike."""
    losses, scores, right = [], [], []
    for question in asked:
        found, truth = answer(question, calibration)
        losses.append(float(-np.log(found[np.arange(len(truth)), truth]).mean()))
        scores.append(found.max(axis=1))
        right.append(found.argmax(axis=1) == truth)
    score, hit = np.concatenate(scores), np.concatenate(right)
    bins = np.minimum((score * 15).astype(int), 14)
    gaps = [abs(score[bins == b].mean() - hit[bins == b].mean()) * (bins == b).mean() for b in np.unique(bins)]
    return {
        "log_loss": round(float(np.mean(losses)), 4),
        "accuracy": round(float(hit.mean()), 4),
        "calibration_error": round(float(sum(gaps)), 4),
    }


def choose(asked: Sequence[Question], *, none: bool) -> Calibration:
    """Return the constants with the lowest log loss, improved one after the other until none changes."""
    grid: dict[str, tuple[float, ...]] = {**GRID, **({"far": FARS} if none else {})}
    best = Calibration(**{name: values[1] for name, values in grid.items()})
    loss, changed = measure(asked, best)["log_loss"], True
    while changed:
        changed = False
        for names in TOGETHER:
            for values in itertools.product(*(grid.get(name, ()) for name in names)):
                tried = replace(best, **dict(zip(names, values, strict=True)))
                found = measure(asked, tried)["log_loss"]
                if found < loss:
                    best, loss, changed = tried, found, True
    return best


def main(arguments: Sequence[str] | None = None) -> None:
    """Choose from the command line; questions of another seed say how well it holds."""
    parser = argparse.ArgumentParser(description="Calibrate labels by words.")
    parser.add_argument("--weights", type=Path, required=True, help="folder that holds encoder.toml and words/")
    parser.add_argument("--words", type=Path, help="folder of the word table, if another")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--questions", type=int, default=150)
    options = parser.parse_args(arguments)
    encoder = inference.load(options.weights)
    table = options.words or options.weights / "words"
    spoken = class_words(options.data)
    tiny = load_parquet(options.data / "tiny_imagenet" / "validation.parquet", encoder.fit)
    cifar = load_parquet(options.data / "cifar10" / "train.parquet", encoder.fit)
    held_out = cifar_split(cifar)[1]
    sets = (
        (encoder(tiny.pixels)[1], tiny.labels),
        (encoder(cifar.pixels[held_out])[1], cifar.labels[held_out] + len(tiny.names)),
    )
    spoken = spoken[: sets[0][0].shape[1]]

    def asked(seed: int) -> list[Question]:
        of_each = (options.questions, options.questions // 10)
        return [
            question
            for (logits, labels), n in zip(sets, of_each, strict=True)
            if labels.max() < len(spoken)
            for question in questions(logits, labels, spoken, table, n, seed)
        ]

    result: dict[str, Any] = {}
    for name, shipped in (("without_none_of_these", words.CLOSED), ("with_none_of_these", words.OPEN)):
        chosen = choose(asked(0), none=shipped.far is not None)
        result[name] = {
            "chosen": asdict(chosen),
            "on_new_questions": measure(asked(1), chosen),
            "shipped": asdict(shipped),
            "shipped_on_new_questions": measure(asked(1), shipped),
        }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
