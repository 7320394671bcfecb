"""Parquet in the convention of `datasets`: the images themselves, and labels with their names."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from lucida.export.folder import Folder

if TYPE_CHECKING:
    import pyarrow as pa

    from lucida.export.selection import Row

SHARD_BYTES = 500_000_000
GROUP_BYTES = 32_000_000
GROUP_ROWS = 256
STATES = ("reviewed", "accepted", "proposed")


def schema(classes: Sequence[str]) -> pa.Schema:
    """Return the columns, with the features of `datasets` in the metadata; a label is an index into `classes`."""
    import pyarrow as pa

    features: dict[str, Any] = {
        "image": {"_type": "Image"},
        "label": {"names": list(classes), "_type": "ClassLabel"},
        **{name: {"dtype": "string", "_type": "Value"} for name in ("path", "id", "state")},
        "score": {"dtype": "float64", "_type": "Value"},
        "kept": {"dtype": "bool", "_type": "Value"},
    }
    return pa.schema(
        [
            ("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
            ("label", pa.int64()),
            ("path", pa.string()),
            ("id", pa.string()),
            ("state", pa.string()),
            ("score", pa.float64()),
            ("kept", pa.bool_()),
        ],
        metadata={"huggingface": json.dumps({"info": {"features": features}}, ensure_ascii=False)},
    )


def shards(rows: Sequence[Row], mean_bytes: int, *, limit: int = SHARD_BYTES) -> dict[str, list[Row]]:
    """Divide the rows into files of about `limit` bytes or less, one file or more for each split.

    Args:
        rows: The images, with their split ("" without splits).
        mean_bytes: About how large an image is.
        limit: About how large a file may be.

    Returns:
        File name -> rows: `train.parquet`, or `train-00000-of-00002.parquet` and so on. Without splits, all is
        "train", as `datasets` calls it.
    """
    files: dict[str, list[Row]] = {}
    for split in dict.fromkeys(row.split for row in rows):
        found = [row for row in rows if row.split == split]
        count = max(1, min(len(found), math.ceil(mean_bytes * len(found) / limit)))
        for number in range(count):
            part = f"-{number:05d}-of-{count:05d}" if count > 1 else ""
            rows_here = found[number * len(found) // count : (number + 1) * len(found) // count]
            files[f"{split or 'train'}{part}.parquet"] = rows_here
    return files


def write(
    folder: Folder,
    name: str,
    rows: Iterable[Row],
    classes: Sequence[str],
    read: Callable[[str], bytes | None],
    step: Callable[[], None],
) -> int:
    """Write one file in row groups, holding one group in memory; return how many images it has.

    Args:
        folder: The folder of the export.
        name: Name of the file.
        rows: The images.
        classes: All class names, in the order of their numbers.
        read: Gives the bytes of an image, or None when they are gone.
        step: Called after each image.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = schema(classes)
    number = {label: i for i, label in enumerate(classes)}
    group: list[dict[str, Any]] = []
    count = held = 0
    # Compressing what is compressed already only costs time; the dictionary would hold every image once more.
    with (
        folder.file(name) as file,
        pq.ParquetWriter(file, columns, compression="none", use_dictionary=["state"]) as writer,
    ):
        for row in rows:
            if (data := read(row.image)) is not None:
                group.append(_record(row, data, number))
                held += len(data)
            step()
            if held >= GROUP_BYTES or len(group) >= GROUP_ROWS:
                writer.write_table(pa.Table.from_pylist(group, schema=columns))
                count, held, group = count + len(group), 0, []
        if group:
            writer.write_table(pa.Table.from_pylist(group, schema=columns))
    return count + len(group)


def _record(row: Row, data: bytes, number: dict[str, int]) -> dict[str, Any]:
    return {
        "image": {"bytes": data, "path": row.file},
        "label": number[row.label],
        "path": row.path,
        "id": row.image,
        "state": row.state,
        "score": row.score,
        "kept": row.kept,
    }
