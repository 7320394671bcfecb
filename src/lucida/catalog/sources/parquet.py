"""Parquet files in the convention of `datasets`: an image column of structs {bytes, path}."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Final

from lucida.catalog.records import Refusal
from lucida.catalog.sources.found import Found, printable, show
from lucida.images import Limits

PARQUET: Final = ".parquet"
_LIMITS: Final = Limits()
ROWS: Final = 32


class ParquetFile:
    """The images of a Parquet file, row by row.

    Args:
        path: The file, as given.
        limits: Bound on the size of an image's bytes.
    """

    def __init__(self, path: Path, limits: Limits = _LIMITS) -> None:
        self.path = path
        self.limits = limits
        self._uri = os.path.normpath(path.absolute())

    def __iter__(self) -> Iterator[Found | Refusal]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            modified = self.path.stat().st_mtime_ns
            with pq.ParquetFile(self.path) as file:
                column = image_column(file.schema_arrow)
                if column is None:
                    yield Refusal(show(self.path), "no column of images: none holds {bytes, path}")
                    return
                number = 0
                for batch in file.iter_batches(batch_size=ROWS, columns=[column]):
                    for value in batch[0]:
                        yield self._row(number, value.as_py(), modified)
                        number += 1
        except (OSError, pa.ArrowException) as error:
            text = " ".join(str(error).split()) or type(error).__name__
            yield Refusal(show(self.path), f"the Parquet file cannot be read further: {text}")

    def _row(self, number: int, value: Any, modified: int) -> Found | Refusal:
        given = f"{self.path.as_posix()}#{number}"
        data, path = (value.get("bytes"), value.get("path")) if isinstance(value, dict) else (value, None)
        if not isinstance(data, bytes):
            # A path in somebody else's file is not a reason to read that file here.
            return Refusal(show(given), "a path without bytes" if path else "a row without an image")
        if len(data) > self.limits.bytes:
            return Refusal(show(given), f"larger than {self.limits.bytes:,} bytes")
        name = PurePosixPath(path).name if isinstance(path, str) and path and printable(path) else ""
        return Found(given, f"{self._uri}#{number}", name or f"{self.path.name}#{number}", len(data), modified, data)


def image_column(schema: Any) -> str | None:
    """Return the name of the column of images: the declared ones first, "image" first among equals.

    Source: the `datasets` library writes its features as JSON under the key "huggingface" of the schema's metadata.
    """
    import pyarrow as pa

    declared: list[str] = []
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        declared = [name for name, kind in features.items() if kind.get("_type") == "Image"]
    except (KeyError, ValueError, AttributeError, TypeError):
        pass
    binary = (pa.types.is_binary, pa.types.is_large_binary)

    def holds_bytes(kind: Any) -> bool:
        if pa.types.is_struct(kind):
            index = kind.get_field_index("bytes")
            return index >= 0 and holds_bytes(kind.field(index).type)
        return any(test(kind) for test in binary)

    fitting = [f.name for f in schema if holds_bytes(f.type)]
    likely = [name for name in declared if name in fitting] or [
        f.name for f in schema if f.name in fitting and (pa.types.is_struct(f.type) or f.name == "image")
    ]
    return "image" if "image" in likely else likely[0] if likely else None
