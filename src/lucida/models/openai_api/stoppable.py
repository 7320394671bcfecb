"""A request that another thread can end while the server thinks: the connection is cut, and the server sees that."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any, Final

LOOKED_AFTER: Final = 0.1  # seconds; a person who cancels waits no longer than that


class StoppedError(Exception):
    """The request was ended before its answer came."""


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

    A client of its own is made: what blocks in the client of all threads cannot be ended by one of them.

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

    async def ask() -> Any:
        http = openai.DefaultAsyncHttpxClient(trust_env=False) if direct else None
        async with openai.AsyncOpenAI(**settings, http_client=http) as client:
            work = asyncio.ensure_future(private(client).chat.completions.with_raw_response.create(**request))
            while not (await asyncio.wait({work}, timeout=LOOKED_AFTER))[0]:
                if stop.is_set():
                    work.cancel()
                    await asyncio.wait({work})
                    raise StoppedError
            return work.result()

    return asyncio.run(ask())
