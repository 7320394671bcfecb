"""What the Generate page asks the server for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

from fastapi import FastAPI, Query, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from lucida.errors import LucidaError
from lucida.studio import showing
from lucida.studio.generating import LORAS, MOST
from lucida.studio.replies import HEADERS, GridBody, answer, picture, there, tray_routes

if TYPE_CHECKING:
    from collections.abc import Callable

    from lucida.studio.generating import Generating

Token = Annotated[str, Field(max_length=64)]


class LoraBody(BaseModel):
    """The JSON of a LoRA: a path or a training, and how strongly it counts."""

    name: str = Field(min_length=1, max_length=1000)
    weight: float = Field(default=1.0, ge=-10, le=10)


class StartBody(BaseModel):
    """The JSON of what is to be drawn; see `lucida.studio.generate_asked.Asked`."""

    model: str = Field(default="", max_length=1000)
    prompt: str = Field(default="", max_length=20_000)
    negative: str = Field(default="", max_length=20_000)
    n: int = Field(default=4, ge=1, le=MOST)
    seed: int = Field(default=0, ge=0, lt=2**63)
    size: tuple[int, int] | None = None
    steps: int | None = None
    guidance: float | None = None
    strength: float | None = None
    sampler: str = Field(default="", max_length=100)
    control: str = Field(default="", max_length=100)
    image: Token = ""
    control_image: Token = ""
    reference: Token = ""
    mask: GridBody | None = None
    loras: list[LoraBody] = Field(default=[], max_length=LORAS)
    agreed: bool = False


class ControlBody(BaseModel):
    """The JSON of a photo that a control image is made of."""

    source: Token
    control: str = Field(max_length=100)


class RunBody(BaseModel):
    """The JSON of an earlier request."""

    run: str = Field(max_length=200)


class RateBody(BaseModel):
    """The JSON of what a person thinks of a picture."""

    image: Token
    stars: int


def add_routes(app: FastAPI, generating: Callable[[], Generating | None], headers: dict[str, str]) -> None:
    """Add the routes of the Generate page.

    Args:
        app: The application.
        generating: Returns what is served at the moment.
        headers: Sent with every image.
    """
    served = there(generating)

    @app.get("/api/generate/model")
    async def model(name: Annotated[str, Query(max_length=1000)]) -> JSONResponse:
        return await answer(served().model, name)

    @app.get("/api/generate/lora")
    async def lora(name: Annotated[str, Query(max_length=1000)]) -> JSONResponse:
        return await answer(served().lora, name)

    @app.post("/api/generate/start")
    async def start(body: StartBody) -> JSONResponse:
        return await answer(served().start, body.model_dump())

    @app.get("/api/generate/job/{job}")
    async def view(job: str, since: Annotated[int, Query(ge=0)] = 0) -> JSONResponse:
        return await answer(served().job, job, since)

    @app.post("/api/generate/cancel/{job}")
    async def cancel(job: str) -> JSONResponse:
        return await answer(served().jobs.cancel, job)

    @app.get("/api/generate/history")
    async def history(limit: Annotated[int, Query(ge=1, le=1000)] = 20) -> JSONResponse:
        return await answer(served().before.history, limit)

    @app.post("/api/generate/recall")
    async def recall(body: RunBody) -> JSONResponse:
        return await answer(served().before.recall, body.run)

    @app.post("/api/generate/rate")
    async def rate(body: RateBody) -> JSONResponse:
        return await answer(served().before.rate, body.image, body.stars)

    _given_routes(app, served, headers)
    _picture_routes(app, served, headers)


def _given_routes(app: FastAPI, served: Callable[[], Generating], headers: dict[str, str]) -> None:
    tray_routes(app, "generate", lambda: served().tray)

    @app.post("/api/generate/control")
    async def control(body: ControlBody) -> JSONResponse:
        return await answer(served().control, body.source, body.control)

    @app.post("/api/generate/drawing")
    async def drawing(body: GridBody) -> JSONResponse:
        return await answer(served().drawing, body.model_dump())

    @app.get("/api/generate/given/{token}")
    async def given(token: str) -> Response:
        return await picture(headers, lambda: showing.picture(served().shelf.get(token)))


def _picture_routes(app: FastAPI, served: Callable[[], Generating], headers: dict[str, str]) -> None:
    @app.get("/api/generate/picture/{image}")
    async def drawn(image: str, side: Annotated[int, Query(ge=32, le=4096)] = 512) -> Response:
        return await picture(headers, lambda: served().before.picture(image, side))

    @app.get("/api/generate/story/{image}")
    async def story(image: str, seed: Annotated[int | None, Query(ge=0)] = None) -> JSONResponse:
        return await answer(served().before.story, image, seed)

    @app.get("/api/generate/file/{image}")
    async def file(image: str) -> Response:
        try:
            content, name = await asyncio.to_thread(served().before.file, image)
        except LucidaError:
            return Response("no such picture", status_code=404, media_type="text/plain")
        policy = {key: value for key, value in headers.items() if key != "cache-control"}
        saved = {"content-disposition": f"attachment; filename*=utf-8''{quote(name)}"}
        return Response(content, media_type="image/png", headers=policy | HEADERS | saved)
