"""What the routes of the pages have in common: answers in JSON, errors in four parts, images in and out."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

from fastapi import FastAPI, HTTPException, Query, Request, Response
from fastapi.responses import FileResponse, JSONResponse
from pydantic import BaseModel, Field

from lucida.errors import ImageError, InputError, LucidaError, UnknownName
from lucida.studio import showing

if TYPE_CHECKING:
    from pathlib import Path

    from lucida.studio.tray import Tray

Served = TypeVar("Served")
HEADERS: Final = {"cache-control": "no-store"}


class GridBody(BaseModel):
    """The JSON of a mask: run lengths down the columns, packed into text."""

    size: list[int] = Field(min_length=2, max_length=2)
    counts: str = Field(max_length=4_000_000)


class OpenBody(BaseModel):
    """The JSON of an image of the catalog."""

    image: str = Field(max_length=64)


def there(served: Callable[[], Served | None]) -> Callable[[], Served]:
    """Return what is served at the moment, or an answer that there is no such page."""

    def found() -> Served:
        one = served()
        if one is None:
            raise HTTPException(404)
        return one

    return found


async def answer(ask: Callable[..., Any], *values: Any) -> JSONResponse:
    """Return what a slow function gives, or its error in four parts."""
    return await answered(asyncio.to_thread, ask, *values)


async def answered(ask: Callable[..., Any], *values: Any) -> JSONResponse:
    """Return what a coroutine gives, or its error in four parts."""
    try:
        return JSONResponse(await ask(*values), headers=HEADERS)
    except LucidaError as error:
        status = 404 if isinstance(error, UnknownName) else 415 if isinstance(error, ImageError) else 422
        return JSONResponse({"error": error.to_json()}, status, headers=HEADERS)


async def picture(headers: dict[str, str], show: Callable[[], tuple[bytes, str]]) -> Response:
    """Return an image as a browser shows it."""
    try:
        content, media_type = await asyncio.to_thread(show)
    except UnknownName:
        return Response("no such picture", status_code=404, media_type="text/plain")
    except (LucidaError, OSError):
        return Response("cannot be shown", status_code=415, media_type="text/plain")
    return Response(content, media_type=media_type, headers=headers)


def download(headers: dict[str, str], path: Path, name: str, kind: str) -> Response:
    """Return a file under a name, to be saved and never shown as a page."""
    policy = {key: value for key, value in headers.items() if key != "cache-control"}
    media_type = showing.BROWSERS.get(kind, "application/octet-stream")
    return FileResponse(path, filename=name, media_type=media_type, headers=policy | HEADERS)


def tray_routes(app: FastAPI, page: str, tray: Callable[[], Tray]) -> None:
    """Add the routes by which a page is handed images: sent by the browser, or of the catalog.

    Args:
        app: To which application.
        page: Its name in the addresses: "restore".
        tray: Returns what takes them at the moment.
    """

    @app.post(f"/api/{page}/upload")
    async def upload(
        request: Request,
        name: Annotated[str, Query(max_length=300)] = "image",
        size: Annotated[int, Query(ge=0)] = 0,
    ) -> JSONResponse:
        return await answered(received, tray(), request, name, size)

    @app.post(f"/api/{page}/open")
    async def opened(body: OpenBody) -> JSONResponse:
        return await answer(tray().open, body.image)


async def received(tray: Tray, request: Request, name: str, size: int) -> dict[str, Any]:
    """Write an image to the disk as it comes, and not further than the limit.

    Args:
        tray: Takes it.
        request: Its body is the image.
        name: Of the file.
        size: What the page says of its size; the body may be left out where that is too large.
    """
    told = request.headers.get("content-length", "")
    tray.admit(max(size, int(told) if told.isdigit() else 0, 1))
    token, path = await asyncio.to_thread(tray.shelf.place, name)
    try:
        await _write(tray, request, path)
    except BaseException:
        # The browser may have gone meanwhile.
        tray.shelf.forget(token)
        raise
    return await asyncio.to_thread(tray.add, token, path)


async def _write(tray: Tray, request: Request, path: Path) -> None:
    come = 0
    try:
        with path.open("wb") as file:
            async for part in request.stream():
                come += len(part)
                tray.admit(come)
                file.write(part)
    except OSError as error:
        raise InputError(
            "The disk is full." if error.errno == errno.ENOSPC else "The image cannot be kept.",
            expected="room for it in the folder for temporary files",
            got=error.strerror or str(error),
            hint="make room, or set TMPDIR to a folder on another disk",
        ) from error
