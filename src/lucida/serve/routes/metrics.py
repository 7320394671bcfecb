"""GET /metrics, as Prometheus reads it."""

from __future__ import annotations

import asyncio
import os
from functools import partial
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response

from lucida.serve.routes.tasks import REFUSALS, refuse
from lucida.serve.watch.metrics import Metrics
from lucida.serve.watch.readings import read

if TYPE_CHECKING:
    from lucida.serve.desk import Desk

SCOPE = "watch"


def add_routes(router: APIRouter, desk: Desk) -> None:
    """Add the address, and count from now on."""
    process = str(os.getpid()) if desk.settings.processes > 1 else ""
    metrics = Metrics(lambda: {*desk.shelf.models, *desk.router.routes}, partial(read, desk), process)
    desk.watchers.append(metrics.watch)
    desk.observers.append(metrics.observe)

    @router.get(
        "/metrics",
        operation_id="metrics",
        summary="Count requests, errors, images, times and costs, for Prometheus.",
        response_class=Response,
        responses={
            200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "The metrics."},
            **{status: REFUSALS[status] for status in (401, 403, 421, 429)},
        },
    )
    async def told(request: Request) -> Response:
        headers = request.headers
        try:
            desk.keys.admit(headers.get("authorization", ""), SCOPE)
            request.state.told["probe"] = True
            # Beside the requests: some thousand lines are written.
            text, kind = await asyncio.to_thread(metrics.text, headers.get("accept", ""))
        except Exception as error:
            return refuse(request, error)
        return Response(text, media_type=kind)
