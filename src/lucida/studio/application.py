"""The web application: the frame's pages, the APIs of the review and the other pages, the images.

NiceGUI keeps one application a process, so this one is built once and serves one *site* after the other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import FastAPI, HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, Field

from lucida.errors import LucidaError
from lucida.studio import (
    compare_page,
    frame,
    generate_page,
    look_page,
    restore_page,
    review_page,
    search_page,
    train_page,
    watch_page,
)
from lucida.studio.desk import Act, Desk
from lucida.studio.replies import GridBody

if TYPE_CHECKING:
    from nicegui.page import page as NicePage  # noqa: N812

    from lucida.studio.generating import Generating
    from lucida.studio.looking import Looking
    from lucida.studio.protocol import Differences
    from lucida.studio.restoring import Restoring
    from lucida.studio.searching import Searching
    from lucida.studio.training import Training
    from lucida.studio.watching import Watching

STATUS = {"done": 200, "again": 200, "stale": 409, "failed": 422}
IMAGE_HEADERS = {
    # An image is named by the hash of its bytes: it never changes. Private: no shared cache keeps it.
    "cache-control": "private, max-age=31536000, immutable",
    # An SVG or a disguised page must never run as one.
    "content-security-policy": "default-src 'none'; sandbox",
}


@dataclass
class Site:
    """What is served at the moment.

    Attributes:
        desk: The review; None when only differences are shown.
        seen: Called when a browser has shown the end of the review, or is done with the differences.
        differences: Where two label runs differ; None where there are no two.
        training: The training runs of the catalog; None where only a review or differences are shown.
        searching: Searches of the catalog; None where only a review or differences are shown.
        looking: Looks at its images one by one; None where only a review or differences are shown.
        restoring: Restores images; None where only a review or differences are shown.
        generating: Draws pictures; None where only a review or differences are shown.
        watching: Watches a server; None where only a review or differences are shown.
    """

    desk: Desk | None
    seen: Callable[[], None] = field(default=lambda: None)
    differences: Differences | None = None
    training: Training | None = None
    searching: Searching | None = None
    looking: Looking | None = None
    restoring: Restoring | None = None
    generating: Generating | None = None
    watching: Watching | None = None

    @property
    def only_differences(self) -> bool:
        """Whether the differences are all there is: who is done with them is done."""
        return self.desk is None and self.training is None


class ObjectBody(BaseModel):
    """The JSON of an object that was missed, or of one that stands and is wrong."""

    item: int | None = None
    label: str | None = Field(default=None, max_length=200)
    box: tuple[float, float, float, float] | None = None
    mask: GridBody | None = None


def _plain(objects: list[ObjectBody]) -> tuple[dict[str, Any], ...]:
    return tuple(one.model_dump() for one in objects)


class ActBody(BaseModel):
    """The JSON of an act; see `lucida.studio.desk.Act`."""

    key: str = Field(min_length=8, max_length=64)
    turn: int = Field(ge=0)
    kind: Literal["answer", "undo", "freeze", "stop", "pause"]
    image: str | None = Field(default=None, max_length=256)
    proposal: str | None = Field(default=None, max_length=20_000)
    verdict: Literal["right", "wrong", "unsure"] | None = None
    label: str | None = Field(default=None, max_length=200)
    text: str | None = Field(default=None, max_length=20_000)
    box: tuple[float, float, float, float] | None = None
    mask: GridBody | None = None
    objects: list[ObjectBody] = Field(default=[], max_length=1000)
    wrong: list[ObjectBody] = Field(default=[], max_length=10_000)

    def act(self) -> Act:
        """Return it as the desk takes it."""
        values = self.model_dump(exclude={"objects", "wrong", "text", "label"})
        label = self.label if self.text is None else self.text
        return Act(**values, label=label, objects=_plain(self.objects), wrong=_plain(self.wrong))


class _Holder:
    site: Site | None = None


def open_site(site: Site | None) -> None:
    """Serve another site from now on; None for none."""
    _Holder.site = site


def current() -> Site:
    """Return what is served at the moment."""
    assert _Holder.site is not None, "the application is served by serve_review"
    return _Holder.site


def _desk() -> Desk:
    desk = current().desk
    if desk is None:
        raise HTTPException(404)
    return desk


def _differences() -> Differences:
    differences = current().differences
    if differences is None:
        raise HTTPException(404)
    return differences


@cache
def application() -> FastAPI:
    """Return the application; built at the first call, which imports the web framework."""
    from nicegui import ui

    from lucida.studio import generate_routes, look_routes, restore_routes, search_routes, watch_routes
    from lucida.studio.train_routes import add_routes

    app = FastAPI(title="Camera Lucida", docs_url=None, redoc_url=None, openapi_url=None)
    _review_routes(app)
    _compare_routes(app)
    add_routes(app, lambda: current().training, IMAGE_HEADERS)
    search_routes.add_routes(app, lambda: current().searching, IMAGE_HEADERS)
    look_routes.add_routes(app, lambda: current().looking)
    restore_routes.add_routes(app, lambda: current().restoring, IMAGE_HEADERS)
    generate_routes.add_routes(app, lambda: current().generating, IMAGE_HEADERS)
    watch_routes.add_routes(app, lambda: current().watching, IMAGE_HEADERS)
    app.mount("/static", _Revalidated(directory=frame.STATIC), name="studio-static")
    for page in frame.PAGES.values():
        _serve(page, ui.page)
    ui.run_with(
        app,
        title="Camera Lucida",
        favicon=frame.STATIC / "icon.svg",
        tailwind=False,  # a compiler in the browser: most of the time a page takes to load
        gzip_middleware_factory=None,  # nothing is gained on the way to the same machine
        reconnect_timeout=60,
        binding_refresh_interval=None,
        show_welcome_message=False,
    )
    return app


def _serve(page: frame.Page, route: type[NicePage]) -> None:
    """Give a page its route, and the frame around its content."""
    from nicegui import ui

    async def show(request: Request):  # type: ignore[no-untyped-def]  # the framework makes a model of what is stated
        if not page.available(current()):
            return RedirectResponse(next(p.path for p in frame.PAGES.values() if p.available(current())))
        here = frame.visit(current(), request)
        ui.page_title(f"{here.words(page.title)} · {here.words('frame.brand')}")
        ui.add_head_html(frame.head(page, here))
        ui.add_body_html(frame.header(page, here))
        return await page.build(here)

    # A page may have to wait for a refit under way.
    route(page.path, response_timeout=60)(show)


class _Revalidated(StaticFiles):
    """Serve our scripts and styles; the browser asks each time whether they changed (a new version of the program)."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["cache-control"] = "no-cache"
        return response


def _review_routes(app: FastAPI) -> None:
    @app.exception_handler(LucidaError)
    async def failed(request: Request, error: LucidaError) -> JSONResponse:
        return _json({"error": error.to_json()}, 500)

    @app.get("/api/review")
    async def view() -> JSONResponse:
        return _json(await _desk().view())

    @app.get("/api/review/upcoming")
    async def upcoming() -> JSONResponse:
        return _json(await _desk().upcoming())

    @app.get("/api/review/classes")
    async def classes() -> JSONResponse:
        return _json(await _desk().classes())

    @app.post("/api/review")
    async def act(body: ActBody) -> JSONResponse:
        # The act is done even when the browser goes away meanwhile.
        reply = await asyncio.shield(_desk().act(body.act()))
        return _json({"outcome": reply.outcome, "view": reply.view, "error": reply.error}, STATUS[reply.outcome])

    @app.post("/api/review/seen", status_code=204)
    async def seen() -> Response:
        if _desk().over:
            current().seen()
        return Response(status_code=204)

    @app.get("/image/{image}")
    async def image(image: str) -> Response:
        try:
            content, media_type = await _image(image)
        except (LucidaError, KeyError):
            return Response("no such image", status_code=404, media_type="text/plain")
        if not media_type.startswith("image/"):
            return Response("not an image", status_code=415, media_type="text/plain")
        return Response(content, media_type=media_type, headers=IMAGE_HEADERS)


async def _image(image: str) -> tuple[bytes, str]:
    site = current()
    if site.desk is not None:
        return await site.desk.image(image)
    return await asyncio.to_thread(_differences().image, image)


def _compare_routes(app: FastAPI) -> None:
    @app.get("/api/compare")
    async def rows(
        kind: Literal["", "a", "b", "neither", "open"] = "",
        start: Annotated[int, Query(ge=0)] = 0,
        count: Annotated[int, Query(ge=1, le=200)] = 40,
    ) -> JSONResponse:
        return _json(await asyncio.to_thread(_differences().rows, kind, start, count))

    @app.post("/api/compare/end", status_code=204)
    async def end() -> Response:
        if current().only_differences:
            current().seen()
        return Response(status_code=204)


def _json(content: Any, status: int = 200) -> JSONResponse:
    return JSONResponse(content, status_code=status, headers={"cache-control": "no-store"})


__all__ = [
    "Site",
    "application",
    "compare_page",
    "current",
    "generate_page",
    "look_page",
    "open_site",
    "restore_page",
    "review_page",
    "search_page",
    "train_page",
    "watch_page",
]
