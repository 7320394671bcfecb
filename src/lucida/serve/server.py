"""The server process: it leaves clients that say nothing, and finishes what it took before it ends."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from typing import TYPE_CHECKING, Any, Final

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from types import FrameType

    from starlette.types import ASGIApp

    from lucida.serve.desk import Desk

LINGER: Final = 2.0  # seconds in which a client that was refused may go on sending: it reads the answer after that


def patient(seconds: float) -> type[HttpToolsProtocol]:
    """Return the protocol that leaves clients that take longer to say what they want.

    Uvicorn waits for the head of a request for ever, and so for the rest of a body that it has answered already.

    Args:
        seconds: From the first byte of a request, or the connection, to the end of its head.
    """

    class PatientProtocol(HttpToolsProtocol):
        _leaving: asyncio.TimerHandle | None = None

        def _leave_in(self, wait: float | None) -> None:
            if self._leaving is not None:
                self._leaving.cancel()
            self._leaving = None if wait is None else self.loop.call_later(wait, self._leave)

        def _leave(self) -> None:
            if not self.transport.is_closing():
                self.transport.close()

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._leave_in(seconds)

        def connection_lost(self, exc: Exception | None) -> None:
            self._leave_in(None)
            super().connection_lost(exc)

        def on_message_begin(self) -> None:
            super().on_message_begin()
            self._leave_in(seconds)

        def on_headers_complete(self) -> None:
            self._leave_in(None)
            super().on_headers_complete()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            if self.cycle.more_body:
                self._leave_in(LINGER)

    return PatientProtocol


class DrainingServer(uvicorn.Server):
    """Serves an application until it is told to stop: then it takes no more, finishes, and leaves.

    While it finishes, /readyz says 503 and new requests are refused with the same: whoever sends to several servers
    learns of it. A second signal ends it at once.

    Args:
        app: The application.
        desk: What is behind it.
        ready: Called once connections are taken.
        reload: Called in the event loop when the process is sent SIGHUP; None to leave that as it is.
    """

    def __init__(
        self,
        app: ASGIApp,
        desk: Desk,
        *,
        ready: Callable[[], None] = lambda: None,
        reload: Callable[[], None] | None = None,
    ) -> None:
        settings = desk.settings
        super().__init__(
            uvicorn.Config(
                app,
                http=patient(settings.header_seconds),
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=30,
                ssl_certfile=settings.cert,
                ssl_keyfile=settings.cert_key,
                timeout_graceful_shutdown=5,
            )
        )
        self._desk, self._ready, self._reload = desk, ready, reload
        # One that is supervised leaves when its supervisor does.
        self._terminal = not settings.processes and os.isatty(2)
        self._told: float | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to take connections."""
        await super().startup(sockets=sockets)
        if not self.started:
            return
        # Signals are for the main thread alone, and Windows has not this one.
        if self._reload is not None and hasattr(signal, "SIGHUP"):
            with contextlib.suppress(ValueError, RuntimeError, NotImplementedError):
                asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._hang_up)
        self._ready()

    def _hang_up(self) -> None:
        """Be told to read the models anew; or that the terminal is gone, which ends what was started there."""
        if self._terminal and not os.isatty(2):
            self.stop()
        elif self._reload is not None:
            self._reload()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Be told to stop."""
        if self._told is not None or sig not in (signal.SIGTERM, signal.SIGINT):
            super().handle_exit(sig, frame)
            self.force_exit = True
            return
        # Uvicorn would raise the signal again in the end; a server that was told to stop and did has not failed.
        self.stop()

    def stop(self) -> None:
        """Take no more, finish, and leave."""
        self._desk.stop()
        self._told = time.monotonic()

    async def on_tick(self, counter: int) -> bool:
        """Say whether to end; called ten times a second."""
        if self._desk.state == "failed" or (self._told is not None and self._done(time.monotonic() - self._told)):
            self.should_exit = True
        return await super().on_tick(counter)

    def _done(self, seconds: float) -> bool:
        """Say whether to leave so many seconds after it was told."""
        settings = self._desk.settings
        return seconds > settings.grace or (seconds > settings.notice and self._desk.idle.is_set())
