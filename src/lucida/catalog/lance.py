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
Ints = np.ndarray[Any, np.dtype[np.int64]]

# Look-ups by number up to here; one pass over the table beyond.
FEW: Final = 20_000
ROWS: Final = 16_384  # a block


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
        table = _database(folder).create_table(table_name(key), schema=schema, exist_ok=True)
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


def blocks(folder: Path, key: str, leaving: Ints | None = None) -> Iterator[tuple[Ints, Array]]:
    """Yield image numbers and vectors, float32 (n, d), of all but some images, a bounded block at a time.

    Args:
        folder: The folder of all tables.
        key: Model and revision.
        leaving: Image numbers to leave out, int64, ascending; None for none.
    """
    table = _open(folder, key)
    if table is None:
        return
    with _errors(folder):
        every = np.sort(images(folder, key))
        for start in range(0, len(every), ROWS):
            low, high = every[start], every[min(start + ROWS, len(every)) - 1]
            # A part at a time: Lance reads ahead of a slow reader without end.
            query = table.search().where(f"image >= {low} AND image <= {high}").select(["image", "vector"])
            found = query.to_arrow().combine_chunks()
            numbers = np.asarray(found["image"].to_numpy(), np.int64)
            values = found["vector"].combine_chunks().flatten().to_numpy().reshape(len(found), -1)
            if leaving is not None and len(leaving):
                at = np.minimum(np.searchsorted(leaving, numbers), len(leaving) - 1)
                kept = leaving[at] != numbers
                numbers, values = numbers[kept], values[kept]
            yield numbers, values


def images(folder: Path, key: str) -> Ints:
    """Return the numbers of all images in a table, in any order."""
    table = _open(folder, key)
    if table is None:
        return np.zeros(0, np.int64)
    with _errors(folder):
        return np.asarray(table.search().select(["image"]).to_arrow()["image"].to_numpy(), np.int64)


def stamp(folder: Path, key: str) -> int:
    """Return what changes whenever a process adds to a table; 0 where there is none. It reads no data."""
    try:
        return (folder / f"{table_name(key)}.lance" / "_versions").stat().st_mtime_ns
    except OSError:
        return 0


def tidy(folder: Path, key: str) -> None:
    """Join what was added piece by piece, and drop what older versions left behind."""
    table = _open(folder, key)
    if table is not None:
        with _errors(folder):
            table.optimize(cleanup_older_than=timedelta(days=1))


def _database(folder: Path) -> Any:
    import lancedb

    return lancedb.connect(folder)


def _open(folder: Path, key: str) -> Any | None:
    """Open a table anew each time: a handle would not see what other processes added since."""
    if not (folder / f"{table_name(key)}.lance").exists():
        return None
    with _errors(folder):
        return _database(folder).open_table(table_name(key))


def table_name(key: str) -> str:
    """Return the name of a key's table."""
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
