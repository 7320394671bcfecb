"""What the Watch page asks the studio for; the studio asks the server, so that no page of a browser needs to."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal

from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from lucida.studio import replies

if TYPE_CHECKING:
    from collections.abc import Callable

    from lucida.studio.watching import Watching


class ServerBody(BaseModel):
    """The JSON of a server; a key is never sent back."""

    url: str = Field(max_length=300)
    key: str | None = Field(default=None, max_length=500)


class VerdictBody(BaseModel):
    """The JSON of what a person says of an answer."""

    number: int = Field(ge=0, le=2**62)
    verdict: Literal["right", "wrong", "unsure"]
    label: str | None = Field(default=None, min_length=1, max_length=200)


class QueueBody(BaseModel):
    """The JSON of a queue that is to be reviewed."""

    question: str = Field(min_length=1, max_length=200)


def add_routes(app: FastAPI, watching: Callable[[], Watching | None], headers: dict[str, str]) -> None:
    """Add the routes of the Watch page.

    Args:
        app: The application.
        watching: Returns what is served at the moment.
        headers: Sent with every image.
    """
    served = replies.there(watching)

    @app.get("/api/watch")
    async def look() -> JSONResponse:
        return await replies.answer(served().look)

    @app.post("/api/watch/server")
    async def server(body: ServerBody) -> JSONResponse:
        return await replies.answer(served().connect, body.url, body.key)

    @app.post("/api/watch/alarms/{alarm}/queue")
    async def queue(alarm: str) -> JSONResponse:
        return await replies.answer(served().queue, alarm)

    @app.post("/api/watch/alarms/{alarm}/close")
    async def settle(alarm: str) -> JSONResponse:
        return await replies.answer(served().settle, alarm)

    @app.post("/api/watch/review")
    async def review(body: QueueBody) -> JSONResponse:
        return await replies.answer(served().review, body.question)

    @app.post("/api/watch/verdicts")
    async def judge(body: VerdictBody) -> JSONResponse:
        return await replies.answer(served().judge, body.number, body.verdict, body.label)

    @app.get("/api/watch/image/{image}")
    async def image(image: str) -> Response:
        return await replies.picture(headers, partial(served().picture, image))
