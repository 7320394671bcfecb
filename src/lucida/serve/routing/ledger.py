"""What is remembered of routes is written by one thread, in batches: no request waits for a disk, none fails by it.

While the file is locked, or the disk full, rows wait in memory, up to a bound; what comes after that is let go,
counted, and logged. States of roll-outs and the last changes are never let go.
"""

from __future__ import annotations

import contextlib
import json
import logging
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sqlalchemy import Connection, delete, func, insert, select

from lucida.errors import CatalogError, LucidaError
from lucida.serve.routing.rollout import Change
from lucida.serve.routing.said import said
from lucida.serve.routing.tables import ANSWERS, CHANGES, FEEDBACK, STATES, TABLES, Noted

if TYPE_CHECKING:
    from lucida.serve.records import Records

T = TypeVar("T")
MOST: Final = 10_000  # rows that wait
BYTES: Final = 32 * 2**20  # of their answers
ASKED: Final = 100  # questions that wait
KEPT: Final = 500_000  # answers without feedback that are kept
CHANGES_KEPT: Final = 1000  # that wait to be written
PAUSE: Final = 0.3  # seconds in which rows are gathered
RETRY: Final = 3.0  # seconds after which it is tried again
_PRUNED: Final = 20_000  # rows after which it is looked whether there are too many
_log = logging.getLogger("lucida.serve.routes")


class Ledger:
    """Keeps what is to be remembered; its methods may be called from any thread.

    Args:
        records: Where.
        most: Rows that wait at most.

    Attributes:
        lost: Rows that were let go.
        failing: Why nothing can be written now; None where it can.
        kept: What was there when it began: states of roll-outs by route, and the latest changes, oldest first.
    """

    def __init__(self, records: Records, most: int = MOST) -> None:
        self._records, self._most = records, most
        self._rows: deque[Noted] = deque()
        self._bytes, self._written = 0, 0
        self._states: dict[str, str] = {}
        self._changes: deque[tuple[str, Change]] = deque(maxlen=CHANGES_KEPT)
        self._questions: deque[tuple[Callable[[Connection], Any], Future[Any]]] = deque()
        self.lost = 0
        self.failing: LucidaError | None = None
        self.kept: Future[tuple[dict[str, Any], list[tuple[str, Change]]]] = Future()
        self._changed, self._closed = threading.Condition(), False
        self._thread = threading.Thread(target=self._run, name="routes", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def close(self, wait: float = 5.0) -> None:
        """Write what there is, if that takes no longer than so many seconds."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(wait)

    @property
    def waiting(self) -> int:
        """Rows that are not written yet."""
        return len(self._rows)

    def note(self, row: Noted) -> None:
        """Have an answer remembered."""
        with self._changed:
            if len(self._rows) >= self._most or self._bytes + len(row.answer) > BYTES:
                self.lost += 1
                return
            self._rows.append(row)
            self._bytes += len(row.answer)
            self._changed.notify()

    def keep(self, route: str, body: dict[str, Any]) -> None:
        """Have the state of a roll-out kept; the last one counts."""
        with self._changed:
            self._states[route] = json.dumps(body)
            self._changed.notify()

    def change(self, route: str, change: Change) -> None:
        """Have a change kept."""
        with self._changed:
            self._changes.append((route, change))
            self._changed.notify()

    def ask(self, work: Callable[[Connection], T]) -> Future[T]:
        """Have something done in a transaction, after all that was noted before is written.

        The result raises CatalogError where the file cannot be written, or too much waits already.
        """
        asked: Future[T] = Future()
        with self._changed:
            if len(self._questions) >= ASKED or self._closed:
                asked.set_exception(self.failing or _too_many())
            else:
                self._questions.append((work, asked))
                self._changed.notify()
        return asked

    def _run(self) -> None:
        prepared = False
        while True:
            with self._changed:
                while prepared and not (self._rows or self._states or self._changes or self._questions or self._closed):
                    self._changed.wait()
                closed = self._closed
                if not closed and prepared:
                    self._changed.wait_for(lambda: self._closed or self._questions, PAUSE)
            try:
                if not prepared:
                    self._prepare()
                    prepared = True
                self._flush()
                self._recover()
            except Exception as error:
                self._fail(error)
                if not closed:
                    with self._changed:
                        self._changed.wait_for(lambda: self._closed or self._questions, RETRY)
            if closed:
                return

    def _prepare(self) -> None:
        self._records.prepare(TABLES)
        with self._records.read() as connection:
            rows = connection.execute(select(STATES.c.route, STATES.c.body)).all()
            latest = select(CHANGES).order_by(CHANGES.c.id.desc()).limit(CHANGES_KEPT)
            changes = connection.execute(latest).all()
        states = {route: json.loads(body) for route, body in rows}
        found = [(one.route, Change(one.at, one.what, one.why, one.model)) for one in reversed(changes)]
        _settle(self.kept, (states, found))

    def _flush(self) -> None:
        """Write all that waits; what cannot be written goes on waiting."""
        with self._changed:
            rows, states, changes = list(self._rows), dict(self._states), list(self._changes)
            # Whoever asks later may ask about rows that come later.
            questions = len(self._questions)
        if rows or states or changes:
            try:
                self._write(rows, states, changes)
            except CatalogError:
                raise
            except Exception:
                # It would fail again: nothing after it would ever be written.
                _log.exception("%d answers of routes cannot be remembered", len(rows))
                self.lost += len(rows)
        with self._changed:
            for row in rows:
                self._rows.popleft()
                self._bytes -= len(row.answer)
            for change in changes:
                if self._changes and self._changes[0] is change:
                    self._changes.popleft()
            for route, body in states.items():
                if self._states.get(route) == body:
                    del self._states[route]
        self._answer(questions)

    def _write(self, rows: list[Noted], states: dict[str, str], changes: list[tuple[str, Change]]) -> None:
        with self._records.write() as connection:
            _write(connection, rows, states, changes)
            self._written += len(rows)
            if self._written >= _PRUNED:
                self._written = 0
                _prune(connection)

    def _answer(self, count: int) -> None:
        for _ in range(count):
            work, asked = self._questions[0]
            try:
                with self._records.write() as connection:
                    result = work(connection)
            except CatalogError:
                raise
            except Exception as error:
                _settle(asked, error=error)
            else:
                _settle(asked, result)
            self._questions.popleft()

    def _fail(self, error: Exception) -> None:
        found = error if isinstance(error, LucidaError) else CatalogError(
            "What is remembered of routes could not be written.", expected="a file that can be written",
            got=f"{type(error).__name__}: {error}"[:200], hint="the log has more",
        )  # fmt: skip
        if self.failing is None:
            _log.error("answers of routes cannot be remembered: %s", found.line(), exc_info=error)
        self.failing = found
        with self._changed:
            questions = list(self._questions)
            self._questions.clear()
        for _, asked in questions:
            _settle(asked, error=found)

    def _recover(self) -> None:
        if self.failing is not None:
            _log.warning("answers of routes are remembered again; %d were lost so far", self.lost)
        self.failing = None


def _settle(asked: Future[Any], result: Any = None, error: Exception | None = None) -> None:
    # Whoever asked may have left.
    with contextlib.suppress(InvalidStateError):
        if error is None:
            asked.set_result(result)
        else:
            asked.set_exception(error)


def _write(
    connection: Connection, rows: list[Noted], states: dict[str, str], changes: list[tuple[str, Change]]
) -> None:
    if rows:
        values = [{**row._asdict(), "label": said(row.task, row.answer)} for row in rows]
        connection.execute(insert(ANSWERS), [{k: v for k, v in one.items() if k != "answer"} for one in values])
    for route, body in states.items():
        connection.execute(delete(STATES).where(STATES.c.route == route))
        connection.execute(insert(STATES), {"route": route, "body": body})
    if changes:
        values = [
            {"route": route, "at": one.at, "what": one.what, "why": one.why, "model": one.model}
            for route, one in changes
        ]
        connection.execute(insert(CHANGES), values)


def _prune(connection: Connection) -> None:
    """Let go of old answers that nobody said anything of."""
    last = connection.execute(select(func.max(ANSWERS.c.id))).scalar() or 0
    judged = select(FEEDBACK.c.image).where(FEEDBACK.c.route == ANSWERS.c.route)
    connection.execute(delete(ANSWERS).where(ANSWERS.c.id <= last - KEPT, ANSWERS.c.image.not_in(judged)))


def _too_many() -> CatalogError:
    return CatalogError(
        "Too much is to be remembered at once.", expected=f"at most {ASKED} that wait", got="more",
        hint="come again in a few seconds",
    )  # fmt: skip
