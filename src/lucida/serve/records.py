"""What a server must remember when it ends: a SQLite file beside the catalog's, with a table for each part."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lucida.catalog.store import Store
from lucida.errors import CatalogError

if TYPE_CHECKING:
    from sqlalchemy import MetaData

FILE: Final = "serve.sqlite"
BUSY: Final = 5.0  # seconds to wait for another program that writes: a client waits as well


class Records(Store):
    """The records of a server; safe to share between threads.

    Args:
        folder: Of the catalog; None keeps them until the server ends.
    """

    def __init__(self, folder: Path | None) -> None:
        self._gone = tempfile.TemporaryDirectory(prefix="lucida-serve-") if folder is None else None
        super().__init__((Path(self._gone.name) if self._gone is not None else folder or Path()) / FILE, BUSY)

    @property
    def lasting(self) -> bool:
        """Whether they are there when the server starts again."""
        return self._gone is None

    def prepare(self, tables: MetaData) -> None:
        """Create the tables of one part where they are not there yet.

        Raises:
            CatalogError: The file is damaged, or cannot be written.
        """
        with self.write() as connection:
            tables.create_all(connection)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        folder = str(self.file.parent)
        try:
            with super()._errors():
                yield
        except CatalogError as error:
            # A path of this machine is none of a client's business.
            for part in ("what", "expected", "got", "hint"):
                said = getattr(error, part).replace(f"the catalog {folder}", "the records of the server")
                setattr(error, part, said.replace(folder, "the folder of the server"))
            raise

    def close(self) -> None:
        """Close all connections."""
        super().close()
        if self._gone is not None:
            self._gone.cleanup()
