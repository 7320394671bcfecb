"""GET /v1/watch, and what a person does about it: queues of an alarm, verdicts, another beginning."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from fastapi import APIRouter, Request, Response

from lucida.errors import InputError, UnknownName
from lucida.serve.keys import ASKING, Holder
from lucida.serve.refusal import Refused
from lucida.serve.routes.answering import body_schema
from lucida.serve.routes.tasks import REFUSALS, check_fields, refuse, typed_response
from lucida.serve.watch import bodies, queues
from lucida.serve.watch.told import OFF, day_of, tell, waiting

if TYPE_CHECKING:
    from lucida.serve.desk import Desk
    from lucida.serve.watch.watcher import Watcher

SCOPE: Final = "watch"
Work = Callable[[Request, Holder], Awaitable[Response]]


def add_routes(router: APIRouter, desk: Desk) -> None:
    """Add the addresses of the watch."""
    pages = _Addresses(desk)
    jpeg = {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}, "description": "The image."}
    known: dict[int | str, dict[str, Any]] = {
        status: REFUSALS[status] for status in (401, 403, 404, 413, 421, 422, 429, 503)
    }
    shown: dict[int | str, dict[str, Any]] = {200: jpeg}
    none: dict[int | str, dict[str, Any]] = {}
    for method, path, work, answer, about, more in (
        ("GET", "", pages.state, bodies.WatchAnswer,
         "Say what is known of live traffic: drift, alarms, accuracy.", none),
        ("GET", "/images/{id}", pages.image, None,
         "Show an image that an alarm names or that waits for a verdict.", shown),
        ("POST", "/alarms/{id}/queue", pages.queue, bodies.QueueAnswer,
         "Make the images that changed a review queue in the catalog.", none),
        ("POST", "/alarms/{id}/close", pages.close, bodies.WatchAnswer,
         "Close an alarm: watching begins anew, with a promise of its own.", none),
        ("POST", "/verdicts", pages.verdict, bodies.VerdictAnswer,
         "Say whether a drawn answer is right.", none),
    ):  # fmt: skip
        router.add_api_route(
            f"/v1/watch{path}",
            _safe(desk, work),
            methods=[method],
            operation_id="_".join([method.lower(), "watch", path.rpartition("/")[2].strip("{}") or "state"]),
            summary=about,
            response_model=answer,
            responses={**known, **more},
            openapi_extra=body_schema(bodies.VerdictRequest, form=False) if path == "/verdicts" else None,
        )


def _safe(desk: Desk, work: Work) -> Callable[[Request], Awaitable[Response]]:
    async def serve(request: Request) -> Response:
        told = request.state.told
        told["service"] = SCOPE
        try:
            holder = desk.keys.admit(request.headers.get("authorization", ""), SCOPE)
            told["holder"] = holder.name
            asking = ASKING.set(holder)
            try:
                return await work(request, holder)
            finally:
                ASKING.reset(asking)
        except Exception as error:
            return refuse(request, error)

    return serve


class _Addresses:
    """Answers requests about the watch of a desk."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def _watcher(self) -> Watcher:
        if self._desk.watch is None:
            raise Refused(
                404,
                InputError(
                    "Nothing is watched.",
                    expected="a server that watches",
                    got="one without watch",
                    hint="lucida serve MODEL --watch live, or watch: in serve.yaml",
                ),
            )
        return self._desk.watch

    async def state(self, request: Request, holder: Holder) -> Response:
        """Answer GET /v1/watch."""
        watcher = self._desk.watch
        return typed_response(OFF if watcher is None else await asyncio.to_thread(tell, watcher))

    async def image(self, request: Request, holder: Holder) -> Response:
        """Answer GET /v1/watch/images/ID: only what is watched, not whatever the catalog has."""
        watcher, id = self._watcher(), request.path_params["id"]
        if not await asyncio.to_thread(watcher.shows, id):
            raise Refused(404, UnknownName("watched image", id[:64], [], hint="GET /v1/watch lists them"))
        try:
            data = await asyncio.to_thread(watcher.kept.shown, id, self._desk.limits)
        except InputError as error:
            raise Refused(404, error) from error
        return Response(data, media_type="image/jpeg")

    async def queue(self, request: Request, holder: Holder) -> Response:
        """Answer POST /v1/watch/alarms/ID/queue."""
        watcher, alarm = self._watcher(), await self._alarm(request)
        made = await asyncio.to_thread(queues.queue_alarm, watcher, alarm)
        return typed_response(
            bodies.QueueAnswer(
                question=made.question, run=made.run, images=made.images, lost=made.lost,
                # So few are all taught: a proof needs more.
                review=f"lucida review --question {made.question} --teach {made.images}",
                train=f"lucida train classify --question {made.question} --include reviewed",
            )
        )  # fmt: skip

    async def close(self, request: Request, holder: Holder) -> Response:
        """Answer POST /v1/watch/alarms/ID/close."""
        watcher, alarm = self._watcher(), await self._alarm(request)
        if alarm.closed is None and watcher.drift is not None:
            await asyncio.to_thread(watcher.begin_anew)
        return typed_response(await asyncio.to_thread(tell, watcher))

    async def verdict(self, request: Request, holder: Holder) -> Response:
        """Answer POST /v1/watch/verdicts."""
        watcher = self._watcher()
        async with self._desk.intake.take(request) as body:
            given = check_fields(bodies.VerdictRequest, dict(body.fields))
        answer = partial(watcher.accuracy.answer, given.number, given.verdict, given.label, holder.name)
        await asyncio.to_thread(answer)
        days = await asyncio.to_thread(watcher.accuracy.days, 1)
        left = await asyncio.to_thread(waiting, watcher)
        return typed_response(bodies.VerdictAnswer(today=day_of(days[0]) if days else None, waiting=left))

    async def _alarm(self, request: Request) -> Any:
        drift, id = self._watcher().drift, request.path_params["id"]
        known = {one.id: one for one in await asyncio.to_thread(drift.ledger.alarms)} if drift is not None else {}
        if id not in known:
            raise Refused(404, UnknownName("alarm", id[:100], known, hint="GET /v1/watch lists them"))
        return known[id]
