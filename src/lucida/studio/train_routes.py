"""What the Train page asks the server for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import FastAPI, HTTPException, Query, Response
from fastapi.responses import JSONResponse

from lucida.errors import LucidaError, UnknownName

if TYPE_CHECKING:
    from collections.abc import Callable

    from lucida.studio.training import Training

SIDES = (32, 1600)  # pixels of a picture


def add_routes(app: FastAPI, training: Callable[[], Training | None], headers: dict[str, str]) -> None:
    """Add the routes of the Train page.

    Args:
        app: The application.
        training: Returns what is served at the moment.
        headers: Sent with every image.
    """

    def served() -> Training:
        found = training()
        if found is None:
            raise HTTPException(404)
        return found

    @app.get("/api/train")
    async def runs() -> JSONResponse:
        return _json({"runs": await asyncio.to_thread(served().runs)})

    @app.get("/api/train/{run}/rows")
    async def rows(run: str, generation: int = -1, start: Annotated[int, Query(ge=0)] = 0) -> JSONResponse:
        return await _answer(served().rows, run, generation, start)

    @app.get("/api/train/{run}/speed")
    async def speed(run: str) -> JSONResponse:
        return await _answer(served().speed, run)

    @app.get("/api/train/{run}/mistakes")
    async def mistakes(run: str) -> JSONResponse:
        return await _answer(served().mistakes, run)

    @app.get("/api/train/{run}/mistakes/{number}/{what}")
    async def explain(run: str, number: int, what: Literal["heat", "nearest"]) -> JSONResponse:
        return await _answer(served().explain, run, number, what)

    @app.get("/api/train/{run}/picture/{number}")
    async def picture(run: str, number: int, side: Annotated[int, Query(ge=SIDES[0], le=SIDES[1])] = 320) -> Response:
        try:
            content, media_type = await asyncio.to_thread(served().picture, run, number, side)
        except LucidaError:
            return Response("no such picture", status_code=404, media_type="text/plain")
        # A mistake's number holds for this process only.
        return Response(content, media_type=media_type, headers=headers | {"cache-control": "no-store"})


async def _answer(ask: Callable[..., Any], *values: Any) -> JSONResponse:
    try:
        return _json(await asyncio.to_thread(ask, *values))
    except LucidaError as error:
        return _json({"error": error.to_json()}, 404 if isinstance(error, UnknownName) else 422)


def _json(content: Any, status: int = 200) -> JSONResponse:
    return JSONResponse(content, status_code=status, headers={"cache-control": "no-store"})
