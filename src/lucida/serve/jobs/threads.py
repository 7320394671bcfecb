"""Threads that wait for the disk, apart from those that models work in; few, and so is what waits for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from lucida.errors import ModelError
from lucida.serve.refusal import Refused

T = TypeVar("T")


class Threads:
    """Has work with records done beside the event loop.

    Args:
        name: Of the threads.
        threads: How many there are.
        most: Requests that may wait for one of them.
    """

    def __init__(self, name: str, threads: int = 1, most: int = 0) -> None:
        self._threads = ThreadPoolExecutor(threads, name)
        self._waiting, self._most = 0, most

    async def do(self, work: Callable[[], T]) -> T:
        """Have some work done; it is done even if nobody waits for it any more."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def later(self, work: Callable[[], None]) -> None:
        """Have some work done that nobody waits for, and that does no harm if it fails."""
        self._threads.submit(work)

    async def ask(self, work: Callable[[], T]) -> T:
        """Do the same for a request.

        Raises:
            Refused: 503, so many wait already: something holds up the records.
        """
        if self._waiting >= self._most:
            raise Refused(
                503,
                ModelError(
                    "The records of the server are busy.",
                    expected=f"at most {self._most} requests that wait for them",
                    got="more",
                    hint="come again in 5 s",
                ),
                retry=5,
            )
        self._waiting += 1
        try:
            return await self.do(work)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Let the threads end."""
        self._threads.shutdown(wait=True, cancel_futures=True)
