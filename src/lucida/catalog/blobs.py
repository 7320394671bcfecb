"""Bytes that came out of archives and Parquet files, each in a file named by its content id."""

from __future__ import annotations

import errno
from pathlib import Path

from lucida.catalog.store import full
from lucida.errors import CatalogError
from lucida.whole import write_whole


class Blobs:
    """The folder `blobs/` of a catalog.

    Args:
        folder: Where the files lie, in 256 folders by the first byte of the id.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, id: str) -> Path:
        """Return where the bytes of an image lie, or would lie."""
        return self.folder / id[:2] / id

    def write(self, id: str, data: bytes) -> None:
        """Keep the bytes of an image; harmless if they are kept already.

        Raises:
            CatalogError: The disk is full or not writable.
        """
        path = self.path(id)
        try:
            if path.exists() and path.stat().st_size == len(data):
                return
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, data, shared=True)
        except OSError as error:
            if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", -1)):
                raise full(self.folder.parent, str(error)) from error
            raise CatalogError(
                f"The catalog {self.folder.parent} cannot be written.",
                expected="a folder that you may write",
                got=str(error),
                hint="check the permissions of the folder",
            ) from error
