"""The one file in which faces are kept: beside the catalog's own, so that all of it can be erased at once."""

from __future__ import annotations

import json
import shutil
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np

from lucida.catalog.store import BUSY_SECONDS, chunks, translate
from lucida.errors import CatalogError
from lucida.faces.records import Face

FOLDER: Final = "faces"
FILE: Final = "faces.sqlite"
VERSION: Final = 1
_TABLES: Final = """
CREATE TABLE facts (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE seen (image TEXT PRIMARY KEY);
CREATE TABLE faces (
    image TEXT NOT NULL, item INTEGER NOT NULL, score REAL NOT NULL, place TEXT NOT NULL, vector BLOB,
    "group" INTEGER NOT NULL DEFAULT 0, said TEXT, PRIMARY KEY (image, item)
);
CREATE TABLE names ("group" INTEGER PRIMARY KEY, name TEXT NOT NULL);
"""


def kept_at(catalog: Path) -> Path:
    """Return the file in which a catalog keeps faces; it may not exist."""
    return catalog / FOLDER / FILE


class FaceStore:
    """Faces, their vectors, groups and names; usable from several processes.

    Args:
        file: See `kept_at`; it must exist.

    Raises:
        CatalogError: It was made by a newer program, or is damaged.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        with self._open() as database:
            (version,) = database.execute("PRAGMA user_version").fetchone()
        if version != VERSION:
            raise CatalogError(
                f"{file} is not what this program keeps faces in.",
                expected=f"version {VERSION}",
                got=f"version {version}",
                hint="the version of Camera Lucida that made it; or lucida faces --forget",
            )

    @classmethod
    def create(cls, file: Path, facts: Mapping[str, str]) -> FaceStore:
        """Make an empty one, which only its owner may read, and note who agreed to what."""
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _connected(file) as database:
            database.executescript(f"BEGIN; {_TABLES} PRAGMA user_version = {VERSION}; COMMIT;")
        store = cls(file)
        store.note({**facts, "since": f"{time.time():.0f}"})
        return store

    @staticmethod
    def erase(file: Path) -> bool:
        """Remove all of it; tell whether there was anything."""
        there = file.parent.is_dir()
        if file.is_file():
            # Overwritten first: a removed file may still be read from the disk.
            size = file.stat().st_size
            with file.open("r+b") as opened:
                for start in range(0, size, 1 << 20):
                    opened.write(bytes(min(1 << 20, size - start)))
        shutil.rmtree(file.parent, ignore_errors=True)
        return there

    # ---- what is known ---------------------------------------------------------------------------------

    def facts(self) -> dict[str, str]:
        """Return what was noted beside the faces."""
        with self._open() as database:
            return dict(database.execute("SELECT key, value FROM facts").fetchall())

    def note(self, facts: Mapping[str, str]) -> None:
        """Note something, in place of what stood there."""
        with self._open() as database:
            database.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", list(facts.items()))

    def seen(self) -> set[str]:
        """Return the images that were looked at."""
        with self._open() as database:
            return {row[0] for row in database.execute("SELECT image FROM seen")}

    def names(self) -> dict[int, str]:
        """Return the name of each group that has one."""
        with self._open() as database:
            return dict(database.execute('SELECT "group", name FROM names ORDER BY "group"').fetchall())

    def faces(self, *, vectors: bool = True) -> list[Face]:
        """Return all faces, by image and number.

        Args:
            vectors: With their vectors.
        """
        column = "vector" if vectors else "NULL"
        query = f'SELECT image, item, score, place, {column}, "group", said FROM faces ORDER BY image, item'
        with self._open() as database:
            return [_face(row) for row in database.execute(query)]

    # ---- what is said ----------------------------------------------------------------------------------

    def add(self, images: Sequence[str], faces: Iterable[Face]) -> None:
        """Keep the faces of images that were looked at: all of them, or none."""
        rows = [
            (face.image, face.item, face.score, json.dumps([face.box, face.points.round(2).tolist()]),
             None if face.vector is None else face.vector.astype("<f4").tobytes(), face.group, face.said)
            for face in faces
        ]  # fmt: skip
        with self._open() as database:
            database.executemany("INSERT OR REPLACE INTO faces VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
            database.executemany("INSERT OR IGNORE INTO seen VALUES (?)", [(image,) for image in images])

    def remove(self, images: Iterable[str]) -> None:
        """Forget the faces of some images."""
        with self._open() as database:
            for part in chunks(images):
                marks = ",".join("?" * len(part))
                database.execute(f"DELETE FROM faces WHERE image IN ({marks})", part)
                database.execute(f"DELETE FROM seen WHERE image IN ({marks})", part)

    def group(self, groups: Mapping[tuple[str, int], int]) -> None:
        """Put faces, by image and number, into groups."""
        rows = [(group, image, item) for (image, item), group in groups.items()]
        with self._open() as database:
            database.executemany('UPDATE faces SET "group" = ? WHERE image = ? AND item = ?', rows)

    def say(self, said: Mapping[tuple[str, int], str]) -> None:
        """Note whose faces, by image and number, people say they are."""
        rows = [(name, image, item) for (image, item), name in said.items()]
        with self._open() as database:
            database.executemany("UPDATE faces SET said = ? WHERE image = ? AND item = ?", rows)

    def name(self, names: Mapping[int, str]) -> None:
        """Name groups; an empty name takes one back."""
        with self._open() as database:
            database.executemany('DELETE FROM names WHERE "group" = ?', [(group,) for group in names])
            kept = [(group, name) for group, name in names.items() if name]
            database.executemany("INSERT INTO names VALUES (?, ?)", kept)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with _connected(self.file) as database:
            yield database


@contextmanager
def _connected(file: Path) -> Iterator[sqlite3.Connection]:
    try:
        with closing(sqlite3.connect(file, timeout=BUSY_SECONDS)) as database, database:
            # What is deleted is overwritten.
            database.execute("PRAGMA secure_delete = ON")
            yield database
    except sqlite3.Error as error:
        raise translate(error, file) from error


def _face(row: tuple[Any, ...]) -> Face:
    image, item, score, place, vector, group, said = row
    box, points = json.loads(place)
    known = None if vector is None else np.frombuffer(vector, "<f4")
    return Face(image, item, score, tuple(box), np.array(points, np.float32), known, group, said)
