"""A request that can be ended while the server thinks: the connection is cut, and the server sees that."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

LOOKED_AFTER: Final = 0.1  # seconds; a person who cancels waits no longer than that

Came = TypeVar("Came")


class StoppedError(Exception):
    """The request was ended before its answer came."""


class BrokenOffError(Exception):
    """The answer began and did not come to its end."""


def run(
    openai: Any,
    private: Callable[[Any], Any],
    settings: dict[str, Any],
    *,
    direct: bool,
    look: Callable[[], object],
    send: Callable[[Any], Awaitable[Came]],
) -> Came:
    """Return what a request brings.

    A client of its own is made: what blocks in the client of all threads cannot be ended by one of them.

    Args:
        openai: The package.
        private: Takes from a client what the server is not to know.
        settings: Arguments of its clients.
        direct: Whether the way must not lead over a proxy.
        look: Called every now and then; what it raises ends the request and goes through.
        send: Sends the request by the client that it is given.

    Raises:
        OpenAIError: As the package's own clients.
    """

    async def ask() -> Came:
        http = openai.DefaultAsyncHttpxClient(trust_env=False) if direct else None
        async with openai.AsyncOpenAI(**settings, http_client=http) as client:
            work = asyncio.ensure_future(send(private(client)))
            try:
                while not (await asyncio.wait({work}, timeout=LOOKED_AFTER))[0]:
                    look()
            except BaseException:
                work.cancel()
                await asyncio.wait({work})
                raise
            return work.result()

    return asyncio.run(ask())


def create(
    openai: Any,
    private: Callable[[Any], Any],
    settings: dict[str, Any],
    *,
    direct: bool,
    stop: threading.Event,
    request: dict[str, Any],
) -> Any:
    """Return the raw answer to a request for a completion.

    Args:
        openai: The package.
        private: Takes from a client what the server is not to know.
        settings: Arguments of its clients.
        direct: Whether the way must not lead over a proxy.
        stop: Set by another thread to end the request.
        request: Arguments of the request.

    Raises:
        StoppedError: It was ended.
        OpenAIError: As the package's own clients.
    """

    def look() -> None:
        if stop.is_set():
            raise StoppedError

    def send(client: Any) -> Awaitable[Any]:
        sent: Awaitable[Any] = client.chat.completions.with_raw_response.create(**request)
        return sent

    return run(openai, private, settings, direct=direct, look=look, send=send)
