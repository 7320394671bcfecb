"""Jobs that wait for the same workers, and take turns at them."""

from __future__ import annotations

import asyncio
from array import array
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from lucida.serve.jobs.rows import Entry
    from lucida.serve.jobs.wanted import Ready
    from lucida.serve.work import Pool

LATEST: Final = 20  # items of which the pace is that of a job


@dataclass(eq=False)
class Work:
    """A job that is being done.

    Attributes:
        entry: As it stood when it came.
        ready: How it is done.
        places: Of items that are still to begin, the next one last.
        gone: Is done once nobody wants it any more.
        ended: Times at which its latest items ended.
        shares: How far the items are that are under way, by place.
        tries: Whether its model is given further tries; not after it failed in all of them.
    """

    entry: Entry
    ready: Ready
    places: array[int]
    gone: asyncio.Future[None]
    ended: deque[float] = field(default_factory=lambda: deque(maxlen=LATEST))
    shares: dict[int, float] = field(default_factory=dict)
    tries: bool = True


class Lane:
    """Jobs for the same pool, which take turns: a short one does not wait for a long one.

    Args:
        pool: Where they are done.
    """

    def __init__(self, pool: Pool) -> None:
        self.pool, self.hands, self.over = pool, 0, False
        self.entering = self.inside = 0  # items that are about to be in the pool, and that are
        self.work: deque[Work] = deque()
        self.woken = asyncio.Event()

    @property
    def most(self) -> int:
        """How many items are done at a time."""
        return self.pool.workers * max((work.ready.together for work in self.work), default=1)

    @property
    def free(self) -> bool:
        """Whether there is a worker that nobody else wants."""
        others = self.pool.taken - self.inside
        return others < self.pool.workers and self.pool.taken + self.entering < self.most

    @property
    def waits(self) -> bool:
        """Whether there is an item to begin."""
        return any(work.places for work in self.work)

    def next(self) -> tuple[Work, int] | None:
        """Take the next item: from each job one, in turn."""
        for _ in range(len(self.work)):
            work = self.work[0]
            self.work.rotate(-1)
            if work.places:
                return work, work.places.pop()
        return None
