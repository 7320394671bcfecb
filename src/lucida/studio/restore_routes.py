"""What the Restore page asks the server for."""

from __future__ import annotations

import asyncio
import errno
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import FastAPI, HTTPException, Query, Request, Response
from fastapi.responses import FileResponse, JSONResponse
from pydantic import BaseModel, Field

from lucida.errors import ImageError, InputError, LucidaError, UnknownName
from lucida.studio import showing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lucida.studio.restoring import Restoring

HEADERS = {"cache-control": "no-store"}


class GridBody(BaseModel):
    """The JSON of a mask: run lengths down the columns, packed into text."""

    size: list[int] = Field(min_length=2, max_length=2)
    counts: str = Field(max_length=4_000_000)


class StartBody(BaseModel):
    """The JSON of what is to be done to an image; see `lucida.studio.restoring.Asked`."""

    source: str = Field(max_length=64)
    upscale: float = Field(default=1.0, ge=1, le=16)
    denoise: Annotated[float, Field(gt=0, le=100)] | Literal["auto"] | None = None
    model: str = Field(default="", max_length=200)
    mask: GridBody | None = None


class OpenBody(BaseModel):
    """The JSON of an image of the catalog."""

    image: str = Field(max_length=64)


def add_routes(app: FastAPI, restoring: Callable[[], Restoring | None], headers: dict[str, str]) -> None:
    """Add the routes of the Restore page.

    Args:
        app: The application.
        restoring: Returns what is served at the moment.
        headers: Sent with every image.
    """

    def served() -> Restoring:
        found = restoring()
        if found is None:
            raise HTTPException(404)
        return found

    @app.post("/api/restore/upload")
    async def upload(
        request: Request,
        name: Annotated[str, Query(max_length=300)] = "image",
        size: Annotated[int, Query(ge=0)] = 0,
    ) -> JSONResponse:
        told = request.headers.get("content-length", "")
        return await _answer(_upload, served(), request, name, max(size, int(told) if told.isdigit() else 0))

    @app.post("/api/restore/open")
    async def opened(body: OpenBody) -> JSONResponse:
        return await _answer(asyncio.to_thread, served().open, body.image)

    @app.post("/api/restore/start")
    async def start(body: StartBody) -> JSONResponse:
        return await _answer(asyncio.to_thread, served().start, body.model_dump())

    @app.get("/api/restore/job/{job}")
    async def view(job: str) -> JSONResponse:
        return await _answer(asyncio.to_thread, served().job, job)

    @app.post("/api/restore/cancel/{job}")
    async def cancel(job: str) -> JSONResponse:
        return await _answer(asyncio.to_thread, served().jobs.cancel, job)

    _image_routes(app, served, headers)


def _image_routes(app: FastAPI, served: Callable[[], Restoring], headers: dict[str, str]) -> None:
    @app.get("/api/restore/picture/{token}")
    async def picture(token: str) -> Response:
        return await _picture(headers, lambda: showing.picture(served().shelf.get(token)))

    @app.get("/api/restore/part/{token}")
    async def part(
        token: str,
        left: Annotated[int, Query(ge=0)],
        top: Annotated[int, Query(ge=0)],
        width: Annotated[int, Query(ge=1)],
        height: Annotated[int, Query(ge=1)],
        most: Annotated[int, Query(ge=16, le=4096)] = 2048,
    ) -> Response:
        kept = served()
        return await _picture(headers, lambda: kept.parts.part(kept.shelf.get(token), left, top, width, height, most))

    @app.get("/api/restore/file/{token}")
    async def file(token: str) -> Response:
        try:
            kept = served().shelf.get(token)
        except UnknownName:
            return Response("no such image", status_code=404, media_type="text/plain")
        policy = {name: value for name, value in headers.items() if name != "cache-control"}
        kind = showing.BROWSERS.get(kept.kind, "application/octet-stream")
        return FileResponse(kept.path, filename=kept.name, media_type=kind, headers=policy | HEADERS)


async def _upload(restoring: Restoring, request: Request, name: str, size: int) -> dict[str, Any]:
    """Write an image to the disk as it comes, and not further than the limit."""
    restoring.admit(max(size, 1))
    token, path = await asyncio.to_thread(restoring.shelf.place, name)
    try:
        await _write(restoring, request, path)
    except BaseException:
        # The browser may have gone meanwhile.
        restoring.shelf.forget(token)
        raise
    return await asyncio.to_thread(restoring.add, token, path)


async def _write(restoring: Restoring, request: Request, path: Path) -> None:
    come = 0
    try:
        with path.open("wb") as file:
            async for part in request.stream():
                come += len(part)
                restoring.admit(come)
                file.write(part)
    except OSError as error:
        raise InputError(
            "The disk is full." if error.errno == errno.ENOSPC else "The image cannot be kept.",
            expected="room for it in the folder for temporary files",
            got=error.strerror or str(error),
            hint="make room, or set TMPDIR to a folder on another disk",
        ) from error


async def _picture(headers: dict[str, str], show: Callable[[], tuple[bytes, str]]) -> Response:
    try:
        content, media_type = await asyncio.to_thread(show)
    except UnknownName:
        return Response("no such picture", status_code=404, media_type="text/plain")
    except (LucidaError, OSError):
        return Response("cannot be shown", status_code=415, media_type="text/plain")
    return Response(content, media_type=media_type, headers=headers)


async def _answer(ask: Callable[..., Any], *values: Any) -> JSONResponse:
    try:
        return JSONResponse(await ask(*values), headers=HEADERS)
    except LucidaError as error:
        status = 404 if isinstance(error, UnknownName) else 415 if isinstance(error, ImageError) else 422
        return JSONResponse({"error": error.to_json()}, status, headers=HEADERS)
