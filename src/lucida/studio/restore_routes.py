"""What the Restore page asks the server for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import FastAPI, Query, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from lucida.errors import UnknownName
from lucida.studio import showing
from lucida.studio.replies import GridBody, answer, download, picture, there, tray_routes

if TYPE_CHECKING:
    from collections.abc import Callable

    from lucida.studio.restoring import Restoring


class StartBody(BaseModel):
    """The JSON of what is to be done to an image; see `lucida.studio.restoring.Asked`."""

    source: str = Field(max_length=64)
    upscale: float = Field(default=1.0, ge=1, le=16)
    denoise: Annotated[float, Field(gt=0, le=100)] | Literal["auto"] | None = None
    model: str = Field(default="", max_length=200)
    mask: GridBody | None = None


def add_routes(app: FastAPI, restoring: Callable[[], Restoring | None], headers: dict[str, str]) -> None:
    """Add the routes of the Restore page.

    Args:
        app: The application.
        restoring: Returns what is served at the moment.
        headers: Sent with every image.
    """
    served = there(restoring)

    tray_routes(app, "restore", lambda: served().tray)

    @app.post("/api/restore/start")
    async def start(body: StartBody) -> JSONResponse:
        return await answer(served().start, body.model_dump())

    @app.get("/api/restore/job/{job}")
    async def view(job: str) -> JSONResponse:
        return await answer(served().job, job)

    @app.post("/api/restore/cancel/{job}")
    async def cancel(job: str) -> JSONResponse:
        return await answer(served().jobs.cancel, job)

    _image_routes(app, served, headers)


def _image_routes(app: FastAPI, served: Callable[[], Restoring], headers: dict[str, str]) -> None:
    @app.get("/api/restore/picture/{token}")
    async def whole(token: str) -> Response:
        return await picture(headers, lambda: showing.picture(served().shelf.get(token)))

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
        return await picture(headers, lambda: kept.parts.part(kept.shelf.get(token), left, top, width, height, most))

    @app.get("/api/restore/file/{token}")
    async def file(token: str) -> Response:
        try:
            kept = served().shelf.get(token)
        except UnknownName:
            return Response("no such image", status_code=404, media_type="text/plain")
        return download(headers, kept.path, kept.name, kept.kind)
