"""Files that are there whole or not at all: written beside their place, then moved there."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole(path: Path, *, shared: bool = False) -> Iterator[Path]:
    """Give a place to write to; what lies there becomes the file when the block ends without an error.

    Who reads the file sees the old one or the new one. What is left over after a kill is written over the next time.

    Args:
        path: The file, in a folder that is there.
        shared: Other threads or processes may write it at the same time: each has a place of its own.
    """
    own = f".{os.getpid()}-{threading.get_ident()}" if shared else ""
    partial = path.with_name(f".{path.name}{own}.partial")
    try:
        yield partial
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def write_whole(path: Path, data: bytes | str, *, shared: bool = False) -> None:
    """Write bytes, or text as UTF-8; see `whole`.

    Raises:
        OSError: It cannot be written.
    """
    with whole(path, shared=shared) as partial:
        partial.write_bytes(data.encode() if isinstance(data, str) else data)
