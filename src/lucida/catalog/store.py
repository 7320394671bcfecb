"""The SQLite file: one connection a thread, one writer at a time, and errors that say what to do."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, create_engine, event, exc
from sqlalchemy.engine import Engine

from lucida.errors import CatalogError

T = TypeVar("T")

# Another process may hold the file for one batch of its own; a minute is many hundred batches.
BUSY_SECONDS: Final = 60
# Bound below the number of variables that every SQLite allows in one statement.
CHUNK: Final = 500


def chunks(items: Iterable[T], size: int = CHUNK) -> Iterator[list[T]]:
    """Yield the items in lists of at most `size`, without ever holding more."""
    rest = iter(items)
    while part := list(islice(rest, size)):
        yield part


class Store:
    """The records of one catalog on disk.

    Safe to share between threads; any number of processes may open the same file.

    Args:
        file: The SQLite file; it is created if missing.
        busy: Seconds to wait for another program that writes.
    """

    def __init__(self, file: Path, busy: float = BUSY_SECONDS) -> None:
        self.file, self._busy = file, busy
        # Threads of one process queue here; SQLite's own waiting is by sleeping and trying again.
        self._writing = threading.RLock()
        self._engine = _engine(file, busy)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Yield a connection that sees one state of the catalog for as long as the block runs."""
        with self._errors(), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Yield a connection in a transaction of its own: all of the block is written, or nothing."""
        with self._errors(), self._writing, self._engine.connect() as connection:
            connection = connection.execution_options(lucida_write=True)
            with connection.begin():
                yield connection

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except exc.DBAPIError as error:
            raise translate(error.orig or error, self.file, self._busy) from error
        except sqlite3.Error as error:
            raise translate(error, self.file, self._busy) from error


def _engine(file: Path, busy: float) -> Engine:
    engine = create_engine(
        f"sqlite+pysqlite:///{file}",
        connect_args={"check_same_thread": False, "timeout": busy},
        pool_size=4,
        max_overflow=-1,
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _: object) -> None:
        # Transactions are opened by _begin; the driver's own guessing would open them too late.
        connection.isolation_level = None
        for setting in (
            "journal_mode = WAL",
            "synchronous = NORMAL",
            "foreign_keys = ON",
            "cache_size = -32000",
        ):
            connection.execute(f"PRAGMA {setting}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A writer takes its turn at once: a reader that turns writer halfway could be refused.
        writes = connection.get_execution_options().get("lucida_write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def pairs(rows: Any) -> dict[Any, Any]:
    """Return a result of two columns as a dictionary; the last of equal first values stays."""
    return {first: second for first, second in rows.all()}  # noqa: C416 (rows are no plain tuples in SQLAlchemy 2.0)


def insert_ignoring(connection: Connection, table: Any, rows: Sequence[dict[str, Any]]) -> int:
    """Insert the rows whose key is new, and return how many these were."""
    if not rows:
        return 0
    from sqlalchemy.dialects import postgresql, sqlite

    dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    return int(connection.execute(dialect.insert(table).on_conflict_do_nothing(), rows).rowcount)


def translate(error: BaseException, file: Path, busy: float = BUSY_SECONDS) -> CatalogError:
    """Turn an error of SQLite into one that says what stands and what to do."""
    code = getattr(error, "sqlite_errorcode", None)
    primary = code & 0xFF if isinstance(code, int) else None
    text = str(error)
    folder = file.parent
    if primary in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        from lucida.catalog.damage import damaged

        return damaged(folder, text)
    if primary == sqlite3.SQLITE_FULL:
        return full(folder, text)
    if primary in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH):
        return CatalogError(
            f"The catalog {folder} cannot be written.",
            expected="a folder and files that you may write",
            got=text,
            hint="check the permissions of the folder, or copy the catalog to one of your own "
            "and name that with --catalog",
        )
    if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return CatalogError(
            f"Another program has been writing to the catalog {folder} for over {busy:g} seconds.",
            expected="a turn to write",
            got=text,
            hint="wait for it to end, or stop it; nothing of this step was written, so run it again",
        )
    return CatalogError(
        f"The catalog {folder} could not be read or written.",
        expected="a disk that works",
        got=text,
        hint="everything committed before stays; check the disk, then run the same command again",
    )


def full(folder: Path, text: str) -> CatalogError:
    """Return the error of a disk without room."""
    return CatalogError(
        f"The disk of the catalog {folder} is full.",
        expected="room for what is added",
        got=text,
        hint="everything committed before stays; free some space and run the same command again, it goes on from there",
    )
