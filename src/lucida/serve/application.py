"""The web application: all addresses, built anew for each server, and usable without a socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, FastAPI, Request, Response
from starlette.exceptions import HTTPException

from lucida import __version__
from lucida.errors import InputError, UnknownName
from lucida.serve.desk import Desk
from lucida.serve.direct import Direct
from lucida.serve.docs_page import DOCS_HEADERS, docs_page
from lucida.serve.headers import Shell
from lucida.serve.jobs.jobs import Jobs
from lucida.serve.quota_records import QuotaKeeper
from lucida.serve.refusal import Refused
from lucida.serve.reloading import Reloader
from lucida.serve.routes import health, making, metrics, openai, reloading, routing, tasks, watch
from lucida.serve.routes import jobs as job_routes

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from lucida.serve.watch.traces import Traces

ABOUT = "Ask models about images. An image is a file, a data URL, or the content id of an image in the catalog."


def build(desk: Desk, reloader: Reloader | None = None, traces: Traces | None = None) -> ASGIApp:
    """Return the application of a desk; models are loaded when it starts.

    Args:
        desk: What is served.
        reloader: What replaces its models; None for one of its own.
        traces: What makes spans of its requests; None for nothing.
    """

    jobs, quotas = Jobs(desk), QuotaKeeper(desk)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        loading = asyncio.create_task(desk.load())
        jobs.start()
        quotas.start()
        if desk.watch is not None:
            desk.watch.start()
        try:
            yield
        finally:
            loading.cancel()
            # Why it failed is kept in the desk.
            with suppress(asyncio.CancelledError, Exception):
                await loading
            if desk.watch is not None:
                await desk.watch.close()
            await jobs.close()
            await quotas.close()
            await asyncio.to_thread(desk.close)

    app = FastAPI(
        title="Camera Lucida",
        version=__version__,
        description=ABOUT,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        exception_handlers={HTTPException: _no_route},
    )
    router = APIRouter()
    for part in (tasks, making, openai, health, metrics, watch, routing):
        part.add_routes(router, desk)
    job_routes.add_routes(router, desk, jobs)
    reloading.add_routes(router, desk, reloader or Reloader(desk))
    app.include_router(router)
    app.add_api_route("/docs", _docs(app), include_in_schema=False)
    return Shell(Direct(app, router.routes), desk.settings, desk.watchers, desk.keys, traces)


def _docs(app: FastAPI) -> Any:
    async def docs() -> Response:
        return Response(docs_page(app.openapi()), headers=DOCS_HEADERS, media_type="text/html")

    return docs


async def _no_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    path = request.url.path
    if error.status_code == 404:
        known = sorted(request.app.openapi()["paths"])
        return tasks.refuse(request, Refused(404, UnknownName("address", path[:200], known, hint="GET /docs")))
    allowed = (error.headers or {}).get("allow", "")
    told = InputError(
        f"{path[:200]} does not take {request.method[:20]}.",
        expected=allowed or "another method",
        got=request.method[:20],
        hint="GET /docs",
    )
    response = tasks.refuse(request, Refused(error.status_code, told))
    response.headers.update({"allow": allowed} if allowed else {})
    return response
