"""What the Look page asks the server for."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from fastapi import FastAPI, HTTPException, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from lucida.errors import LucidaError, UnknownName

if TYPE_CHECKING:
    from collections.abc import Callable

    from lucida.studio.looking import Looking

LOOKED_AFTER: Final = 0.2  # seconds after which it is seen that nobody waits for an answer

Said = Annotated[str, Field(max_length=20_000)]


class OpenBody(BaseModel):
    """The JSON of a list to walk through; see `lucida.studio.looking.Looking.open`."""

    where: list[Annotated[str, Field(max_length=1000)]] = Field(default=[], max_length=20)
    screen: str = Field(default="", max_length=1000)
    verdict: Literal["", "unsure", "breaks", "ok"] = ""
    search: str = Field(default="", max_length=64)
    image: str = Field(default="", max_length=64)


class AskBody(BaseModel):
    """The JSON of a question about an image."""

    image: str = Field(max_length=64)
    model: str = Field(min_length=1, max_length=1000)
    before: list[tuple[Said, Said]] = Field(default=[], max_length=50)
    question: str = Field(min_length=1, max_length=20_000)


class KeepBody(BaseModel):
    """The JSON of an answer that is to be kept."""

    token: str = Field(max_length=64)


def add_routes(app: FastAPI, looking: Callable[[], Looking | None]) -> None:
    """Add the routes of the Look page.

    Args:
        app: The application.
        looking: Returns what is served at the moment.
    """

    def served() -> Looking:
        found = looking()
        if found is None:
            raise HTTPException(404)
        return found

    @app.get("/api/look/lists")
    async def lists() -> JSONResponse:
        return await _answer(served().lists)

    @app.post("/api/look/open")
    async def opened(body: OpenBody) -> JSONResponse:
        return await _answer(lambda: served().open(**body.model_dump()))

    @app.get("/api/look/model")
    async def model(name: Annotated[str, Query(max_length=1000)]) -> JSONResponse:
        return await _answer(served().asking.place, name)

    @app.post("/api/look/ask")
    async def ask(body: AskBody, request: Request) -> JSONResponse:
        stop = threading.Event()
        coming = _answer(served().asking.ask, body.image, body.model, body.before, body.question, stop)
        return await _wanted(asyncio.ensure_future(coming), request, stop)

    @app.post("/api/look/keep")
    async def keep(body: KeepBody) -> JSONResponse:
        return await _answer(served().asking.keep, body.token)

    @app.get("/api/look/{name}/{at}")
    async def view(name: str, at: int) -> JSONResponse:
        return await _answer(served().view, name, at)


async def _wanted(coming: asyncio.Future[JSONResponse], request: Request, stop: threading.Event) -> JSONResponse:
    """Wait for an answer, and end it once nobody waits for it: it was cancelled, or the page was closed."""
    while not (await asyncio.wait({coming}, timeout=LOOKED_AFTER))[0]:
        if not stop.is_set() and await request.is_disconnected():
            stop.set()
    return coming.result()


async def _answer(ask: Callable[..., Any], *values: Any) -> JSONResponse:
    headers = {"cache-control": "no-store"}
    try:
        return JSONResponse(await asyncio.to_thread(ask, *values), headers=headers)
    except LucidaError as error:
        status = 404 if isinstance(error, UnknownName) else 422
        return JSONResponse({"error": error.to_json()}, status, headers=headers)
