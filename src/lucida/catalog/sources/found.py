"""One file that may be an image, wherever it lies."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self

from lucida.catalog.records import Refusal


@dataclass(frozen=True, slots=True)
class Found:
    """One file that may be an image.

    Args:
        given: Path as given to `add`, with forward slashes.
        uri: Absolute path, or path of the container with the member's name or row.
        name: File name.
        size: Bytes, as the file system says; of a member, its own size.
        modified: Nanoseconds since 1970; of a member, those of its container.
        data: The bytes, if they are at hand already; then they are kept in the catalog, as a container gives
            single members only by reading all before it.
    """

    given: str
    uri: str
    name: str
    size: int
    modified: int
    data: bytes | None = field(default=None, repr=False)

    @classmethod
    def of_file(cls, path: Path) -> Self | Refusal:
        """Return a file by its path, unread, or why that cannot be."""
        try:
            status = path.stat()
        except OSError as error:
            return Refusal(show(path), f"cannot be read: {error.strerror}")
        uri = os.path.normpath(path.absolute())
        return cls(path.as_posix(), uri, path.name, status.st_size, status.st_mtime_ns)


@dataclass(frozen=True, slots=True)
class Container:
    """An archive or Parquet file: its beginning, its end, or the note that it is known.

    Args:
        uri: Absolute path.
        size: Its bytes.
        modified: Nanoseconds since 1970.
        stage: "begin" before its first member, "end" when it was read to its end, "known" if it was before.
        images: How many members were images; of stage "known".
        refused: What was refused of it; of stage "known".
    """

    uri: str
    size: int
    modified: int
    stage: Literal["begin", "end", "known"]
    images: int = 0
    refused: tuple[Refusal, ...] = ()


def show(path: Path | str) -> str:
    """Return a path as text that can be printed and written, whatever bytes its name holds."""
    text = path.as_posix() if isinstance(path, Path) else path
    return text.encode("utf-8", "backslashreplace").decode()


def printable(text: str) -> bool:
    """Return whether a path is text: names of other encodings cannot be written to the catalog."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
