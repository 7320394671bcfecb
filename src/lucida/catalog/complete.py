"""Up to which image every image is known to have a vector, so that nobody looks through those again.

Numbers of images grow, and vectors are only ever added: what is found complete stays so, but for images that come back
to the catalog and for vectors that were lost. Both change the epoch, and what was found in another epoch is void.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, delete, func, insert, select

from lucida.catalog.schema import images, meta

EPOCH: Final = "vectors epoch"
STEP: Final = 10_000  # images; to look through fewer again takes no time worth a write


def complete_to(connection: Connection, key: int) -> int:
    """Return the number of the last image up to which every image has a vector of a key; 0 where nothing is known."""
    value = _get(connection, _name(key)).split()
    return int(value[0]) if len(value) == 2 and value[1] == _epoch(connection) else 0


def found(connection: Connection, key: int, first_missing: int | None) -> tuple[str, str] | None:
    """Return what is to be noted after a look through all images; None where that is not worth a write.

    Args:
        connection: The one that was looked with.
        key: Number of the key.
        first_missing: Number of the first image without a vector; None where all have one.
    """
    last = connection.execute(select(func.max(images.c.number))).scalar() or 0
    end = last if first_missing is None else first_missing - 1
    if end < complete_to(connection, key) + STEP:
        return None
    return _name(key), f"{end} {_epoch(connection)}"


def note(connection: Connection, name: str, value: str) -> None:
    """Write down what `found` returned; where something was changed since, it is void by itself."""
    connection.execute(delete(meta).where(meta.c.key == name))
    connection.execute(insert(meta), {"key": name, "value": value})


def void(connection: Connection) -> None:
    """Forget what was found: an image has come back, or a vector is gone."""
    note(connection, EPOCH, str(int(_epoch(connection)) + 1))


def _name(key: int) -> str:
    return f"vectors {key} complete"


def _epoch(connection: Connection) -> str:
    return _get(connection, EPOCH) or "0"


def _get(connection: Connection, name: str) -> str:
    return str(connection.execute(select(meta.c.value).where(meta.c.key == name)).scalar() or "")
