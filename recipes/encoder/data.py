"""Image sets in memory: Parquet files of encoded images, decoded once into one array.

The files follow the Hugging Face ``datasets`` convention: a column ``image`` of ``{bytes, path}`` and an
integer column ``label`` whose names may stand in the schema's metadata.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
from PIL import Image

Pixels = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ImageSet:
    """Hold decoded images, their labels and the names of the classes.

    ``pixels`` is uint8 (n, height, width, 3) RGB in 0..255; ``labels`` is int64 (n,), an index into ``names``.
    """

    pixels: Pixels
    labels: Labels
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)


def decode(data: bytes) -> Image.Image:
    """Decode an encoded image to RGB."""
    return Image.open(io.BytesIO(data)).convert("RGB")


def as_is(image: Image.Image) -> Pixels:
    """Give the pixels of an image without resizing it."""
    return np.asarray(image, dtype=np.uint8)


def load_parquet(path: Path, prepare: Callable[[Image.Image], Pixels] = as_is) -> ImageSet:
    """Read and decode one Parquet file; ``prepare`` must bring all images to one size.

    Raises:
        FileNotFoundError: the file is missing.
        ValueError: ``prepare`` left images of different sizes.
    """
    if not path.is_file():
        raise FileNotFoundError(f"No image set at {path}: expected a Parquet file with columns image and label.")
    table = pq.read_table(path, columns=["image", "label"])
    arrays = [prepare(decode(row["bytes"])) for row in table["image"].to_pylist()]
    sizes = {array.shape for array in arrays}
    if len(sizes) > 1:
        raise ValueError(f"{path.name} holds images of {len(sizes)} sizes; pass a `prepare` that resizes to one.")
    labels = np.asarray(table["label"].to_numpy(), dtype=np.int64)
    return ImageSet(np.stack(arrays), labels, label_names(table.schema.metadata))


def label_names(metadata: dict[bytes, bytes] | None) -> tuple[str, ...]:
    """Read the class names that ``datasets`` keeps in a schema's metadata; empty where there are none."""
    info: dict[str, Any] = json.loads((metadata or {}).get(b"huggingface", b"{}"))
    feature = info.get("info", {}).get("features", {}).get("label", {})
    return tuple(feature.get("names", ()))


def read_synonyms(path: Path) -> dict[str, list[str]]:
    """Read ``classes.tsv``: WordNet id to its words, the usual one first."""
    lines = path.read_text(encoding="utf-8").splitlines()
    pairs = (line.split("\t", 1) for line in lines if line.strip())
    return {identity: [word.strip() for word in words.split(",")] for identity, words in pairs}
