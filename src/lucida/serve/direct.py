"""The shortest way from a request to what answers it, for the addresses that are asked most.

Layers of a web framework look at every request in turn: routing, exceptions, dependencies, their clean-up. Endpoints
that read the request themselves, answer every error and return their response need none of them. The framework still
describes these addresses, and answers all others.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from fastapi import Request, Response
from fastapi.routing import APIRoute

from lucida.serve.services import SERVICES

if TYPE_CHECKING:
    from starlette.routing import BaseRoute
    from starlette.types import ASGIApp, Receive, Scope, Send

ASKED: Final = frozenset({*(f"/v1/{name}" for name in SERVICES), "/v1/batch"})


class Direct:
    """An ASGI application before another.

    Args:
        app: What answers all else.
        routes: Where the addresses lead; of those in `ASKED`, each takes a request and returns a response.
    """

    def __init__(self, app: ASGIApp, routes: Iterable[BaseRoute]) -> None:
        self._app = app
        self._endpoints: dict[Any, Callable[[Request], Awaitable[Response]]] = {
            (method, route.path): route.endpoint
            for route in routes
            if isinstance(route, APIRoute) and route.path in ASKED
            for method in route.methods or ()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        endpoint = self._endpoints.get((scope.get("method"), scope.get("path")))
        if endpoint is None or scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope["app"] = self._app
        response = await endpoint(Request(scope, receive, send))
        await response(scope, receive, send)
