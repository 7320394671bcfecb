"""Asks another model about a share of the images, once their answers have gone out; nobody sees what it says.

It has one thread of its own, of the lowest priority, and begins only while a worker is free: no request ever waits for
it or is refused for it. What finds no place is let go and counted.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from random import random
from typing import TYPE_CHECKING, Final

from lucida.serve.looking import Job, Look
from lucida.serve.refusal import Refused
from lucida.serve.routing.calls import why
from lucida.serve.routing.said import said
from lucida.serve.work import Pool

if TYPE_CHECKING:
    from lucida.serve.desk import Desk
    from lucida.serve.headers import Exchange

WAITING: Final = 4  # images that wait for the thread
PENDING: Final = 16  # requests whose answers are still on the way
NICE: Final = 19
_log = logging.getLogger("lucida.serve.routes")


class Shadow:
    """Asks one model what another has answered.

    Args:
        desk: Where the models are.
        share: Of the images.
        note: Told what the model said.

    Attributes:
        asked: Images.
        agreed: Of which both models said the same.
        failed: Of which the model said nothing.
        skipped: Images for which there was no free place.
    """

    def __init__(self, desk: Desk, share: float, note: Callable[[Job, bytes], None]) -> None:
        self._desk, self.share, self._note = desk, share, note
        self.asked = self.agreed = self.failed = self.skipped = 0
        self._pool: Pool | None = None
        self._pending: OrderedDict[str, list[tuple[Job, bytes]]] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Begin to watch requests end."""
        self._pool = Pool(1, WAITING, "shadow")
        self._desk.watchers.append(self._gone_out)

    @property
    def waiting(self) -> int:
        """Images whose turn has not come, or whose answer is still on the way."""
        pending = sum(len(ones) for ones in self._pending.values())
        return pending + (self._pool.taken if self._pool is not None else 0)

    def close(self) -> None:
        """Ask nothing more."""
        if self._pool is not None:
            self._pool.close(1.0)

    def see(self, job: Job, answer: bytes) -> None:
        """Have an image asked, perhaps, once its request is over.

        Args:
            job: What the other model is asked.
            answer: What was answered.
        """
        if random() >= self.share:
            return
        self._pending.setdefault(job.request, []).append((job, answer))
        while len(self._pending) > PENDING:
            _, left = self._pending.popitem(last=False)
            self.skipped += len(left)

    def _gone_out(self, exchange: Exchange) -> None:
        for job, answer in self._pending.pop(exchange.id, ()):
            desk, pool = self._desk, self._pool
            free = desk.pool.taken < desk.pool.workers and desk.state == "ready"
            if not free or pool is None or pool.taken >= pool.places:
                self.skipped += 1
                continue
            self.asked += 1
            task = asyncio.get_running_loop().create_task(self._ask(pool, job, answer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _ask(self, pool: Pool, job: Job, answer: bytes) -> None:
        kept = self._desk.cache.get(job.key)
        work = partial(_look, self._desk, job, answer, kept)
        try:
            with pool.take() as place:
                until = asyncio.get_running_loop().time() + self._desk.settings.deadline
                body, same = await place.do(work, until)
        except Exception as error:
            self.failed += 1
            refused = isinstance(error, Refused) or self.failed > 1
            _log.log(
                logging.INFO if refused else logging.WARNING, "the shadow %s failed: %s", job.served.name, why(error)
            )
            return
        self.agreed += same
        self._desk.cache.keep(job.key, body)
        self._note(job, body)


def _look(desk: Desk, job: Job, answer: bytes, kept: bytes | None) -> tuple[bytes, bool]:
    """Look in the thread of shadows; return the answer and whether it says the same."""
    _be_nice()
    body = kept if kept is not None else Look(job, desk.limits, desk.read)()
    return body, said(job.service.name, body) == said(job.service.name, answer)


def _be_nice() -> None:
    # On Linux a thread has a priority of its own; elsewhere this would be the whole process's.
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
