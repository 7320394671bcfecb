"""Images on their way through a restorer: one at a time, a few that wait, and each can be given up."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from lucida.errors import InputError, LucidaError, ModelError, UnknownName

if TYPE_CHECKING:
    from lucida.studio.shelf import Kept, Shelf

QUEUED: Final = 4  # jobs that wait
KNOWN: Final = 64  # jobs whose end can still be asked for
UNWATCHED: Final = 180.0  # seconds; the page of a tab in the background asks once a minute

State = Literal["waiting", "working", "done", "failed", "cancelled"]
# Does the work: calls its argument with the share that is done, and returns what became of the image.
Work = Callable[[Callable[[float], None]], dict[str, Any]]


class _Stopped(Exception):
    """Nobody wants the result any more."""


@dataclass(eq=False)
class _Job:
    source: Kept
    work: Work
    mask: Path | None
    id: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    state: State = "waiting"
    share: float = 0.0
    began: float = 0.0
    watched: float = field(default_factory=time.monotonic)
    stop: threading.Event = field(default_factory=threading.Event)
    error: dict[str, str] | None = None
    result: dict[str, Any] | None = None

    def step(self, share: float) -> None:
        """Note how much is done; ends the work when it is not wanted any more."""
        if self.stop.is_set() or time.monotonic() - self.watched > UNWATCHED:
            raise _Stopped
        self.share = share


class Jobs:
    """Does one job after the other, in a thread of its own.

    Args:
        shelf: Where the images lie that are worked on: they stay as long.
    """

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._jobs: OrderedDict[str, _Job] = OrderedDict()
        self._waiting: deque[_Job] = deque()
        self._turn = threading.Condition()
        self._worker: threading.Thread | None = None
        self._over = False

    def add(self, source: Kept, work: Work, mask: Path | None = None) -> dict[str, Any]:
        """Begin a job, or let it wait for its turn; returns it as `view` does.

        Args:
            source: The image.
            work: Does it.
            mask: A file that is removed in the end.

        Raises:
            InputError: Too many wait already.
        """
        job = _Job(source, work, mask)
        with self._turn:
            if len(self._waiting) >= QUEUED or self._over:
                raise InputError(
                    "Too many images are waiting.",
                    expected=f"one image at a time, and up to {QUEUED} that wait",
                    got=f"{len(self._waiting)} that wait",
                    hint="wait for one to be done, or cancel one",
                )
            self._shelf.hold(source.token)
            self._jobs[job.id] = job
            self._waiting.append(job)
            self._forget()
            if self._worker is None:
                self._worker = threading.Thread(target=self._run, name="restore", daemon=True)
                self._worker.start()
            self._turn.notify_all()
        return self.view(job.id)

    def view(self, id: str) -> dict[str, Any]:
        """Return where a job stands; whoever asks is taken to want it.

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
                "error": job.error,
                "result": job.result,
            }

    def source(self, id: str) -> Kept:
        """Return the image that a job is about.

        Raises:
            UnknownName: The job is not known any more.
        """
        with self._turn:
            return self._known(id).source

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
                self._settle(job)
            if job.state in ("waiting", "working"):
                # The models notice at their next tile; the person need not wait for that.
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

    def _known(self, id: str) -> _Job:
        if id not in self._jobs:
            raise UnknownName("job", id, [], hint="restore the image again")
        return self._jobs[id]

    def _forget(self) -> None:
        for id in [id for id, job in self._jobs.items() if job.state not in ("waiting", "working")]:
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
                result = job.work(job.step)
            except _Stopped:
                job.stop.set()
            except LucidaError as problem:
                error = problem.to_json()
            except Exception as problem:
                # Whatever a model raises must not end the worker that all others wait for.
                error = _failed(problem).to_json()
            with self._turn:
                if job.stop.is_set():
                    job.state = "cancelled"
                else:
                    job.error, job.result, job.state = error, result, "done" if result else "failed"
                self._settle(job)

    def _settle(self, job: _Job) -> None:
        self._shelf.release(job.source.token)
        if job.mask is not None:
            job.mask.unlink(missing_ok=True)


def _failed(error: Exception) -> ModelError:
    return ModelError(
        "The image could not be restored.",
        expected="a model that runs on this machine",
        got=str(error)[:300] or type(error).__name__,
        hint="another model, or a smaller image",
    )
