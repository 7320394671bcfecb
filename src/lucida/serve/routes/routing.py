"""POST /v1/feedback, and GET /v1/routes."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from fastapi import APIRouter, Request, Response

from lucida.errors import CatalogError, InputError, UnknownName
from lucida.serve.keys import ASKING
from lucida.serve.refusal import Refused
from lucida.serve.routes.answering import body_schema
from lucida.serve.routes.tasks import REFUSALS, check_fields, refuse, typed_response
from lucida.serve.routing.bodies import FeedbackAnswer, FeedbackRequest, RouteAnswer, RoutesAnswer
from lucida.serve.routing.feedback import check, keep, unknown
from lucida.serve.routing.telling import readings, told

if TYPE_CHECKING:
    from lucida.serve.desk import Desk

LONGEST: Final = 10.0  # seconds that feedback waits to be written
_ABOUT_ROUTES: Final[dict[int | str, dict[str, Any]]] = {
    status: REFUSALS[status] for status in (401, 403, 404, 421, 429, 503)
}


def add_routes(router: APIRouter, desk: Desk) -> None:
    """Add the addresses, and have the metrics tell of routes."""
    desk.gauges.append(partial(readings, desk.router))

    @router.post(
        "/v1/feedback",
        operation_id="feedback",
        summary="Say whether an answer of a route was right.",
        response_model=FeedbackAnswer,
        responses=REFUSALS,
        openapi_extra=body_schema(FeedbackRequest),
    )
    async def feedback(request: Request) -> Response:
        told_of = request.state.told
        told_of["service"] = "feedback"
        try:
            holder = desk.keys.admit(request.headers.get("authorization", ""), "feedback")
            told_of["holder"] = holder.name
            asking = ASKING.set(holder)
            try:
                # An image may be named, or sent once more.
                async with desk.intake.take(request) as given:
                    return typed_response(await _keep(desk, _asked(given.fields, given.images)))
            finally:
                ASKING.reset(asking)
        except Exception as error:
            return refuse(request, error)

    @router.get(
        "/v1/routes", operation_id="routes", summary="Tell of all routes: models, roll-outs, which arm is better.",
        response_model=RoutesAnswer, responses=_ABOUT_ROUTES,
    )  # fmt: skip
    async def routes(request: Request) -> Response:
        try:
            desk.keys.admit(request.headers.get("authorization", ""), "watch")
            return typed_response(RoutesAnswer(data=[await _told(desk, name) for name in desk.router.routes]))
        except Exception as error:
            return refuse(request, error)

    @router.get(
        "/v1/routes/{name}", operation_id="route", summary="Tell of one route.", response_model=RouteAnswer,
        responses=_ABOUT_ROUTES,
    )  # fmt: skip
    async def route(request: Request, name: str) -> Response:
        try:
            desk.keys.admit(request.headers.get("authorization", ""), "watch")
            if name not in desk.router.routes:
                raise Refused(404, UnknownName("route", name[:200], desk.router.routes, hint="GET /v1/routes"))
            return typed_response(await _told(desk, name))
        except Exception as error:
            return refuse(request, error)


def _asked(fields: dict[str, Any], images: list[Any]) -> FeedbackRequest:
    if len(images) > 1:
        raise InputError("Feedback is on one image.", expected="one image", got=f"{len(images):,}")
    for image in images:
        if isinstance(image, InputError):
            raise image
        fields = {**fields, "image": image.id}
    asked: FeedbackRequest = check_fields(FeedbackRequest, fields)
    check(asked)
    return asked


async def _keep(desk: Desk, asked: FeedbackRequest) -> FeedbackAnswer:
    """Keep feedback; who is told that it is kept can rely on it.

    Raises:
        Refused: 404, the answer is not known; 503, it cannot be written now.
    """
    if not desk.router.routes:
        # Nobody writes, and no answer was ever remembered in this server.
        raise unknown(asked)
    kept = asyncio.wrap_future(desk.router.ledger.ask(partial(keep, asked=asked)))
    try:
        answer = await asyncio.wait_for(kept, LONGEST)
    except TimeoutError as error:
        trouble = desk.router.ledger.failing or CatalogError(
            "The feedback could not be written in time.", expected="a file that can be written",
            got=f"{LONGEST:g} s of waiting", hint="send it again in a while: it counts once",
        )  # fmt: skip
        raise Refused(503, trouble, retry=5) from error
    desk.router.verdicts.heard(answer.route)
    return answer


async def _told(desk: Desk, name: str) -> RouteAnswer:
    route = desk.router.routes[name]
    verdicts = []
    # What cannot be read is said of the records; the rest is known all the same.
    with suppress(CatalogError):
        verdicts = await desk.router.verdicts.of(route)
    return told(route, verdicts, desk.router.ledger, lasting=desk.records.lasting)
