"""The classes that the encoder knows, in the order of its logits, and the words that each goes by."""

from __future__ import annotations

from pathlib import Path

from recipes.encoder.data import label_names, read_synonyms

# What people call CIFAR-10's classes, the data set's own name first.
CIFAR10: dict[str, tuple[str, ...]] = {
    "airplane": ("aeroplane", "plane", "aircraft"),
    "automobile": ("car",),
    "bird": (),
    "cat": (),
    "deer": (),
    "dog": (),
    "frog": (),
    "horse": (),
    "ship": ("boat",),
    "truck": ("lorry",),
}


def class_words(data: Path, cifar_labels: bool = True) -> list[list[str]]:
    """Read the words of every class: its name, then its synonyms."""
    return [row["words"] for row in class_rows(data, cifar_labels)]


def class_rows(data: Path, cifar_labels: bool = True) -> list[dict[str, list[str]]]:
    """Read every class: its words, and where its images come from."""
    import pyarrow.parquet as pq

    identities = label_names(pq.read_schema(data / "tiny_imagenet" / "train.parquet").metadata)
    synonyms = read_synonyms(data / "tiny_imagenet" / "classes.tsv")
    rows = [{"words": synonyms[identity], "wordnet": [identity]} for identity in identities]
    if cifar_labels:
        rows += [{"words": [name, *others], "wordnet": []} for name, others in CIFAR10.items()]
    return rows
