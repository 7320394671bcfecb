"""POST /v1/jobs and what is asked about one: how it stands, what came of it, that it end."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from lucida.errors import InputError, ModelError
from lucida.serve.bodies import ErrorAnswer
from lucida.serve.jobs import bodies
from lucida.serve.jobs.rows import Entry
from lucida.serve.jobs.steps import OPEN
from lucida.serve.jobs.wanted import IMAGES
from lucida.serve.keys import ASKING, Holder
from lucida.serve.refusal import Refused, error_json
from lucida.serve.routes.answering import body_schema
from lucida.serve.routes.tasks import REFUSALS, dump, json_response, refuse

if TYPE_CHECKING:
    from lucida.serve.desk import Desk
    from lucida.serve.jobs.jobs import Jobs

SCOPE: Final = "jobs"
EVENTS, LINES = "text/event-stream", "application/x-ndjson"
LISTENERS: Final = 64  # that are told of jobs as they go on, at most
OFTEN, QUIET = 0.2, 15.0  # seconds between events, at least and at most
PAGE: Final = 100  # jobs that are listed at a time
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")
_PARAMETERS: Final[dict[str, dict[str, Any]]] = {
    "id": {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}},
    "before": {"name": "before", "in": "query", "schema": {"type": "string"}, "description": "`next` of a list."},
    "forget": {"name": "forget", "in": "query", "schema": {"type": "boolean"}},
    "partial": {"name": "partial", "in": "query", "schema": {"type": "boolean"}},
    "key": {
        "name": "Idempotency-Key", "in": "header", "schema": {"type": "string", "maxLength": 255},
        "description": "Any text, new for each job: the same request sent again with it is the same job.",
    },
}  # fmt: skip
_NAMES: Final = {"": "jobs", "/{id}/result": "job_result", "/{id}/events": "job_events"}
Serve = Callable[[Request], Awaitable[Response]]


def add_routes(router: APIRouter, desk: Desk, jobs: Jobs) -> None:
    """Add the addresses of jobs."""
    on = _Addresses(desk, jobs)
    few: dict[int | str, dict[str, Any]] = {status: REFUSALS[status] for status in (401, 403, 404, 429, 503)}
    body = body_schema(bodies.JobRequest, ("image", *IMAGES))
    stream = {"content": {EVENTS: {}}, "description": "Events `progress`, then `end`."}
    for method, path, work, answer, parameters, responses, about in (
        ("POST", "", on.accept, bodies.JobAnswer, ("key",), REFUSALS,
         "Have a task done of many images, or many pictures drawn; answers at once."),
        ("GET", "", on.all, bodies.JobsAnswer, ("before",), few, "List jobs of yours, the latest first."),
        ("GET", "/{id}", on.get, bodies.JobAnswer, ("id",), few, "Say how a job stands."),
        ("DELETE", "/{id}", on.cancel, bodies.JobAnswer, ("id", "forget"), few,
         "End a job; with ?forget=true nothing of it is kept."),
        ("GET", "/{id}/result", on.result, bodies.ResultAnswer, ("id", "partial"),
         {**few, 409: {"model": ErrorAnswer, "description": "The job is not over."}},
         "Give what came of a job that is over; of any with ?partial=true."),
        ("GET", "/{id}/events", on.events, None, ("id",), {**few, 200: stream},
         "Tell of a job as it goes on, as server-sent events."),
    ):  # fmt: skip
        router.add_api_route(
            f"/v1/jobs{path}",
            _safe(work),
            methods=[method],
            status_code=202 if method == "POST" else 200,
            operation_id=f"{method.lower()}_{_NAMES.get(path, 'job')}",
            summary=about,
            response_model=answer,
            responses=responses,
            openapi_extra={
                **(body if method == "POST" else {}),
                "parameters": [_PARAMETERS[name] for name in parameters],
            },
        )


def _safe(work: Serve) -> Serve:
    async def serve(request: Request) -> Response:
        request.state.told["service"] = SCOPE
        try:
            return await work(request)
        except Exception as error:
            return refuse(request, error)

    return serve


class _Addresses:
    def __init__(self, desk: Desk, jobs: Jobs) -> None:
        self._desk, self._jobs, self._listening = desk, jobs, 0

    async def accept(self, request: Request) -> Response:
        key = _key(request)
        with self._asking(request) as holder:
            if self._desk.state != "ready":
                raise Refused(
                    503,
                    ModelError("The server takes no jobs now.", expected="a server that is ready",
                               got=self._desk.state, hint="come again in 5 s; GET /readyz tells"),
                    retry=5,
                )  # fmt: skip
            async with self._desk.intake.take(request, IMAGES) as given:
                entry, known = await self._jobs.accept(given, holder.name, key)
        request.state.told["model"] = entry.model
        more = {"location": f"/v1/jobs/{entry.id}", **({"idempotent-replayed": "true"} if known else {})}
        return json_response(dump(self._jobs.told(entry)), 202, more)

    async def get(self, request: Request) -> Response:
        with self._asking(request) as holder:
            return json_response(dump(self._jobs.told(await self._jobs.get(_id(request), holder.name))))

    async def all(self, request: Request) -> Response:
        with self._asking(request) as holder:
            found = await self._jobs.all(holder.name, PAGE + 1, request.query_params.get("before", "")[:100])
        shown = [self._jobs.told(entry) for entry in found[:PAGE]]
        return json_response(dump({"data": shown, "next": shown[-1]["id"] if len(found) > PAGE else None}))

    async def cancel(self, request: Request) -> Response:
        with self._asking(request) as holder:
            forget = _switch(request, "forget")
            entry = await self._jobs.cancel(_id(request), holder.name, forget=forget)
        return json_response(dump(self._jobs.told(entry)))

    async def result(self, request: Request) -> Response:
        with self._asking(request) as holder:
            entry = await self._jobs.get(_id(request), holder.name)
        if entry.state in OPEN and not _switch(request, "partial"):
            raise Refused(
                409,
                InputError(
                    "The job is not over.",
                    expected="a job that is done, failed or cancelled",
                    got=f"{entry.done + entry.failed:,} of {entry.total:,} items",
                    hint=f"GET /v1/jobs/{entry.id}/events tells when it is; ?partial=true gives what there is",
                ),
                retry=2,
            )
        if LINES in request.headers.get("accept", ""):
            return StreamingResponse(self._lines(entry), media_type=LINES)
        return StreamingResponse(self._whole(entry), media_type="application/json")

    async def events(self, request: Request) -> Response:
        with self._asking(request) as holder:
            if self._listening >= LISTENERS:
                raise Refused(
                    429,
                    ModelError("Too many listen already.", expected=f"at most {LISTENERS}", got="more",
                               hint="GET /v1/jobs/ID now and then"),
                    retry=5,
                )  # fmt: skip
            entry = await self._jobs.get(_id(request), holder.name)
        return StreamingResponse(self._stream(entry, holder.name), media_type=EVENTS)

    # ---- streams -----------------------------------------------------------------------------------------

    async def _answers(self, entry: Entry) -> AsyncIterator[bytes]:
        ended = InputError("The job ended before this item.", expected="an answer", got=entry.state,
                           hint="send it in a job of its own")  # fmt: skip
        none = b"null" if entry.state in OPEN else dump({"error": error_json(ended)})
        first = 0
        while found := await self._jobs.answers(entry, first):
            for answer in found:
                yield none if answer is None else answer
            first += len(found)

    async def _whole(self, entry: Entry) -> AsyncIterator[bytes]:
        yield dump({"id": entry.id, "state": entry.state})[:-1] + b', "results": ['
        between = b""
        async for answer in self._answers(entry):
            yield between + answer
            between = b","
        yield b"]}"

    async def _lines(self, entry: Entry) -> AsyncIterator[bytes]:
        async for answer in self._answers(entry):
            yield answer + b"\n"

    async def _stream(self, entry: Entry, holder: str) -> AsyncIterator[bytes]:
        self._listening += 1
        try:
            sent, quiet = b"", 0.0
            yield b"retry: 2000\n\n"
            while entry.state in OPEN and self._desk.state == "ready":
                changed = self._jobs.changes(entry.id)
                entry = await self._jobs.get(entry.id, holder)
                told = dump(self._jobs.told(entry))
                if told != sent or quiet >= QUIET:
                    yield b"event: progress\ndata: " + told + b"\n\n"
                    sent, quiet = told, 0.0
                with suppress(TimeoutError):
                    await asyncio.wait_for(changed.wait(), 1.0)
                await asyncio.sleep(OFTEN)
                quiet += 1.0
            if entry.state not in OPEN:
                yield b"event: end\ndata: " + dump(self._jobs.told(entry)) + b"\n\n"
        except Refused:
            # It was forgotten meanwhile.
            yield b"event: end\ndata: " + json.dumps({"id": entry.id, "state": "forgotten"}).encode() + b"\n\n"
        finally:
            self._listening -= 1

    @contextmanager
    def _asking(self, request: Request) -> Iterator[Holder]:
        """Say who asks; a job needs no place, so that it is taken and told of when there is none."""
        holder = self._desk.keys.admit(request.headers.get("authorization", ""), SCOPE)
        request.state.told["holder"] = holder.name
        asking = ASKING.set(holder)
        try:
            yield holder
        finally:
            ASKING.reset(asking)


def _id(request: Request) -> str:
    return str(request.path_params["id"])


def _switch(request: Request, name: str) -> bool:
    return request.query_params.get(name, "").lower() in ("true", "1", "yes")


def _key(request: Request) -> str:
    key = request.headers.get("idempotency-key", "")
    if key and not _KEY.fullmatch(key):
        raise InputError(
            "This is no Idempotency-Key.",
            expected="1 to 255 letters, digits and signs, without spaces",
            got=f"{len(key):,} characters",
            hint="a UUID",
        )
    return key
