"""Images: what there is, and where its bytes lie."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, or_, select

from lucida.catalog.blobs import Blobs
from lucida.catalog.records import ImageRecord, Place
from lucida.catalog.schema import images, places
from lucida.catalog.store import Store, chunks, pairs
from lucida.errors import ImageError, InputError


class Images:
    """The images of a catalog.

    An image belongs to the catalog for as long as some path is known to hold its bytes. When a file was changed
    and added again, the image it held before keeps its record, but is no longer counted or listed.
    """

    def __init__(self, store: Store, blobs: Blobs) -> None:
        self._store = store
        self._blobs = blobs

    def count(self) -> int:
        """Return how many images there are."""
        with self._store.read() as connection:
            query = select(func.count()).select_from(images).where(images.c.placed)
            return int(connection.execute(query).scalar_one())

    def ids(self) -> list[str]:
        """Return all content ids, in order of adding."""
        with self._store.read() as connection:
            query = select(images.c.id).where(images.c.placed).order_by(images.c.number)
            return list(connection.execute(query).scalars())

    def get(self, id: str) -> ImageRecord:
        """Return the record of an image.

        Raises:
            InputError: No image has this id.
        """
        with self._store.read() as connection:
            row = connection.execute(select(images).where(images.c.id == id)).first()
        if row is None:
            raise unknown_images([id])
        return ImageRecord(row.id, row.width, row.height, row.format, row.mode, row.bytes)

    def places(self, id: str) -> list[Place]:
        """Return where the bytes of an image lie, in order of adding; empty if all paths now hold others.

        Raises:
            InputError: No image has this id.
        """
        self.get(id)
        return [Place(row.given, row.uri) for row in self._places(id)]

    def read(self, id: str) -> bytes:
        """Return the bytes of an image, from the first place that still holds them.

        A file of another size is passed over; one of another time of change is compared by content.

        Raises:
            InputError: No image has this id.
            ImageError: All places are gone, or hold other bytes now.
        """
        return self.reader([id])(id)

    def reader(self, ids: Sequence[str]) -> Callable[[str], bytes]:
        """Return a function that reads any of these images as `read` does, after one look-up for all of them.

        Raises:
            InputError: Some ids are unknown.
        """
        found: dict[str, tuple[int, list[Any]]] = {}
        with self._store.read() as connection:
            for part in chunks(dict.fromkeys(ids)):
                query = (
                    select(images.c.id, images.c.bytes, places.c.given, places.c.uri, places.c.modified)
                    .outerjoin(places, places.c.image == images.c.number)
                    .where(images.c.id.in_(part))
                    .order_by(places.c.number)
                )
                for row in connection.execute(query):
                    _, rows = found.setdefault(row.id, (row.bytes, []))
                    if row.uri is not None:
                        rows.append(row)
        unknown = [id for id in ids if id not in found]
        if unknown:
            raise unknown_images(unknown)
        return lambda id: self._read(id, *found[id])

    def _read(self, id: str, size: int, rows: Sequence[Any]) -> bytes:
        from lucida.images import content_id

        for row in rows:
            try:
                with Path(row.uri).open("rb") as file:
                    status = os.fstat(file.fileno())
                    if status.st_size != size:
                        continue
                    data = file.read()
            except (OSError, ValueError):
                continue
            unchanged = status.st_mtime_ns == row.modified and len(data) == size
            if unchanged or content_id(data) == id:
                return data
        try:
            data = self._blobs.path(id).read_bytes()
        except OSError:
            data = b""
        if len(data) == size:
            return data
        raise ImageError(
            f"The file of image {rows[0].given if rows else id} is gone, or has changed since it was added.",
            expected=f"the {size:,} bytes that were added",
            got=" and ".join(row.uri for row in rows[:3]) or "no path that holds them",
            hint="put the file back, or run `lucida add` on its folder again",
        )

    def name(self, id: str) -> str:
        """Return the path as given of the first place of an image; its id if it has none.

        Raises:
            InputError: No image has this id.
        """
        self.get(id)
        return self.names([id])[id]

    def names(self, ids: Iterable[str]) -> dict[str, str]:
        """Return the path as given of the first place of each image; its id where it has none."""
        found: dict[str, str] = {}
        with self._store.read() as connection:
            for part in chunks(ids):
                found |= dict.fromkeys(part, "")
                query = (
                    select(images.c.id, places.c.given)
                    .join(places, places.c.image == images.c.number)
                    .where(images.c.id.in_(part))
                    .order_by(places.c.number.desc())
                )
                # The last one written is the first place.
                found.update(pairs(connection.execute(query)))
        return {id: name or id for id, name in found.items()}

    def beginning(self, prefix: str, limit: int) -> list[str]:
        """Return the content ids that begin with some letters, in order of adding.

        Args:
            prefix: Hexadecimal letters.
            limit: At most so many.
        """
        # A range is looked up in the index, a pattern is not.
        query = select(images.c.id).where(images.c.id >= prefix, images.c.id < f"{prefix}g")
        with self._store.read() as connection:
            return list(connection.execute(query.order_by(images.c.number).limit(limit)).scalars())

    def resolve(self, name: str) -> list[str]:
        """Return the ids of the images that a name stands for.

        Args:
            name: A path as given to `add`, an absolute path or one from here, or else a file name.

        Returns:
            Content ids in order of adding. Whole paths come before file names: "a.jpg" is the file given as
            "a.jpg" if there is one, and only else every "…/a.jpg".
        """
        return self.resolve_all([name])[name]

    def resolve_all(self, names: Iterable[str]) -> dict[str, list[str]]:
        """Return for each name what `resolve` returns, in a few queries for all of them."""
        found: dict[str, list[str]] = {}
        with self._store.read() as connection:
            for part in chunks(names, 200):
                found.update(_resolve(connection, part))
        return found

    def _places(self, id: str) -> Sequence[Any]:
        query = (
            select(places)
            .join(images, images.c.number == places.c.image)
            .where(images.c.id == id)
            .order_by(places.c.number)
        )
        with self._store.read() as connection:
            return connection.execute(query).all()


def numbers(connection: Connection, ids: Iterable[str]) -> dict[str, int]:
    """Return the number of each image.

    Raises:
        InputError: Some ids are unknown.
    """
    found: dict[str, int] = {}
    unknown: list[str] = []
    for part in chunks(dict.fromkeys(ids)):
        query = select(images.c.id, images.c.number).where(images.c.id.in_(part))
        there = pairs(connection.execute(query))
        unknown += [id for id in part if id not in there]
        found |= there
    if unknown:
        raise unknown_images(unknown)
    return found


def _resolve(connection: Connection, names: list[str]) -> dict[str, list[str]]:
    given = {name: os.path.normpath(name).replace(os.sep, "/") for name in names}
    uris = {name: os.path.normpath(Path(name).absolute()) for name in names}
    query = (
        select(images.c.id, places.c.given, places.c.uri, places.c.name)
        .join(places, places.c.image == images.c.number)
        .where(
            or_(
                places.c.given.in_(list(given.values())),
                places.c.uri.in_([*uris.values(), *names]),
                places.c.name.in_(names),
            )
        )
        .order_by(images.c.number)
    )
    by_path: dict[str, dict[str, None]] = {}
    by_name: dict[str, dict[str, None]] = {}
    for id, path, uri, name in connection.execute(query):
        by_path.setdefault(path, {})[id] = None
        by_path.setdefault(uri, {})[id] = None
        by_name.setdefault(name, {})[id] = None
    return {
        name: list(by_path.get(given[name]) or by_path.get(uris[name]) or by_path.get(name) or by_name.get(name) or ())
        for name in names
    }


def unknown_images(ids: Sequence[str]) -> InputError:
    """Return the error for ids that no image has."""
    return InputError(
        f"{len(ids):,} images are not in the catalog." if len(ids) > 1 else "The image is not in the catalog.",
        expected="content ids of images that were added",
        got=", ".join(ids[:3]) + (", …" if len(ids) > 3 else ""),
        hint="run `lucida add` on the files, or list the ids with catalog.images.ids()",
    )
