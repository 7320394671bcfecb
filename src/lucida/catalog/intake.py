"""What `add` reads and writes: images with their places, and containers that were read to their end."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, exists, insert, select, update

from lucida.catalog import complete
from lucida.catalog.records import ImageRecord, Refusal
from lucida.catalog.schema import images, places, sources
from lucida.catalog.sources.found import Container, Found, printable
from lucida.catalog.store import Store, chunks, pairs


class Intake:
    """The side of the catalog that only `add` sees."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def unchanged(self, files: Iterable[Found]) -> set[str]:
        """Return the uris of the files that are known by path, size and time of change.

        One that is now given by another path ("photos/a.jpg" for "../photos/a.jpg") is known by the new one after.
        """
        by_uri = {file.uri: file for file in files if printable(file.uri) and printable(file.given)}
        known: set[str] = set()
        renamed: list[dict[str, str]] = []
        with self._store.read() as connection:
            for part in chunks(by_uri):
                query = select(places.c.uri, places.c.given, places.c.size, places.c.modified)
                for uri, given, size, modified in connection.execute(query.where(places.c.uri.in_(part))):
                    file = by_uri[uri]
                    if (size, modified) == (file.size, file.modified):
                        known.add(uri)
                        if given != file.given:
                            renamed.append({"at": uri, "now": file.given})
        if renamed:
            with self._store.write() as connection:
                _rename(connection, renamed)
        return known

    def record(self, batch: Sequence[tuple[Found, ImageRecord]]) -> int:
        """Write one batch of images and places; return how many images are new."""
        if not batch:
            return 0
        found = {image.id: image for _, image in batch}
        with self._store.write() as connection:
            numbers = _numbers(connection, found)
            fresh = [_image_values(image) for id, image in found.items() if id not in numbers]
            if fresh:
                connection.execute(insert(images), fresh)
                numbers |= _numbers(connection, [values["id"] for values in fresh])
            _place(connection, {file.uri: (file, numbers[image.id]) for file, image in batch})
        return len(fresh)

    def container(self, uri: str) -> Container | None:
        """Return an archive or Parquet file that was read to its end before, or None."""
        with self._store.read() as connection:
            row = connection.execute(select(sources).where(sources.c.uri == uri)).first()
        if row is None:
            return None
        refused = tuple(Refusal(**entry) for entry in json.loads(row.refused))
        return Container(row.uri, row.size, row.modified, "known", row.images, refused)

    def close(self, container: Container) -> None:
        """Note that an archive or Parquet file was read to its end."""
        values = {
            "uri": container.uri,
            "size": container.size,
            "modified": container.modified,
            "images": container.images,
            "refused": json.dumps([refusal.to_json() for refusal in container.refused], ensure_ascii=False),
        }
        with self._store.write() as connection:
            connection.execute(delete(sources).where(sources.c.uri == container.uri))
            connection.execute(insert(sources), values)


def _numbers(connection: Connection, ids: Iterable[str]) -> dict[str, int]:
    numbers: dict[str, int] = {}
    for part in chunks(ids):
        query = select(images.c.id, images.c.number).where(images.c.id.in_(part))
        numbers.update(pairs(connection.execute(query)))
    return numbers


def _image_values(image: ImageRecord) -> dict[str, Any]:
    return {
        "id": image.id,
        "width": image.width,
        "height": image.height,
        "format": image.format,
        "mode": image.mode,
        "bytes": image.bytes,
        "placed": True,
    }


def _place(connection: Connection, batch: dict[str, tuple[Found, int]]) -> None:
    """Write where images lie. A path that held another image is moved to the new one."""
    before: dict[str, Row[Any]] = {}
    for part in chunks(batch):
        query = select(places.c.uri, places.c.image).where(places.c.uri.in_(part))
        before.update({row.uri: row for row in connection.execute(query)})
    fresh = [_place_values(file, image) for uri, (file, image) in batch.items() if uri not in before]
    if fresh:
        connection.execute(insert(places), fresh)
    for uri in before:
        file, image = batch[uri]
        connection.execute(update(places).where(places.c.uri == uri).values(_place_values(file, image)))
    # An image counts for as long as a path is known to hold it; one that left may also come back.
    returned = {image for _, image in batch.values()}
    left = {row.image for row in before.values()} - returned
    placed = exists().where(places.c.image == images.c.number)
    for numbers in chunks(sorted(left)):
        connection.execute(update(images).where(images.c.number.in_(numbers)).values(placed=placed))
    for numbers in chunks(sorted(returned)):
        away = images.c.number.in_(numbers), ~images.c.placed
        if connection.execute(update(images).where(*away).values(placed=True)).rowcount:
            complete.void(connection)


def _place_values(file: Found, image: int) -> dict[str, Any]:
    return {
        "uri": file.uri,
        "given": file.given,
        "name": file.name,
        "image": image,
        "size": file.size,
        "modified": file.modified,
    }


def _rename(connection: Connection, renamed: list[dict[str, str]]) -> None:
    statement = update(places).where(places.c.uri == bindparam("at")).values(given=bindparam("now"))
    connection.execute(statement, renamed)
