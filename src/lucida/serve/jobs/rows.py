"""Jobs and their items as they stand in the records."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Row


@dataclass(frozen=True)
class Entry:
    """A job as it stands in the records."""

    number: int
    id: str
    holder: str
    task: str
    model: str
    fields: dict[str, Any]
    state: str
    created: float
    started: float | None
    finished: float | None
    total: int
    done: int
    failed: int
    problem: dict[str, Any] | None


@dataclass(frozen=True)
class Item:
    """One image, or picture, of a job that is to be done.

    Attributes:
        place: In its job.
        image: Content id; "" where there is none.
        data: The encoded file; None where it was named by its id.
    """

    place: int
    image: str
    data: bytes | None


@dataclass(frozen=True)
class Ended:
    """What became of an item.

    Attributes:
        job: Number of the job.
        place: In it.
        answer: JSON of the answer, or of the error.
        failed: Whether it is an error.
    """

    job: int
    place: int
    answer: bytes
    failed: bool


@dataclass(frozen=True)
class Turned:
    """What a turn came to.

    Attributes:
        item: That begins; None where there was none, or its job is not to be done any more.
        over: Whether the job of the item that ended has ended with it, or before.
    """

    item: Item | None = None
    over: bool = False


def entry_of(row: Row[Any]) -> Entry:
    """Return a job of the table of jobs."""
    plain = {name: getattr(row, name) for name in Entry.__dataclass_fields__}
    problem = None if row.problem is None else json.loads(row.problem)
    return Entry(**{**plain, "fields": json.loads(row.fields), "problem": problem})
