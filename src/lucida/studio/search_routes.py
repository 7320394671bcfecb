"""What the Search page asks the server for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import FastAPI, HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from lucida.errors import ImageError, LucidaError, UnknownName

if TYPE_CHECKING:
    from collections.abc import Callable

    from lucida.studio.searching import Searching

SIDES = (32, 4000)  # pixels of a picture
LARGEST = 64 * 2**20  # bytes of an image that is searched with

Ids = Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=50)]


class FindBody(BaseModel):
    """The JSON of a search; see `lucida.studio.searching.Asked`."""

    text: str = Field(default="", max_length=20_000)
    images: Ids = []
    like: Ids = []
    unlike: Ids = []
    where: list[str] = Field(default=[], max_length=20)
    state: Literal["", "reviewed", "accepted", "proposed"] = ""
    glob: str = Field(default="", max_length=1000)
    by: Literal["all", "vectors", "text"] = "all"
    top: int = Field(default=60, ge=1, le=600)


class JudgeBody(BaseModel):
    """The JSON of an answer about a result, or of the question what to ask."""

    search: str = Field(max_length=64)
    share: float = Field(default=0.9, gt=0, lt=1)
    image: str | None = Field(default=None, max_length=64)
    relevant: bool | None = None


def add_routes(app: FastAPI, searching: Callable[[], Searching | None], headers: dict[str, str]) -> None:
    """Add the routes of the Search page.

    Args:
        app: The application.
        searching: Returns what is served at the moment.
        headers: Sent with every image.
    """

    def served() -> Searching:
        found = searching()
        if found is None:
            raise HTTPException(404)
        return found

    @app.post("/api/search")
    async def find(body: FindBody) -> JSONResponse:
        return await _answer(served().find, body.model_dump())

    @app.post("/api/search/judge")
    async def judge(body: JudgeBody) -> JSONResponse:
        return await _answer(served().judge, body.search, body.share, body.image, body.relevant)

    @app.post("/api/search/upload")
    async def upload(request: Request, name: Annotated[str, Query(max_length=300)] = "image") -> JSONResponse:
        data = bytearray()
        async for part in request.stream():
            data += part
            if len(data) > LARGEST:
                raise HTTPException(413)
        return await _answer(served().upload, name, bytes(data))

    @app.get("/api/search/picture/{image}")
    async def picture(image: str, side: Annotated[int, Query(ge=SIDES[0], le=SIDES[1])] = 320) -> Response:
        try:
            content, media_type = await asyncio.to_thread(served().picture, image, side)
        except LucidaError:
            return Response("no such picture", status_code=404, media_type="text/plain")
        return Response(content, media_type=media_type, headers=headers)


async def _answer(ask: Callable[..., Any], *values: Any) -> JSONResponse:
    try:
        return JSONResponse(await asyncio.to_thread(ask, *values), headers={"cache-control": "no-store"})
    except LucidaError as error:
        status = 404 if isinstance(error, UnknownName) else 415 if isinstance(error, ImageError) else 422
        return JSONResponse({"error": error.to_json()}, status, headers={"cache-control": "no-store"})
