"""Steps of one transaction: an item begins or ends, a job ends, what is old makes room."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, bindparam, delete, func, select, update

from lucida.errors import LucidaError, ModelError
from lucida.serve.jobs.rows import Ended, Item
from lucida.serve.jobs.tables import inputs, items, jobs
from lucida.serve.refusal import error_json

if TYPE_CHECKING:
    from collections.abc import Mapping

OPEN: Final = ("queued", "running")
OFTEN: Final = 3  # times that an item is begun, if each time the process ended in the middle of it
# Made once: they are asked for every item of every job, and to put one together takes longer than to run it.
_HERE: Final = (items.c.job == bindparam("of"), items.c.place == bindparam("at"))
_ITEM: Final = (
    select(jobs.c.state, items.c.image, items.c.begun, items.c.answer.is_not(None).label("done"), inputs.c.data)
    .join(jobs, jobs.c.number == items.c.job)
    .join(inputs, (inputs.c.job == items.c.job) & (inputs.c.id == items.c.image), isouter=True)
    .where(*_HERE)
)
_BEGIN: Final = update(items).where(*_HERE).values(begun=items.c.begun + 1)
_END: Final = (
    update(items).where(*_HERE, items.c.answer.is_(None)).values(answer=bindparam("said"), failed=bindparam("wrong"))
)
_JOB: Final = select(
    jobs.c.state, jobs.c.done, jobs.c.failed, jobs.c.total,
    select(func.coalesce(func.sum(jobs.alias().c.bytes), 0)).scalar_subquery().label("held"),
).where(jobs.c.number == bindparam("of"))  # fmt: skip
_COUNT: Final = (
    update(jobs)
    .where(jobs.c.number == bindparam("of"))
    .values(
        bytes=jobs.c.bytes + bindparam("size"),
        failed=jobs.c.failed + bindparam("wrong"),
        done=jobs.c.done + bindparam("right"),
    )
)


def begin(connection: Connection, number: int, place: int, now: float, most: int) -> Item | None:
    """Begin an item; None where its job is over, it is done, or it ended the server too often.

    Args:
        connection: In a transaction.
        number: Of the job.
        place: Of the item.
        now: Seconds since 1970.
        most: Bytes of all answers.
    """
    row = connection.execute(_ITEM, {"of": number, "at": place}).first()
    if row is None or row.state not in OPEN or row.done:
        return None
    if row.begun >= OFTEN:
        end(connection, Ended(number, place, _told(_LEFT_OUT), True), now, most)
        return None
    connection.execute(_BEGIN, {"of": number, "at": place})
    if row.state == "queued":
        connection.execute(update(jobs).where(jobs.c.number == number).values(state="running", started=now))
    return Item(place, row.image, row.data)


def end(connection: Connection, ended: Ended, now: float, most: int) -> bool:
    """Write down what became of an item, and return whether its job is over."""
    job = connection.execute(_JOB, {"of": ended.job}).first()
    if job is None or job.state not in OPEN:
        # It was cancelled meanwhile: what comes after that is nobody's.
        return True
    answer, failed = ended.answer, ended.failed
    if job.held + len(answer) > most and not make_room(connection, len(answer), most):
        answer, failed = _told(_NO_ROOM, expected=f"at most {most:,} bytes of all jobs together"), True
    said = {"of": ended.job, "at": ended.place, "said": answer, "wrong": failed}
    if not connection.execute(_END, said).rowcount:
        return False
    connection.execute(_COUNT, {"of": ended.job, "size": len(answer), "wrong": int(failed), "right": int(not failed)})
    return job.done + job.failed + 1 >= job.total and close(connection, ended.job, now)


def close(
    connection: Connection, number: int, now: float, state: str = "", problem: Mapping[str, Any] | None = None
) -> bool:
    """End a job, and return whether it had not ended before; one of which nothing was answered has failed.

    Args:
        connection: In a transaction.
        number: Of the job.
        now: Seconds since 1970.
        state: What it ends as; "" for what its items say.
        problem: Error of the job as a whole.
    """
    this = jobs.c.number == number
    row = connection.execute(select(jobs.c.state, jobs.c.done).where(this)).first()
    if row is None or row.state not in OPEN:
        return False
    values = {"state": state or ("done" if row.done else "failed"), "finished": now, "inputs": 0}
    connection.execute(update(jobs).where(this).values(**values, problem=json.dumps(problem) if problem else None))
    _erase(connection, inputs, number)
    return True


def make_room(connection: Connection, size: int, most: int) -> bool:
    """Remove the oldest jobs that are over until there is room for an answer; return whether there is."""
    held = int(connection.execute(select(func.coalesce(func.sum(jobs.c.bytes), 0))).scalar_one()) + size
    while held > most:
        oldest = select(jobs.c.number, jobs.c.bytes).where(jobs.c.finished.is_not(None))
        row = connection.execute(oldest.order_by(jobs.c.finished).limit(1)).first()
        if row is None:
            return False
        remove(connection, row.number)
        held -= row.bytes
    return True


def remove(connection: Connection, number: int) -> None:
    """Remove a job with all that it said."""
    for table in (inputs, items):
        _erase(connection, table, number)
    connection.execute(delete(jobs).where(jobs.c.number == number))


def sent_image(connection: Connection, number: int, id: str) -> bytes | None:
    """Return an image that was sent with a job; None where it was named by its id."""
    return connection.execute(select(inputs.c.data).where(inputs.c.job == number, inputs.c.id == id)).scalar()


def _erase(connection: Connection, table: Any, number: int) -> None:
    """Delete what belongs to a job; images of people are overwritten, not only let go of."""
    connection.exec_driver_sql("PRAGMA secure_delete = ON")
    connection.execute(delete(table).where(table.c.job == number))


def _told(error: LucidaError, *, expected: str = "") -> bytes:
    return json.dumps({"error": {**error_json(error), **({"expected": expected} if expected else {})}}).encode()


_LEFT_OUT: Final = ModelError(
    "This item is left out.",
    expected="an answer",
    got=f"{OFTEN} times the end of the whole server while it was being done",
    hint="look at this image by itself; the log of the server may say more",
)
_NO_ROOM: Final = ModelError(
    "There is no room left for answers of jobs.",
    expected="room",
    got="more",
    hint="fetch results, then DELETE /v1/jobs/ID?forget=true; or jobs: {results: …} in serve.yaml",
)
