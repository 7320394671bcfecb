"""What is written down of jobs: one transaction an item, so that nothing finished is lost or done twice.

All methods wait for the disk, and at times for another program: they are called in threads.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, func, insert, select, update

from lucida.errors import InputError, ModelError
from lucida.serve.jobs.rows import Ended, Entry, Turned, entry_of
from lucida.serve.jobs.steps import OPEN, begin, close, end, make_room, remove, sent_image
from lucida.serve.jobs.tables import inputs, items, jobs, tables
from lucida.serve.refusal import Refused, error_json

if TYPE_CHECKING:
    from lucida.serve.config import Settings
    from lucida.serve.jobs.wanted import Wanted
    from lucida.serve.records import Records

DAY: Final = 86_400.0
PART, HELD = 50, 8 * 2**20  # answers that are read at a time, and their bytes, at most
SOON: Final = 60  # seconds after which a queue that is full is worth another try


class Ledger:
    """Jobs in the records of a server.

    Args:
        records: Where they stand.
        settings: Bounds.
        clock: Gives seconds since 1970.
    """

    def __init__(self, records: Records, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self._records, self._settings, self._clock = records, settings, clock

    def prepare(self) -> None:
        """Make the tables.

        Raises:
            CatalogError: The records cannot be written.
        """
        self._records.prepare(tables)

    def known(self, holder: str, key: str, digest: str) -> Entry | None:
        """Return the job that was asked for with a key; None where it is a new one.

        Raises:
            Refused: 422, something else was asked for with it.
        """
        with self._records.read() as connection:
            return _known(connection, holder, key, digest)

    def accept(self, wanted: Wanted, holder: str, key: str) -> Entry:
        """Write down a new job.

        Args:
            wanted: What is to be done.
            holder: Who asks.
            key: The client's own, or "".

        Raises:
            Refused: 429, so many wait already; 422, something else was asked for with this key.
            CatalogError: It cannot be written; then nothing of it is.
        """
        now, size = self._clock(), sum(len(data) for data in wanted.inputs.values())
        with self._records.write() as connection:
            if (known := _known(connection, holder, key, wanted.digest)) is not None:
                return known
            waiting = select(func.count(), func.coalesce(func.sum(jobs.c.inputs), 0)).where(jobs.c.state.in_(OPEN))
            count, held = connection.execute(waiting).one()
            self._check_room(int(count), int(held) + size)
            id, failed = f"job-{secrets.token_hex(8)}", sum(map(len, wanted.failed.values()))
            values = {
                "id": id, "holder": holder, "task": wanted.task, "model": wanted.model,
                "fields": json.dumps(wanted.fields), "state": "queued", "created": now, "total": wanted.total,
                "done": 0, "failed": len(wanted.failed), "inputs": size, "bytes": failed, "key": key or None,
                "digest": wanted.digest,
            }  # fmt: skip
            connection.execute(insert(jobs), values)
            number = connection.execute(select(jobs.c.number).where(jobs.c.id == id)).scalar_one()
            connection.execute(insert(items), [
                {"job": number, "place": place, "image": wanted.images[place] if wanted.images else "", "begun": 0,
                 "failed": place in wanted.failed, "answer": wanted.failed.get(place)}
                for place in range(wanted.total)
            ])  # fmt: skip
            if wanted.inputs:
                sent = [{"job": number, "id": id, "data": data} for id, data in wanted.inputs.items()]
                connection.execute(insert(inputs), sent)
            if len(wanted.failed) == wanted.total:
                close(connection, number, now)
            return entry_of(connection.execute(select(jobs).where(jobs.c.number == number)).one())

    def get(self, id: str, holder: str) -> Entry:
        """Return a job of somebody.

        Raises:
            Refused: 404, there is none, or it is somebody else's.
        """
        with self._records.read() as connection:
            row = connection.execute(select(jobs).where(jobs.c.id == id, jobs.c.holder == holder)).first()
        if row is None:
            raise Refused(
                404,
                InputError(
                    "There is no such job.",
                    expected="the id of a job of yours",
                    got=repr(id[:60]),
                    hint=f"GET /v1/jobs lists them; they are kept for {self._settings.job_days:g} days",
                ),
            )
        return entry_of(row)

    def all(self, holder: str, most: int, before: int | None = None) -> list[Entry]:
        """Return jobs of somebody, the latest first.

        Args:
            holder: Who asks.
            most: How many.
            before: Only those that came before this number.
        """
        query = select(jobs).where(jobs.c.holder == holder).order_by(jobs.c.number.desc()).limit(most)
        with self._records.read() as connection:
            return [
                entry_of(row)
                for row in connection.execute(query if before is None else query.where(jobs.c.number < before))
            ]

    def unfinished(self) -> list[Entry]:
        """Return jobs that wait or are being done, of everybody, in the order of coming."""
        with self._records.read() as connection:
            query = select(jobs).where(jobs.c.state.in_(OPEN)).order_by(jobs.c.number)
            return [entry_of(row) for row in connection.execute(query)]

    def pending(self, number: int) -> list[int]:
        """Return the places of items that have no answer yet."""
        query = select(items.c.place).where(items.c.job == number, items.c.answer.is_(None)).order_by(items.c.place)
        with self._records.read() as connection:
            return list(connection.execute(query).scalars())

    def input(self, number: int, id: str) -> bytes | None:
        """Return an image that was sent with a job; None where it was named by its id."""
        with self._records.read() as connection:
            return sent_image(connection, number, id)

    def turn(self, ended: Ended | None, begins: tuple[int, int] | None) -> Turned:
        """Write down what became of an item, and begin another, in one step.

        Args:
            ended: What became of the one; None where there is none.
            begins: Job and place of the other; None for none.

        Raises:
            CatalogError: It cannot be written; then nothing of it is.
        """
        over, item = False, None
        with self._records.write() as connection:
            if ended is not None:
                over = end(connection, ended, self._clock(), self._settings.job_results)
            if begins is not None:
                item = begin(connection, *begins, self._clock(), self._settings.job_results)
        return Turned(item, over)

    def not_begun(self, begun: Sequence[tuple[int, int]]) -> None:
        """Note that some items, of job and place, were left because the server was told to stop."""
        with self._records.write() as connection:
            for number, place in begun:
                here = (items.c.job == number, items.c.place == place, items.c.begun > 0)
                connection.execute(update(items).where(*here).values(begun=items.c.begun - 1))

    def end(self, number: int, state: str, problem: dict[str, Any] | None = None) -> bool:
        """End a job before all is done; return whether it had not ended by itself."""
        with self._records.write() as connection:
            return close(connection, number, self._clock(), state, problem)

    def forget(self, number: int) -> None:
        """Remove a job with all that it said."""
        with self._records.write() as connection:
            remove(connection, number)

    def answers(self, number: int, first: int) -> list[bytes | None]:
        """Return answers, JSON, of some items from `first` on; None where there is none, nothing after the last."""
        here = (items.c.job == number, items.c.place >= first)
        sizes = select(func.coalesce(func.length(items.c.answer), 0)).where(*here).order_by(items.c.place).limit(PART)
        with self._records.read() as connection:
            held = accumulate(connection.execute(sizes).scalars())
            count = max(1, sum(size <= HELD for size in held))
            found = select(items.c.answer).where(*here).order_by(items.c.place).limit(count)
            return list(connection.execute(found).scalars())

    def sweep(self) -> None:
        """Remove what was kept for long enough, and the oldest where there is too much.

        A job that waited in vain for as long, such as for a model that is not served any more, fails.
        """
        old = self._clock() - self._settings.job_days * DAY
        with self._records.write() as connection:
            for number in connection.execute(
                select(jobs.c.number).where(jobs.c.state.in_(OPEN), jobs.c.created < old)
            ).scalars():
                error = ModelError(
                    "The job could not be finished in time.",
                    expected=f"a server that can do it within {self._settings.job_days:g} days",
                    got="none",
                    hint="send it anew",
                )
                close(connection, number, self._clock(), "failed", error_json(error))
            for number in connection.execute(select(jobs.c.number).where(jobs.c.finished < old)).scalars():
                remove(connection, number)
            make_room(connection, 0, self._settings.job_results)

    def _check_room(self, count: int, held: int) -> None:
        settings = self._settings
        if count < settings.job_queue and held <= settings.job_inputs:
            return
        full = count >= settings.job_queue
        raise Refused(
            429,
            ModelError(
                "Too many jobs wait." if full else "The jobs that wait hold as many bytes as they may.",
                expected=f"at most {settings.job_queue:,} jobs" if full else f"at most {settings.job_inputs:,} bytes",
                got=f"{count:,} that wait" if full else f"{held:,} bytes with this one",
                hint="come again when one is done" + ("" if full else ", or name images by their content ids"),
            ),
            retry=SOON,
        )


def _known(connection: Connection, holder: str, key: str, digest: str) -> Entry | None:
    if not key:
        return None
    row = connection.execute(select(jobs).where(jobs.c.holder == holder, jobs.c.key == key)).first()
    if row is not None and row.digest != digest:
        raise Refused(
            422,
            InputError(
                "Something else was asked for with this Idempotency-Key.",
                expected="the same request, or another key",
                got=f"a request that differs from that of {row.id}",
                hint="make a new key for each job",
            ),
        )
    return None if row is None else entry_of(row)


def _input(connection: Connection, number: int, id: str) -> bytes | None:
    return connection.execute(select(inputs.c.data).where(inputs.c.job == number, inputs.c.id == id)).scalar()
