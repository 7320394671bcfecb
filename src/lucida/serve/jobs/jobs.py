"""Jobs of a server: taken, told of, cancelled, and gone on with when it starts again."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from functools import partial
from typing import IO, TYPE_CHECKING, Any, Final

from lucida.errors import CatalogError
from lucida.serve.finding import nothing
from lucida.serve.jobs.lanes import Work
from lucida.serve.jobs.ledger import DAY, Ledger
from lucida.serve.jobs.rows import Entry
from lucida.serve.jobs.runner import Runner
from lucida.serve.jobs.steps import OPEN
from lucida.serve.jobs.threads import Threads
from lucida.serve.jobs.wanted import take_quota, wanted
from lucida.serve.watch.readings import Reading

if TYPE_CHECKING:
    from lucida.serve.desk import Desk
    from lucida.serve.intake import Given

LOOK: Final = 5.0  # seconds after which it is looked for jobs that another process took, or that could not be done
HOUR: Final = 3600.0
LOCK: Final = "serve.jobs.lock"
NOT_LASTING: Final = "This server has no catalog: the job lives until the server ends (lucida serve --catalog FOLDER)."
_log = logging.getLogger("lucida.serve")


class Jobs:
    """All jobs of one server.

    Args:
        desk: What is served.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._ledger = Ledger(desk.records, desk.settings)
        # Whoever reads waits for no writer, and whoever asks not for those that work.
        self._reads, self._writes, self._works = Threads("reads", 2, 64), Threads("writes", 1, 8), Threads("jobs")
        self._runner = Runner(desk, self._ledger, self._works, self._tell)
        self._prepared = False
        desk.gauges.append(self._read)
        self._accepting = asyncio.Lock()
        self._changed: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._taken, self._leading = asyncio.Event(), False
        self._lock: IO[bytes] | None = None
        self._task: asyncio.Task[None] | None = None

    # ---- for requests ------------------------------------------------------------------------------------

    async def accept(self, given: Given, holder: str, key: str) -> tuple[Entry, bool]:
        """Take a job; returns whether it was taken before.

        Args:
            given: The request.
            holder: Who asks.
            key: The client's own, or "".

        Raises:
            Refused: It cannot be, or so many wait already.
            CatalogError: It cannot be written down; then nothing of it is.
        """
        if self._desk.settings.processes > 1 and not self._desk.records.lasting:
            # Another process would be asked for it, and know nothing.
            raise nothing("keep jobs of several processes in", "catalog", "--catalog FOLDER")
        asked = await wanted(self._desk, given)
        # One at a time: a request that is sent twice at once is one job, and counts once.
        async with self._accepting:
            await self._ready()
            known = await self._reads.ask(lambda: self._ledger.known(holder, key, asked.digest))
            if known is not None:
                return known, True
            take_quota(asked)
            entry = await self._writes.ask(lambda: self._ledger.accept(asked, holder, key))
        self._taken.set()
        return entry, False

    async def get(self, id: str, holder: str) -> Entry:
        """Return a job; raises `Refused` 404 where there is none."""
        await self._ready()
        return await self._reads.ask(lambda: self._ledger.get(id, holder))

    async def all(self, holder: str, most: int, before: str) -> list[Entry]:
        """Return jobs of somebody, the latest first."""
        await self._ready()
        last = (await self.get(before, holder)).number if before else None
        return await self._reads.ask(lambda: self._ledger.all(holder, most, last))

    async def cancel(self, id: str, holder: str, *, forget: bool) -> Entry:
        """End a job, or forget it altogether; returns how it stood then."""
        entry = await self.get(id, holder)
        await self._writes.ask(lambda: self._ledger.end(entry.number, "cancelled"))
        self._runner.drop(entry.number)
        entry = await self.get(id, holder)
        if forget:
            await self._writes.ask(lambda: self._ledger.forget(entry.number))
        self._tell(id)
        return entry

    async def answers(self, entry: Entry, first: int) -> list[bytes | None]:
        """Return some answers of a job from one on, in order; None for items without one; nothing at the end."""
        return await self._reads.ask(lambda: self._ledger.answers(entry.number, first))

    def changes(self, id: str) -> asyncio.Event:
        """Return what is set once something of a job has changed from now on."""
        return self._changed[id]

    def told(self, entry: Entry) -> dict[str, Any]:
        """Return how a job stands, for its owner."""
        work = self._runner.work.get(entry.number) if entry.state in OPEN else None
        over = entry.done + entry.failed
        under_way = sum(work.shares.values()) if work is not None else 0.0
        rate = _rate(work) if work is not None else None
        keep = self._desk.settings.job_days * DAY
        return {
            "id": entry.id, "task": entry.task, "model": entry.model, "state": entry.state,
            "created": _when(entry.created), "started": _when(entry.started), "finished": _when(entry.finished),
            "expires": _when(None if entry.finished is None else entry.finished + keep),
            "progress": {
                "done": entry.done, "failed": entry.failed, "total": entry.total,
                "share": round(min(1.0, (over + under_way) / entry.total), 4),
                "rate": rate, "seconds_left": round((entry.total - over) / rate, 1) if rate else None,
            },
            "lasting": self._desk.records.lasting, "error": entry.problem, "notes": self._notes(entry),
        }  # fmt: skip

    def _notes(self, entry: Entry) -> list[str]:
        found = [] if self._desk.records.lasting else [NOT_LASTING]
        if entry.state in OPEN:
            if (why := self._runner.waits.get(entry.number)) is not None:
                found.append(f"It waits: {why.line()}")
            if self._runner.trouble is not None:
                found.append(f"Jobs wait: {self._runner.trouble.line()}")
        return found

    def _read(self) -> Iterator[Reading]:
        runner = self._runner
        for state, count in (("running", len(runner.work)), ("waiting", len(runner.waits))):
            yield Reading("lucida_jobs", "Jobs that are not over, of this process.", count, {"state": state})
        for outcome, count in runner.ended.items():
            yield Reading(
                "lucida_job_items_total", "Items of jobs that ended.", count, {"outcome": outcome}, kind="counter"
            )
        yield Reading("lucida_jobs_held_up", "Whether jobs wait for the records.", float(runner.trouble is not None))

    def _tell(self, id: str) -> None:
        if id in self._changed:
            self._changed.pop(id).set()

    async def _ready(self) -> None:
        if not self._prepared:
            await self._writes.ask(self._ledger.prepare)
            self._prepared = True

    # ---- beside them -------------------------------------------------------------------------------------

    def start(self) -> None:
        """Do jobs from now on, in the event loop that runs."""
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Take no more items; what is not finished goes on when the server starts again."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        await self._runner.close()
        for threads in (self._reads, self._writes, self._works):
            threads.close()
        if self._lock is not None:
            self._lock.close()

    async def _run(self) -> None:
        swept = -HOUR
        while True:
            try:
                if self._desk.state == "ready" and await self._leads():
                    await self._ready()
                    if time.monotonic() - swept >= HOUR:
                        await self._works.do(self._ledger.sweep)
                        swept = time.monotonic()
                    await self._pick_up()
            except CatalogError as error:
                if self._runner.trouble is None:
                    _log.error("jobs wait, since the records cannot be used: %s", error.line())
                self._runner.trouble = error
            except Exception:
                _log.exception("jobs cannot be begun")
            self._taken.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._taken.wait(), LOOK if self._desk.state == "ready" else 0.1)

    async def _pick_up(self) -> None:
        """Begin what is not begun; leave what another process has ended."""
        entries = await self._works.do(self._ledger.unfinished)
        self._runner.trouble = None
        self._runner.check()
        for entry in entries:
            if entry.number not in self._runner.work:
                self._runner.add(entry, await self._works.do(partial(self._ledger.pending, entry.number)))
        for number in set(self._runner.work) - {entry.number for entry in entries}:
            self._runner.drop(number)

    async def _leads(self) -> bool:
        """Tell whether this process does the jobs: of several on the same catalog, one does."""
        if not self._leading:
            self._leading = not self._desk.records.lasting or await self._works.do(self._locked)
        return self._leading

    def _locked(self) -> bool:
        try:
            import fcntl
        except ImportError:
            # Without such locks it cannot be told; one server a catalog is usual.
            return True
        with ExitStack() as stack:
            try:
                file = stack.enter_context((self._desk.records.file.parent / LOCK).open("ab"))
                # It is let go of by the system when the process ends, however that happens.
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return False
            stack.pop_all()
        self._lock = file
        return True


def _rate(work: Work) -> float | None:
    """Return items a second, of late."""
    if len(work.ended) < 2:
        return None
    span = asyncio.get_running_loop().time() - work.ended[0]
    return round((len(work.ended) - 1) / span, 4) if span > 0 else None


def _when(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
