"""Write a Parquet set of photos as a user would have them: a few examples of each class, and the rest unlabelled."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np


def unpack(parquet: Path, folder: Path, examples: int, *, seed: int | None = None) -> tuple[Path, Path, dict[str, str]]:
    """Write a set's photos as JPEG files.

    Args:
        parquet: A file in the `datasets` convention with the columns image and label.
        folder: Where to write.
        examples: Examples of each class.
        seed: Which photos are the examples; None takes the first of each class.

    Returns:
        The folder of photos, the folder of examples, and the key: label by file name.
    """
    import pyarrow.parquet as pq

    table = pq.read_table(parquet)
    features = json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]
    names: list[str] = features["label"]["names"]
    rows = table.select(["image", "label"]).to_pylist()
    order = range(len(rows)) if seed is None else np.random.default_rng(seed).permutation(len(rows)).tolist()
    seen: Counter[str] = Counter()
    key: dict[str, str] = {}
    for i in order:
        label = names[rows[i]["label"]]
        seen[label] += 1
        teaches = seen[label] <= examples
        path = folder / ("examples" if teaches else "photos") / (label if teaches else "") / f"{i:04d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(rows[i]["image"]["bytes"])
        if not teaches:
            key[path.name] = label
    return folder / "photos", folder / "examples", key
