"""Vectors: where each image lies, one table of embeddings for each revision of a model.

New vectors are rows of SQLite, as durable as annotations. When 4,096 of a key have gathered they are moved to Lance
in bulk; a smaller collection never leaves SQLite, and Lance, whose import takes over a second, is never loaded.
SQLite keeps one small row for every vector in either place, so that "which images lack one" needs no Lance.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from sqlalchemy import Connection, Exists, delete, exists, func, insert, select

from lucida.catalog import complete
from lucida.catalog.images import numbers as image_numbers
from lucida.catalog.large import Large
from lucida.catalog.nearest import among_only, best, compared
from lucida.catalog.schema import images, vector_keys, vectors
from lucida.catalog.store import Store, chunks, insert_ignoring, pairs
from lucida.errors import CatalogError, InputError, UnknownName

Array = np.ndarray[Any, np.dtype[np.float32]]

# Lance takes one commit for each addition, and is fast from a thousand rows on.
BULK: Final = 4096
# Below this, an exact search in memory is as fast as any index and misses nothing.
EXACT: Final = 200_000


class Vectors:
    """The vectors of a catalog; all are float32, and never change once written."""

    def __init__(self, store: Store, folder: Path) -> None:
        self._store = store
        self._folder = folder
        self._pending: dict[str, int] = {}
        self._grown: set[str] = set()
        self._large = Large(folder)
        self._unit: tuple[tuple[str, tuple[slice, ...]], list[str], Array] | None = None

    def add(self, key: str, ids: Sequence[str], values: Array) -> int:
        """Add vectors; those of images that have one already change nothing.

        Args:
            key: Model and revision, such as "embedded@2026-11-21.1".
            ids: Content ids.
            values: float32 (n, d), finite.

        Returns:
            How many were new.

        Raises:
            InputError: An id is unknown, the shape does not fit, or a value is not finite.
        """
        array = np.ascontiguousarray(values, "<f4")
        if array.ndim != 2 or len(array) != len(ids):
            raise InputError("The vectors do not fit the ids.", expected=f"shape ({len(ids)}, d)",
                             got=str(array.shape), hint="give one row an id")  # fmt: skip
        if not len(ids):
            return 0
        if not np.isfinite(array).all():
            raise InputError("A vector is not finite.", expected="finite float32 values", got="NaN or infinity",
                             hint="run the model at higher precision")  # fmt: skip
        with self._store.write() as connection:
            of_image = image_numbers(connection, ids)
            number = _key_number(connection, key, array.shape[1])
            rows = [
                {"key": number, "image": of_image[id], "data": row.tobytes()}
                for id, row in zip(ids, array, strict=True)
            ]
            new = insert_ignoring(connection, vectors, rows)
            if key not in self._pending:
                query = _count(number).where(vectors.c.data.is_not(None))
                self._pending[key] = connection.execute(query).scalar_one()
            else:
                # Counted anew for every batch, this would cost more than the batch.
                self._pending[key] += new
        if self._pending[key] >= BULK:
            self._compact(key, BULK)
            del self._pending[key]
        return new

    def get(self, key: str, ids: Sequence[str]) -> Array:
        """Return the vectors of images, float32 (n, d), in the order of the ids.

        Raises:
            UnknownName: No vector has this key.
            InputError: Some images have no vector of this key; says how many.
        """
        with self._store.read() as connection:
            number, dimensions = self._key(connection, key)
            place = {id: row for row, id in enumerate(dict.fromkeys(ids))}
            out = np.empty((len(place), dimensions), np.float32)
            found = np.zeros(len(place), bool)
            absent: dict[int, int] = {}
            for id, image, data in _rows(connection, number, place):
                if data is None:
                    absent[image] = place[id]
                else:
                    out[place[id]] = np.frombuffer(data, "<f4")
                    found[place[id]] = True
        if absent:
            self._fill(key, number, absent, out, found)
        if not found.all():
            raise InputError(
                f"{int((~found).sum()):,} of {len(place):,} images have no vector of {key!r}.",
                expected="a vector for each image",
                got=", ".join(id for id, row in list(place.items()) if not found[row])[:200],
                hint="run the model over them first: lucida.runs.embed",
            )
        return out if len(place) == len(ids) else out[[place[id] for id in ids]]

    def missing(self, key: str, ids: Sequence[str] | None = None) -> list[str]:
        """Return the ids of images that have no vector of a key, in order of adding.

        Args:
            key: Model and revision.
            ids: Look only among these, and keep their order; None stands for all images.
        """
        if ids is None:
            return self._missing_of_all(key)
        with self._store.read() as connection:
            number = connection.execute(select(vector_keys.c.number).where(vector_keys.c.key == key)).scalar()
            there: set[str] = set()
            for part in chunks(ids):
                query = select(images.c.id).where(images.c.id.in_(part), _has(number))
                there |= set(connection.execute(query).scalars())
        return [id for id in ids if id not in there]

    def _missing_of_all(self, key: str) -> list[str]:
        with self._store.read() as connection:
            number = connection.execute(select(vector_keys.c.number).where(vector_keys.c.key == key)).scalar()
            known = 0 if number is None else complete.complete_to(connection, number)
            query = select(images.c.number, images.c.id).where(images.c.number > known, images.c.placed, ~_has(number))
            rows = connection.execute(query.order_by(images.c.number)).all()
            news = None if number is None else complete.found(connection, number, rows[0].number if rows else None)
        if news is not None:
            # A catalog that cannot be written can still be searched.
            with contextlib.suppress(CatalogError), self._store.write() as connection:
                complete.note(connection, *news)
        return [row.id for row in rows]

    def count(self, key: str) -> int:
        """Return how many images have a vector of a key."""
        with self._store.read() as connection:
            query = select(func.count()).join(vector_keys).where(vector_keys.c.key == key).select_from(vectors)
            return int(connection.execute(query).scalar_one())

    def search(
        self,
        key: str,
        query: Array,
        k: int = 10,
        *,
        among: Sequence[str] | None = None,
        parts: Sequence[slice] = (),
    ) -> list[tuple[str, float]]:
        """Return the images whose vectors point most nearly the same way.

        Exact up to 200,000 vectors of a key, or as many images to choose among; by an index beyond.

        Args:
            key: Model and revision.
            query: float32 (d,).
            k: How many.
            among: Content ids to choose among; None stands for all. Those without a vector are left out.
            parts: Compare these parts of the vectors, each at length one; the whole as it is where empty.

        Returns:
            Pairs of content id and cosine similarity (-1 to 1), most similar first.

        Raises:
            UnknownName: No vector has this key.
            InputError: The query has another shape.
        """
        with self._store.read() as connection:
            number, dimensions = self._key(connection, key)
        vector = np.asarray(query, np.float32)
        if vector.shape != (dimensions,):
            raise InputError("The query does not fit the vectors.", expected=f"shape ({dimensions},)",
                             got=str(vector.shape), hint=f"embed the query with {key}")  # fmt: skip
        unit = compared(vector[None], parts)[0]
        if not self._is_large(key):
            ids, rows = self._normalised(key, tuple(parts))
            return best(ids, among_only(ids, rows @ unit, among), k)
        if among is None:
            return self._search_large(key, number, unit, tuple(parts), k)
        if len(among) <= EXACT:
            return self._scan(key, unit, among, parts, k)
        # An index knows of no choice: so many more are taken.
        chosen, wanted = set(among), 4 * k * -(-self.count(key) // len(among))
        found = self._search_large(key, number, unit, tuple(parts), wanted)
        return [one for one in found if one[0] in chosen][:k]

    def ready(self, key: str, *, parts: Sequence[slice] = ()) -> None:
        """Make a large collection ready to be searched: moved to Lance and indexed, where much of it is not yet.

        Args:
            key: Model and revision.
            parts: Which parts of the vectors are compared; see `search`.
        """
        if self._is_large(key):
            self._compact(key, BULK)
            self._large.ready(key, tuple(parts))

    def _is_large(self, key: str) -> bool:
        # Counting takes longer than a search by index; what has grown large stays so.
        if key not in self._grown and self.count(key) > EXACT:
            self._grown.add(key)
        return key in self._grown

    def compact(self, key: str | None = None) -> None:
        """Move all vectors that wait in SQLite to Lance, and index what is too large for an exact search.

        Args:
            key: Only this key; None stands for all.
        """
        with self._store.read() as connection:
            keys = [key] if key is not None else list(connection.execute(select(vector_keys.c.key)).scalars())
        for one in keys:
            self._compact(one, 1)
            from lucida.catalog import lance

            lance.tidy(self._folder, one)
            self.ready(one)

    def _compact(self, key: str, at_least: int) -> None:
        """Move vectors to Lance, a bulk at a time. Stopped anywhere, it can be done again without harm."""
        from lucida.catalog import lance

        while True:
            with self._store.read() as connection:
                number, dimensions = self._key(connection, key)
                query = (
                    select(vectors.c.image, vectors.c.data)
                    .where(vectors.c.key == number, vectors.c.data.is_not(None))
                    .order_by(vectors.c.image)
                    .limit(4 * BULK)
                )
                rows = connection.execute(query).all()
            if len(rows) < at_least:
                return
            numbers = [row.image for row in rows]
            values = np.frombuffer(b"".join(row.data for row in rows), "<f4").reshape(-1, dimensions)
            lance.add(self._folder, key, numbers, values)
            # Only now that they lie in Lance: a crash between the two leaves them in both, which reads the same.
            with self._store.write() as connection:
                # Rows that shrink in place would each keep a page of the file to themselves.
                for part in chunks(numbers):
                    connection.execute(delete(vectors).where(vectors.c.key == number, vectors.c.image.in_(part)))
                connection.execute(insert(vectors), [{"key": number, "image": n, "data": None} for n in numbers])

    def _fill(self, key: str, number: int, absent: dict[int, int], out: Array, found: np.ndarray[Any, Any]) -> None:
        """Read from Lance what is no longer in SQLite; forget what Lance has lost, so that it is made again."""
        from lucida.catalog import lance

        for numbers, values in lance.read(self._folder, key, list(absent)):
            for image, value in zip(numbers, values, strict=True):
                if image in absent:
                    out[absent[image]] = value
                    found[absent[image]] = True
        lost = [image for image, row in absent.items() if not found[row]]
        if lost:
            with self._store.write() as connection:
                complete.void(connection)
                for part in chunks(lost):
                    connection.execute(
                        delete(vectors).where(
                            vectors.c.key == number, vectors.c.image.in_(part), vectors.c.data.is_(None)
                        )
                    )

    def _normalised(self, key: str, parts: tuple[slice, ...]) -> tuple[list[str], Array]:
        """Return ids and unit vectors of a key, kept in memory for as long as they are the same images."""
        with self._store.read() as connection:
            number, _ = self._key(connection, key)
            query = select(images.c.id).join(vectors).where(vectors.c.key == number, images.c.placed)
            ids = list(connection.execute(query.order_by(images.c.number)).scalars())
        kept = self._unit
        if kept is None or kept[0] != (key, parts) or kept[1] != ids:
            self._unit = kept = ((key, parts), ids, compared(self.get(key, ids), parts))
        return kept[1], kept[2]

    def _scan(
        self, key: str, unit: Array, ids: Sequence[str], parts: Sequence[slice], k: int
    ) -> list[tuple[str, float]]:
        """Compare some images exactly, block by block."""
        absent = set(self.missing(key, ids))
        there = [id for id in ids if id not in absent]
        scores = np.empty(len(there), np.float32)
        for start in range(0, len(there), BULK):
            part = slice(start, start + BULK)
            scores[part] = compared(self.get(key, there[part]), parts) @ unit
        return best(there, scores, k)

    def _search_large(
        self, key: str, number: int, unit: Array, parts: tuple[slice, ...], k: int
    ) -> list[tuple[str, float]]:
        for asked in (k, k + CHANGED):
            near = self._large.search(key, unit, parts, asked)
            exhausted = len(near) < asked
            with self._store.read() as connection:
                waiting = select(vectors.c.image, vectors.c.data)
                rows = connection.execute(waiting.where(vectors.c.key == number, vectors.c.data.is_not(None))).all()
                if rows:
                    values = np.frombuffer(b"".join(row.data for row in rows), "<f4").reshape(len(rows), -1)
                    numbers = [row.image for row in rows]
                    near |= dict(best(numbers, compared(values, parts) @ unit, asked))
                named: dict[int, str] = {}
                for part in chunks(near):
                    ids = select(images.c.number, images.c.id).where(images.c.number.in_(part), images.c.placed)
                    named |= pairs(connection.execute(ids))
            found = sorted(((named[one], score) for one, score in near.items() if one in named), key=lambda p: -p[1])
            if len(found) >= k or exhausted:
                break
        return found[:k]

    def _key(self, connection: Connection, key: str) -> tuple[int, int]:
        query = select(vector_keys.c.number, vector_keys.c.dimensions).where(vector_keys.c.key == key)
        row = connection.execute(query).first()
        if row is None:
            known = connection.execute(select(vector_keys.c.key)).scalars()
            raise UnknownName("vector key", key, known, hint="run the model over the images first")
        return row.number, row.dimensions


# Images whose files have changed may still lie in Lance: where they are among the nearest, so many more are asked for.
CHANGED: Final = 100


def _has(key: int | None) -> Exists:
    """Return whether an image has a vector of a key."""
    return exists().where(vectors.c.key == key, vectors.c.image == images.c.number)


def _count(number: int) -> Any:
    return select(func.count()).select_from(vectors).where(vectors.c.key == number)


def _rows(connection: Connection, key: int, place: dict[str, int]) -> Iterable[Any]:
    """Yield id, number and data of the images that have a row."""
    query = select(images.c.id, vectors.c.image, vectors.c.data).join(images).where(vectors.c.key == key)
    total = connection.execute(_count(key)).scalar_one()
    if len(place) * 4 > total:
        # Most are wanted: one pass in order of the file is faster than a look-up each.
        yield from (row for row in connection.execute(query) if row.id in place)
        return
    for part in chunks(place):
        yield from connection.execute(query.where(images.c.id.in_(part)))


def _key_number(connection: Connection, key: str, dimensions: int) -> int:
    query = select(vector_keys).where(vector_keys.c.key == key)
    row = connection.execute(query).first()
    if row is None:
        connection.execute(insert(vector_keys), {"key": key, "dimensions": dimensions})
        row = connection.execute(query).one()
    if row.dimensions != dimensions:
        raise InputError(f"The vectors have another length than those of {key!r}.",
                         expected=f"{row.dimensions} dimensions", got=str(dimensions),
                         hint="a model with another output needs another revision")  # fmt: skip
    return int(row.number)
