"""Work that a page has the server do: one job at a time, a few that wait, and each can be given up."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from lucida.errors import InputError, LucidaError, ModelError, UnknownName
from lucida.notes import told

QUEUED: Final = 4  # jobs that wait
KNOWN: Final = 64  # jobs whose end can still be asked for
UNWATCHED: Final = 180.0  # seconds; the page of a tab in the background asks once a minute

State = Literal["waiting", "working", "done", "failed", "cancelled"]
OPEN: Final = ("waiting", "working")
# Does the work: tells the job how far it is, and returns what became of it.
Work = Callable[["Job"], dict[str, Any]]


@dataclass(frozen=True)
class Trade:
    """What kind of work is done, in the words that are said of it.

    Attributes:
        name: Of the thread.
        what: What a job is about, in the plural.
        failed: What happened where a model raises something of its own.
        expected: What was expected instead of that.
        hint: What to try after it.
        again: What to do where a job is not known any more.
        unwatched: See `Jobs`.
    """

    name: str
    what: str
    failed: str
    expected: str
    hint: str
    again: str
    unwatched: float | None = UNWATCHED


class Stopped(Exception):
    """Nobody wants the result any more."""


@dataclass(eq=False)
class Job:
    """One piece of work, as the work itself sees it: it may set `notes`, what a person should know."""

    owner: Jobs
    about: Any
    work: Work
    after: Callable[[], None]
    id: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    state: State = "waiting"
    share: float = 0.0
    began: float = 0.0
    watched: float = field(default_factory=time.monotonic)
    stop: threading.Event = field(default_factory=threading.Event)
    parts: list[dict[str, Any]] = field(default_factory=list)
    notes: tuple[str, ...] = ()
    error: dict[str, str] | None = None
    result: dict[str, Any] | None = None

    def step(self, share: float) -> None:
        """Note how much is done; ends the work when it is not wanted any more."""
        most = self.owner.unwatched
        if self.stop.is_set() or (most is not None and time.monotonic() - self.watched > most):
            raise Stopped
        self.share = share

    def add(self, part: dict[str, Any]) -> None:
        """Show a part of the result before all of it is done."""
        self.parts.append(part)


class Jobs:
    """Does one job after the other, in a thread of its own.

    Args:
        trade: What is done.

    Attributes:
        unwatched: Seconds after which what nobody asks for is given up; None for never.
    """

    def __init__(self, trade: Trade) -> None:
        self._trade, self.unwatched = trade, trade.unwatched
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._waiting: deque[Job] = deque()
        self._turn = threading.Condition()
        self._worker: threading.Thread | None = None
        self._over = False

    def add(self, work: Work, about: Any = None, after: Callable[[], None] = lambda: None) -> dict[str, Any]:
        """Begin a job, or let it wait for its turn; returns it as `view` does.

        Args:
            work: Does it.
            about: What it is about, for `about`.
            after: Called in the end, however that is; not where too many wait.

        Raises:
            InputError: Too many wait already.
        """
        job = Job(self, about, work, after)
        with self._turn:
            if len(self._waiting) >= QUEUED or self._over:
                raise InputError(
                    f"Too many {self._trade.what} are waiting.",
                    expected=f"one at a time, and up to {QUEUED} that wait",
                    got=f"{len(self._waiting)} that wait",
                    hint="wait for one to be done, or cancel one",
                )
            self._jobs[job.id] = job
            self._waiting.append(job)
            self._forget()
            if self._worker is None:
                self._worker = threading.Thread(target=self._run, name=self._trade.name, daemon=True)
                self._worker.start()
            self._turn.notify_all()
        return self.view(job.id)

    def view(self, id: str, since: int = 0) -> dict[str, Any]:
        """Return where a job stands; whoever asks is taken to want it.

        Args:
            id: Of the job.
            since: How many parts of the result are known already: only the later ones are returned.

        Raises:
            UnknownName: It is not known any more.
        """
        with self._turn:
            job = self._known(id)
            job.watched = time.monotonic()
            return {
                "job": job.id,
                "state": job.state,
                "place": self._waiting.index(job) + 1 if job in self._waiting else 0,
                "share": round(job.share, 4),
                "seconds": round(time.monotonic() - job.began, 1) if job.began else 0.0,
                "parts": job.parts[since:],
                "notes": [told(note) for note in job.notes],
                "error": job.error,
                "result": job.result,
            }

    def about(self, id: str) -> Any:
        """Return what a job is about.

        Raises:
            UnknownName: The job is not known any more.
        """
        with self._turn:
            return self._known(id).about

    @property
    def open(self) -> list[str]:
        """The jobs that are under way or wait, the first to be done first."""
        with self._turn:
            return [id for id, job in self._jobs.items() if job.state in OPEN]

    def cancel(self, id: str) -> dict[str, Any]:
        """Give a job up; one that is done stays done.

        Raises:
            UnknownName: It is not known any more.
        """
        with self._turn:
            job = self._known(id)
            job.stop.set()
            if job in self._waiting:
                self._waiting.remove(job)
                job.after()
            if job.state in OPEN:
                # The models notice at their next step; the person need not wait for that.
                job.state = "cancelled"
        return self.view(id)

    def close(self) -> None:
        """Give everything up, and wait for what is under way to notice."""
        with self._turn:
            self._over = True
            for job in self._jobs.values():
                job.stop.set()
            self._turn.notify_all()
        if self._worker is not None:
            self._worker.join(20)

    def _known(self, id: str) -> Job:
        if id not in self._jobs:
            raise UnknownName("job", id, [], hint=self._trade.again)
        return self._jobs[id]

    def _forget(self) -> None:
        for id in [id for id, job in self._jobs.items() if job.state not in OPEN]:
            if len(self._jobs) <= KNOWN:
                break
            del self._jobs[id]

    def _run(self) -> None:
        while True:
            with self._turn:
                self._turn.wait_for(lambda: self._waiting or self._over)
                if self._over:
                    return
                job = self._waiting.popleft()
                job.state, job.began = "working", time.monotonic()
            error, result = None, None
            try:
                job.step(0.0)
                result = job.work(job)
            except Stopped:
                job.stop.set()
            except LucidaError as problem:
                error = problem.to_json()
            except Exception as problem:
                # Whatever a model raises must not end the worker that all others wait for.
                error = self._failed(problem).to_json()
            with self._turn:
                if job.stop.is_set():
                    job.state = "cancelled"
                else:
                    job.error, job.result, job.state = error, result, "done" if result else "failed"
                job.after()

    def _failed(self, error: Exception) -> ModelError:
        trade = self._trade
        got = str(error)[:300] or type(error).__name__
        return ModelError(trade.failed, expected=trade.expected, got=got, hint=trade.hint)
