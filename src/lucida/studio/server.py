"""The server process behind the page. Imported when a page is served: it needs the web framework."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import uvicorn

if TYPE_CHECKING:
    from starlette.types import ASGIApp


class PageServer(uvicorn.Server):
    """Serve an application, say when it answers, and end when told.

    Args:
        app: The application.
        ready: Called in a thread of its own once requests are answered (opening a browser may take a while).
        until: Ends the server when it is set, from any thread.
        over: Called when no more requests come. A signal that ends the program leaves no time for anything later.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        ready: Callable[[], None],
        until: threading.Event | None = None,
        over: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=2,
            )
        )
        self._ready, self._until, self._over = ready, until, over
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end: asyncio.TimerHandle | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer requests."""
        await super().startup(sockets=sockets)
        self._loop = asyncio.get_running_loop()
        if self.started:
            threading.Thread(target=self._ready, name="ready", daemon=True).start()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more requests."""
        await super().shutdown(sockets=sockets)
        await asyncio.to_thread(self._over)

    async def on_tick(self, counter: int) -> bool:
        """Say whether to end; called ten times a second."""
        return await super().on_tick(counter) or (self._until is not None and self._until.is_set())

    def end_in(self, seconds: float) -> None:
        """End the server after so many seconds, or earlier if it was told so before. For the event loop's thread."""
        assert self._loop is not None
        due = self._loop.time() + seconds
        if self._end is None or self._end.when() > due:
            if self._end is not None:
                self._end.cancel()
            self._end = self._loop.call_later(seconds, setattr, self, "should_exit", True)
