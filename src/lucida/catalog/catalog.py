"""Open a catalog: a folder that holds records, vectors, bytes from archives, and the files of runs."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from sqlalchemy import insert, select

from lucida.catalog import schema
from lucida.catalog.annotations import Annotations
from lucida.catalog.blobs import Blobs
from lucida.catalog.damage import damaged
from lucida.catalog.fulltext import FILE as TEXT_FILE
from lucida.catalog.fulltext import FullText
from lucida.catalog.images import Images
from lucida.catalog.intake import Intake
from lucida.catalog.runs import Runs
from lucida.catalog.store import Store, translate
from lucida.catalog.vectors import Vectors
from lucida.errors import CatalogError

FILE: Final = "catalog.sqlite"
DEFAULT: Final = "lucida-catalog"


class Catalog:
    """What there is, who said what of it, and where it lies.

    A catalog is usable from several threads, and several processes may open the same one. Use it as a context
    manager, or close it.

    Attributes:
        path: The folder.
        images: What there is.
        runs: Who says something.
        annotations: What was said.
        vectors: Embeddings of the images.
        text: What is known of the images in words.
        intake: What `add` writes.
        blobs: Bytes that came out of archives and Parquet files.
        models: Folder of the models that were made from what is here.
    """

    def __init__(self, path: Path, store: Store) -> None:
        self.path = path
        self._store = store
        self.blobs = Blobs(path / "blobs")
        self.images = Images(store, self.blobs)
        self.intake = Intake(store)
        self.runs = Runs(store, path / "runs")
        self.annotations = Annotations(store)
        self.vectors = Vectors(store, path / "vectors")
        self.text = FullText(store, path / TEXT_FILE, self.images, self.annotations)
        self.models = path / "models"

    @classmethod
    def open(cls, path: Path | str | None = None, *, create: bool = False) -> Catalog:
        """Open a catalog.

        Args:
            path: Its folder; None stands for the environment variable LUCIDA_CATALOG, else ./lucida-catalog.
            create: Make the catalog if there is none.

        Raises:
            CatalogError: There is none, or it is damaged, made by a newer program, or not writable.
        """
        folder = _place(path)
        file = folder / FILE
        fresh = _inspect(folder, file, create)
        store = Store(file)
        try:
            if fresh:
                _create(store)
            _check_version(folder, _version(store))
            return cls(folder, store)
        except BaseException:
            store.close()
            raise

    def close(self) -> None:
        """Close the catalog; all that was written is on disk already."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Catalog({str(self.path)!r})"


def exists(path: Path | str | None = None) -> bool:
    """Return whether there is a catalog where `Catalog.open` would look."""
    return (_place(path) / FILE).exists()


def _place(path: Path | str | None) -> Path:
    return Path(path or os.environ.get("LUCIDA_CATALOG") or DEFAULT).expanduser().absolute()


def _inspect(folder: Path, file: Path, create: bool) -> bool:
    """Look at the first bytes of the file, which touches nothing; return whether tables must be made."""
    try:
        if not file.exists():
            _refuse_missing(folder, create)
            folder.mkdir(parents=True, exist_ok=True)
            return True
        with file.open("rb") as opened:
            head = opened.read(100)
    except OSError as error:
        raise CatalogError(
            f"The catalog {folder} cannot be opened.",
            expected="a folder that you may read and write",
            got=str(error),
            hint="check the permissions, or name another folder with --catalog",
        ) from error
    if not head:
        # SQLite makes an empty file first: a process that made the catalog was stopped right there.
        return True
    if head[:16] != b"SQLite format 3\0":
        raise damaged(folder, f"{FILE} begins with {head[:8]!r}")
    if len(head) < 100:
        raise damaged(folder, f"{FILE} ends within its header")
    if int.from_bytes(head[68:72], "big") == schema.APPLICATION:
        _check_version(folder, int.from_bytes(head[60:64], "big"))
        return False
    # Its maker may have been stopped before the tables were written, or before they left the log for the file.
    _refuse_foreign(folder, file)
    return True


def _refuse_foreign(folder: Path, file: Path) -> None:
    try:
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as connection:
            names = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except sqlite3.Error as error:
        raise translate(error, file) from error
    if names and schema.meta.name not in names:
        raise CatalogError(
            f"{folder} is not a catalog: its {FILE} belongs to another program.",
            expected="a new or empty folder for the catalog",
            got=f"a database with the tables {', '.join(sorted(names)[:5])}",
            hint="name another folder with --catalog",
        )


def _refuse_missing(folder: Path, create: bool) -> None:
    if not create:
        raise CatalogError(
            f"There is no catalog at {folder}.",
            expected=f"a folder with {FILE}, which `lucida add` makes",
            got="a file" if folder.is_file() else "another folder" if folder.is_dir() else "nothing there",
            hint="lucida add FOLDER, or name the catalog with --catalog or LUCIDA_CATALOG",
        )
    if folder.exists() and (not folder.is_dir() or any(p.name[:1] != "." for p in folder.iterdir())):
        raise CatalogError(
            f"{folder} is not a catalog, and not empty.",
            expected="a new or empty folder for the catalog",
            got="a folder with other files" if folder.is_dir() else "a file",
            hint="name another folder with --catalog",
        )


def _check_version(folder: Path, version: int) -> None:
    if version > schema.VERSION:
        from lucida import __version__

        raise CatalogError(
            f"The catalog {folder} was made by a newer version of Camera Lucida.",
            expected=f"catalog version {schema.VERSION} or older, which {__version__} reads",
            got=f"catalog version {version}",
            hint="pip install --upgrade camera-lucida; the catalog was not touched",
        )


def _version(store: Store) -> int:
    with store.read() as connection:
        value = connection.execute(select(schema.meta.c.value).where(schema.meta.c.key == "version")).scalar()
    return int(value or 0)


def _create(store: Store) -> None:
    with store.write() as connection:
        # Two processes may both have found nothing; the second finds the tables of the first.
        schema.tables.create_all(connection)
        if connection.execute(select(schema.meta.c.key)).first() is None:
            connection.execute(insert(schema.meta), {"key": "version", "value": str(schema.VERSION)})
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql(f"PRAGMA application_id = {schema.APPLICATION}")
                connection.exec_driver_sql(f"PRAGMA user_version = {schema.VERSION}")
    # The version must be readable from the file's first bytes, without opening it.
    with closing(sqlite3.connect(store.file, isolation_level=None)) as plain:
        plain.execute("PRAGMA wal_checkpoint(PASSIVE)")
