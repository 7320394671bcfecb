"""What a watch remembers: what it looked at, where its bets stand, alarms; all that makes it go on after a restart."""

from __future__ import annotations

import io
import json
import math
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from sqlalchemy import Connection, delete, func, insert, select, update

from lucida.catalog.store import chunks
from lucida.serve.watch.measure import Measured
from lucida.serve.watch.tables import alarms, curve, seen, tables, watches

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lucida.serve.records import Records

POINTS: Final = 400  # of a curve that are shown
EVERY: Final = 50  # images between two points of a curve that are kept
KEPT: Final = 4000  # points of a curve; above it, every second goes


class Row(NamedTuple):
    """A live image that was looked at.

    Attributes:
        row: Its number among them, from 0.
        image: Content id.
        request: Id of the request.
        time: Seconds since 1970.
        label: What the model called it.
        score: How sure it was; NaN where it does not say.
    """

    row: int
    image: str
    request: str
    time: float
    label: str
    score: float


@dataclass(frozen=True)
class Alarm:
    """An alarm.

    Attributes:
        id: Its name.
        watch: Number of the watch.
        time: Seconds since 1970.
        body: What changed, as plain values.
        queue: Question of its review; "" before there is one.
        closed: Seconds since 1970; None while it is open.
    """

    id: str
    watch: int
    time: float
    body: dict[str, Any]
    queue: str = ""
    closed: float | None = None


@dataclass(frozen=True)
class Watch:
    """One watch.

    Attributes:
        number: Its number.
        note: What a person should know of its reference.
        seed: Of its chances.
        began: Seconds since 1970.
    """

    number: int
    note: str
    seed: int
    began: float


class Ledger:
    """The records of watches; its methods are called in threads.

    Args:
        records: Of the server.
    """

    def __init__(self, records: Records) -> None:
        self._records = records
        records.prepare(tables)

    def open(self, about: Mapping[str, Any], note: str) -> Watch:
        """Go on with the watch of just this, or begin one."""
        body = json.dumps(about, sort_keys=True)
        with self._records.write() as connection:
            query = select(watches).where(watches.c.about == body, watches.c.ended.is_(None))
            row = connection.execute(query.order_by(watches.c.number.desc())).first()
            if row is None:
                values = {"about": body, "note": note, "seed": str(secrets.randbits(63)), "began": time.time()}
                connection.execute(insert(watches), values)
                row = connection.execute(query.order_by(watches.c.number.desc())).one()
            return Watch(row.number, row.note, int(row.seed), row.began)

    def end(self, watch: int) -> None:
        """End a watch: the next begins anew, with a promise of its own; its open alarms are closed."""
        now = time.time()
        with self._records.write() as connection:
            connection.execute(update(watches).where(watches.c.number == watch).values(ended=now))
            of_watch = (alarms.c.watch == watch) & alarms.c.closed.is_(None)
            connection.execute(update(alarms).where(of_watch).values(closed=now))
            # A vector of each image of the reference is most of what there is.
            connection.execute(delete(seen).where(seen.c.watch == watch, seen.c.reference))

    def reference(self, watch: int) -> list[tuple[str, Measured]]:
        """Return the images of the reference that were looked at."""
        query = select(seen).where(seen.c.watch == watch, seen.c.reference).order_by(seen.c.number)
        with self._records.read() as connection:
            return [
                (row.image, Measured(_array(row.numbers), row.label, _number(row.score), _array(row.vector)))
                for row in connection.execute(query)
            ]

    def add_reference(self, watch: int, found: Sequence[tuple[str, Measured]]) -> None:
        """Write down images of the reference."""
        now = time.time()
        rows = [
            {
                "watch": watch, "reference": True, "row": 0, "image": image, "request": "", "time": now,
                "label": one.label, "score": _known(one.score), "numbers": _bytes(one.numbers),
                "vector": _bytes(one.vector),
            }
            for image, one in found
        ]  # fmt: skip
        if rows:
            with self._records.write() as connection:
                connection.execute(insert(seen), rows)

    def live(self, watch: int) -> tuple[list[Row], NDArray[np.float32], NDArray[np.float32]]:
        """Return the live images that are kept, what is ranked of them (n, names), and their components."""
        query = select(seen).where(seen.c.watch == watch, ~seen.c.reference).order_by(seen.c.row)
        with self._records.read() as connection:
            found = connection.execute(query).all()
        rows = [Row(one.row, one.image, one.request, one.time, one.label, _number(one.score)) for one in found]
        columns = np.array([_array(one.numbers) for one in found], np.float32)
        return rows, columns, np.array([_array(one.vector) for one in found], np.float32)

    def add_live(
        self,
        watch: int,
        rows: Sequence[Row],
        columns: NDArray[Any],
        components: NDArray[Any],
        *,
        state: Mapping[str, NDArray[Any]],
        evidence: Mapping[str, float],
        most: int,
        told: bool = False,
    ) -> None:
        """Write down live images, and where the watch stands after them: all of it or nothing.

        Args:
            watch: Its number.
            rows: The images.
            columns: What is ranked of them, (n, names).
            components: Of their vectors, (n, components).
            state: Of the bets.
            evidence: By name, for the curve.
            most: Images to keep.
            told: Whether the curve must have a point here.
        """
        held = io.BytesIO()
        np.savez_compressed(held, allow_pickle=False, **dict(state))
        values = [
            {
                "watch": watch, "reference": False, "row": row.row, "image": row.image, "request": row.request,
                "time": row.time, "label": row.label, "score": _known(row.score),
                "numbers": _bytes(columns[place]), "vector": _bytes(components[place]),
            }
            for place, row in enumerate(rows)
        ]  # fmt: skip
        point = {"watch": watch, "row": rows[-1].row + 1, "time": rows[-1].time, "evidence": _json(evidence)}
        with self._records.write() as connection:
            connection.execute(insert(seen), values)
            if told or rows[-1].row // EVERY > (rows[0].row - 1) // EVERY:
                _add_point(connection, point)
            connection.execute(update(watches).where(watches.c.number == watch).values(state=held.getvalue()))
            live = (seen.c.watch == watch) & ~seen.c.reference
            count = connection.execute(select(func.count()).select_from(seen).where(live)).scalar_one()
            if count > most:
                # Whatever is forgotten is chosen without regard to when it came: see `Ranks`.
                some = select(seen.c.number).where(live).order_by(func.random()).limit(count - int(0.9 * most))
                connection.execute(delete(seen).where(seen.c.number.in_(some)))

    def state(self, watch: int) -> dict[str, NDArray[Any]] | None:
        """Return where the bets stand; None before the first."""
        with self._records.read() as connection:
            data = connection.execute(select(watches.c.state).where(watches.c.number == watch)).scalar()
        if data is None:
            return None
        with np.load(io.BytesIO(data), allow_pickle=False) as held:
            return {name: held[name] for name in held.files}

    def curve(self, watch: int) -> list[tuple[int, float, dict[str, float]]]:
        """Return rows, times and evidence, so few that they can be shown."""
        query = select(curve).where(curve.c.watch == watch).order_by(curve.c.row)
        with self._records.read() as connection:
            found = connection.execute(query).all()
        if not found:
            return []
        stay = np.unique(np.linspace(0, len(found) - 1, min(len(found), POINTS)).astype(int)).tolist()
        return [(found[i].row, found[i].time, json.loads(found[i].evidence)) for i in stay]

    def alarms(self, watch: int | None = None) -> list[Alarm]:
        """Return alarms, the latest first."""
        query = select(alarms).order_by(alarms.c.time.desc()).limit(100)
        if watch is not None:
            query = query.where(alarms.c.watch == watch)
        with self._records.read() as connection:
            return [
                Alarm(one.id, one.watch, one.time, json.loads(one.body), one.queue, one.closed)
                for one in connection.execute(query)
            ]

    def put_alarm(self, alarm: Alarm) -> None:
        """Write an alarm down, or anew."""
        values = {
            "id": alarm.id, "watch": alarm.watch, "time": alarm.time, "body": json.dumps(alarm.body),
            "queue": alarm.queue, "closed": alarm.closed,
        }  # fmt: skip
        with self._records.write() as connection:
            connection.execute(delete(alarms).where(alarms.c.id == alarm.id))
            connection.execute(insert(alarms), values)


def _add_point(connection: Connection, point: dict[str, Any]) -> None:
    connection.execute(insert(curve), point)
    mine = curve.c.watch == point["watch"]
    count = connection.execute(select(func.count()).select_from(curve).where(mine)).scalar_one()
    if count > KEPT:
        rows = list(connection.execute(select(curve.c.row).where(mine).order_by(curve.c.row)).scalars())
        for part in chunks(rows[1:-1:2]):
            connection.execute(delete(curve).where(mine, curve.c.row.in_(part)))


def _array(data: bytes) -> NDArray[np.float32]:
    return np.frombuffer(data, "<f4").astype(np.float32)


def _bytes(values: NDArray[Any]) -> bytes:
    return np.asarray(values, "<f4").tobytes()


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _json(evidence: Mapping[str, float]) -> str:
    return json.dumps({name: round(max(one, -99.0), 2) for name, one in evidence.items()})
