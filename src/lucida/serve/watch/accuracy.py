"""How often answers are right today: some are drawn by a coin, before anybody looks, and a person judges these.

Nobody has to answer all that was drawn: they are asked about in an order by chance, see `share_of_judged`.

Each day, in UTC, has a process of its own at one rate; its bounds hold at all times of the day at once, with the
confidence stated for *that* day. Of many days, so many are wrong somewhere as the confidence allows.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from sqlalchemy import insert, select, update

from lucida.catalog.store import insert_ignoring
from lucida.errors import InputError, UnknownName
from lucida.evidence.audit import share_of_judged
from lucida.serve.watch.tables import days, drawn

if TYPE_CHECKING:
    from lucida.serve.looking import Looked
    from lucida.serve.records import Records

Verdict = Literal["right", "wrong", "unsure"]
VERDICTS: Final[tuple[Verdict, ...]] = get_args(Verdict)
LEVEL: Final = 0.05
SHOWN: Final = 30  # days
_COIN: Final = 2**53


@dataclass(frozen=True)
class Day:
    """What is known of a day.

    Attributes:
        day: "2026-11-22", in UTC.
        rate: Share of the answers that was drawn.
        total: Answers.
        drawn: Of them.
        right: That a person called right.
        wrong: That a person called wrong.
        unsure: That could not be decided; they count as not judged.
        low: Share of all answers of the day that is right, at least.
        high: And at most; half of the level is at each end.
    """

    day: str
    rate: float
    total: int
    drawn: int
    right: int
    wrong: int
    unsure: int
    low: float
    high: float

    @property
    def unanswered(self) -> int:
        """Drawn answers that nobody has looked at; they count as the worst, in both directions."""
        return self.drawn - self.right - self.wrong - self.unsure


@dataclass(frozen=True)
class Drawn:
    """An answer that waits for a person.

    Attributes:
        number: Its name.
        image: Content id.
        request: Id of the request.
        time: Seconds since 1970.
        task: What was asked.
        answer: What the model said, as plain values.
    """

    number: int
    image: str
    request: str
    time: float
    task: str
    answer: dict[str, Any]


class Accuracy:
    """Draws answers, and bounds how many of all of them are right.

    Args:
        records: Of the server; their tables are there.
        model: Name of the model whose answers are meant.
        rate: Share of them that is drawn.
    """

    def __init__(self, records: Records, model: str, rate: float) -> None:
        self._records, self.model, self.rate = records, model, rate
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._drawn: list[tuple[str, dict[str, Any]]] = []

    def take(self, looked: Looked) -> bool:
        """Count an answer, and let the coin fall; return whether it was drawn. Called in the event loop."""
        if not self.rate:
            return False
        now = time.time()
        day = _day(now)
        # The operating system's chance: nobody who sends images can know what is drawn.
        heads = secrets.randbits(53) < self.rate * _COIN
        with self._lock:
            self._counts[day] += 1
            if heads:
                job = looked.job
                values = {
                    "image": job.sent.id, "request": job.request, "time": now, "task": job.service.name,
                    "answer": looked.answer.decode(), "priority": secrets.randbits(53) / _COIN,
                }  # fmt: skip
                self._drawn.append((day, values))
        return heads

    def flush(self) -> None:
        """Write down what was counted and drawn, together. Called in a thread."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
            waiting, self._drawn = self._drawn, []
        if not counts:
            return
        try:
            with self._records.write() as connection:
                numbers = {}
                for day, count in counts.items():
                    key = {"day": day, "model": self.model, "rate": self.rate}
                    insert_ignoring(connection, days, [{**key, "total": 0}])
                    of_day = (days.c.day == day) & (days.c.model == self.model) & (days.c.rate == self.rate)
                    connection.execute(update(days).where(of_day).values(total=days.c.total + count))
                    numbers[day] = connection.execute(select(days.c.number).where(of_day)).scalar_one()
                rows = [{**values, "day": numbers[day]} for day, values in waiting]
                if rows:
                    connection.execute(insert(drawn), rows)
        except Exception:
            # Counted and drawn stay together: the next time both are written, or neither.
            with self._lock:
                self._counts.update(counts)
                self._drawn = waiting + self._drawn
            raise

    def answer(self, number: int, verdict: str, label: str | None, actor: str) -> None:
        """Write down what a person says of a drawn answer; the last word counts.

        Raises:
            UnknownName: No such verdict.
            InputError: No such answer was drawn.
        """
        if verdict not in VERDICTS:
            raise UnknownName("verdict", verdict, VERDICTS)
        values = {"verdict": verdict, "label": label, "actor": actor, "answered": time.time()}
        with self._records.write() as connection:
            done = connection.execute(update(drawn).where(drawn.c.number == number).values(values))
        if not done.rowcount:
            raise InputError(
                "This answer was not drawn, so it says nothing of the others.",
                expected="the number of one that waits",
                got=str(number),
                hint="GET /v1/watch lists them",
            )

    def waiting(self, most: int = 20) -> list[Drawn]:
        """Return drawn answers that nobody has judged: of the latest days first, within a day by priority."""
        query = (
            select(drawn, days.c.day.label("of"))
            .join(days, days.c.number == drawn.c.day)
            .where(drawn.c.verdict.is_(None), days.c.model == self.model)
            .order_by(days.c.day.desc(), drawn.c.priority)
            .limit(most)
        )
        with self._records.read() as connection:
            return [
                Drawn(row.number, row.image, row.request, row.time, row.task, json.loads(row.answer))
                for row in connection.execute(query)
            ]

    def has_drawn(self, image: str) -> bool:
        """Tell whether an answer about an image was drawn."""
        query = select(drawn.c.number).where(drawn.c.image == image).limit(1)
        with self._records.read() as connection:
            return connection.execute(query).first() is not None

    def days(self, most: int = SHOWN) -> list[Day]:
        """Return what is known of the latest days, the latest first."""
        latest = select(days).where(days.c.model == self.model).order_by(days.c.day.desc(), days.c.number.desc())
        with self._records.read() as connection:
            found = connection.execute(latest.limit(most)).all()
            numbers = [row.number for row in found]
            said = select(drawn.c.day, drawn.c.priority, drawn.c.verdict).where(drawn.c.day.in_(numbers))
            rows: dict[int, list[tuple[float, str]]] = {number: [] for number in numbers}
            for number, priority, verdict in connection.execute(said):
                rows[number].append((priority, verdict or ""))
        return [_bounded(row.day, row.rate, row.total, rows[row.number]) for row in found]


def _bounded(day: str, rate: float, total: int, rows: Sequence[tuple[float, str]]) -> Day:
    low, high = share_of_judged(total, rate, rows, level=LEVEL) if total else (0.0, 1.0)
    every = Counter(verdict for _, verdict in rows)
    return Day(day, rate, total, len(rows), every["right"], every["wrong"], every["unsure"], low, high)


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()


def today(found: Sequence[Day]) -> Day | None:
    """Return today's figures among those of some days; None where nothing was answered today."""
    now = _day(time.time())
    return next((one for one in found if one.day == now), None)
