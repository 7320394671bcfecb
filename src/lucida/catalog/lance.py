"""Vectors in Lance, in bulk: one table for each key, rows of image number and vector.

Only this module imports Lance, and only inside its functions.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np

from lucida.errors import CatalogError

Array = np.ndarray[Any, np.dtype[np.float32]]

# Eight bits a number tell neighbours apart but for the last few; so many times k are compared exactly.
REFINE: Final = 5
PROBES: Final = 20
# Look-ups by number up to here; one pass over the table beyond.
FEW: Final = 20_000


def add(folder: Path, key: str, numbers: Sequence[int], values: Array) -> None:
    """Add vectors; those of images that are there already change nothing, so it can be done twice.

    Args:
        folder: The folder of all tables.
        key: Model and revision.
        numbers: Image numbers.
        values: float32 (n, d).
    """
    import pyarrow as pa

    dimensions = values.shape[1]
    schema = pa.schema([("image", pa.int64()), ("vector", pa.list_(pa.float32(), dimensions))])
    flat = pa.array(values.reshape(-1), pa.float32())
    data = pa.Table.from_arrays(
        [pa.array(numbers, pa.int64()), pa.FixedSizeListArray.from_arrays(flat, dimensions)], schema=schema
    )
    with _errors(folder):
        table = _database(folder).create_table(_name(key), schema=schema, exist_ok=True)
        table.merge_insert("image").when_not_matched_insert_all().execute(data)


def read(folder: Path, key: str, numbers: Sequence[int]) -> Iterator[tuple[Sequence[int], Array]]:
    """Yield image numbers and vectors, float32 (n, d), of at least the images asked for, in any order."""
    table = _open(folder, key)
    if table is None:
        return
    parts = [numbers[at : at + 1000] for at in range(0, len(numbers), 1000)] if len(numbers) <= FEW else [None]
    with _errors(folder):
        for part in parts:
            query = table.search().select(["image", "vector"])
            if part is not None:
                query = query.where(f"image IN ({','.join(map(str, part))})").limit(len(part))
            for batch in query.to_batches():
                values = batch["vector"].flatten().to_numpy().reshape(len(batch), -1)
                yield batch["image"].to_pylist(), values


def search(folder: Path, key: str, unit: Array, k: int) -> list[tuple[int, float]]:
    """Return image numbers and cosine similarities of the nearest vectors, by the index if there is one."""
    table = _open(folder, key)
    if table is None:
        return []
    with _errors(folder):
        query = table.search(unit, vector_column_name="vector").distance_type("cosine")
        query = query.nprobes(PROBES).refine_factor(REFINE).select(["image", "_distance"]).limit(k)
        rows = query.to_arrow()
    return [
        (image, 1.0 - distance)
        for image, distance in zip(rows["image"].to_pylist(), rows["_distance"].to_pylist(), strict=True)
    ]


def index(folder: Path, key: str, *, most_unindexed: int = 0) -> None:
    """Make the index of a table, or bring it up to date, and drop what older versions left behind.

    Args:
        folder: The folder of all tables.
        key: Model and revision.
        most_unindexed: Leave an index as it is while no more rows than this are not in it.
    """
    table = _open(folder, key)
    if table is None:
        return
    from lancedb.index import IvfSq

    with _errors(folder):
        made = list(table.list_indices())
        if made and table.index_stats(made[0].name).num_unindexed_rows <= most_unindexed and most_unindexed:
            return
        if not made:
            partitions = max(1, round(table.count_rows() ** 0.5))
            table.create_index("vector", config=IvfSq(distance_type="cosine", num_partitions=partitions))
        table.optimize(cleanup_older_than=timedelta(days=1))


def _database(folder: Path) -> Any:
    import lancedb

    return lancedb.connect(folder)


def _open(folder: Path, key: str) -> Any | None:
    """Open a table anew each time: a handle would not see what other processes added since."""
    if not (folder / f"{_name(key)}.lance").exists():
        return None
    with _errors(folder):
        return _database(folder).open_table(_name(key))


def _name(key: str) -> str:
    return f"{re.sub(r'[^A-Za-z0-9]+', '_', key)[:40]}_{hashlib.sha256(key.encode()).hexdigest()[:8]}"


class _errors:  # noqa: N801
    """Turn what Lance raises into an error that says what to do."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (OSError, RuntimeError, ValueError)):
            raise CatalogError(
                f"The vectors in {self.folder} cannot be read or written.",
                expected="tables of Lance, and room on the disk",
                got=" ".join(str(error).split())[:300],
                hint=f"free some space; if it stays, delete {self.folder}: labels and answers are not in it, "
                "and vectors are made again when they are needed",
            ) from error
