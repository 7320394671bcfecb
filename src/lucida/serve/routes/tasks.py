"""POST /v1/classify and its kin, and POST /v1/batch."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ValidationError

from lucida.errors import InputError, LucidaError, UnknownName
from lucida.serve import bodies
from lucida.serve.refusal import body_of, refusal_of
from lucida.serve.services import SERVICES, Service

if TYPE_CHECKING:
    from lucida.serve.desk import Desk, Gone
    from lucida.serve.intake import Given
    from lucida.serve.looking import Job

USER: Final = "x-user"  # whom a request is for, where its fields do not say it
_log = logging.getLogger("lucida.serve")
REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": bodies.ErrorAnswer, "description": why}
    for status, why in (
        (401, "This server needs a key that is known."),
        (403, "The request comes from a page of another origin, or the key is not for this."),
        (404, "No such model or image."),
        (408, "The request did not come in time."),
        (413, "The request is too large."),
        (415, "This kind of request is not read."),
        (421, "The server is called by a strange name."),
        (422, "The image or a field is not what it must be, or the model cannot do this."),
        (429, "The server is at its limit; Retry-After says when to come again."),
        (501, "The model needs a package that is not installed."),
        (503, "The server is not ready, or the model failed."),
        (504, "The model did not answer in time."),
    )
}


def refuse(request: Request, error: Exception) -> Response:
    """Return the answer to a request that failed."""
    refused = refusal_of(error)
    id = request.state.request_id
    request.state.told["errors"] = (refused.kind,)
    # What is well after a while, such as a server that still loads, would only fill the log.
    if refused.status >= 500 and refused.retry is None:
        _log.error("request %s: %s", id, refused.said, exc_info=error if refused.status == 500 else None)
    return json_response(dump(body_of(refused.error, id)), refused.status, refused.headers)


def json_response(body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return an answer whose JSON is written already."""
    return Response(body, status, headers, "application/json")


def typed_response(body: BaseModel) -> Response:
    """Return an answer that has a type."""
    return json_response(body.model_dump_json().encode())


def dump(value: Any) -> bytes:
    """Return plain values as JSON."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False).encode()


def check_fields(kind: type[BaseModel], fields: dict[str, Any]) -> Any:
    """Return fields as they are asked for.

    Raises:
        InputError: One is missing, strange, or not what it must be.
    """
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"]) or "request"
        if first["type"] == "extra_forbidden":
            raise UnknownName("field", name[:100], ["image", *kind.model_fields]) from error
        if first["type"] == "missing":
            raise InputError(
                f"The field {name!r} is missing.", expected=f"a value of {name!r}", got="none", hint=f"-F {name}=…"
            ) from error
        raise InputError(
            f"The field {name[:100]!r} is not what it must be.",
            expected=first["msg"],
            got=repr(first["input"])[:200],
            hint="GET /docs shows all fields",
        ) from error


@asynccontextmanager
async def watched(request: Request) -> AsyncIterator[Gone]:
    """Give a future that is done once the client is gone; for after its body was read."""

    async def watch() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    gone = asyncio.ensure_future(watch())
    try:
        yield gone
    finally:
        gone.cancel()


def add_routes(router: APIRouter, desk: Desk) -> None:
    """Add the addresses of all tasks."""
    for service in SERVICES.values():
        router.add_api_route(
            f"/v1/{service.name}",
            _one(desk, service),
            methods=["POST"],
            operation_id=service.name,
            summary=service.about,
            response_model=service.answer,
            response_model_exclude_unset=True,
            responses=REFUSALS,
            openapi_extra=_body_schema(service.request),
        )
    router.add_api_route(
        "/v1/batch",
        _batch(desk),
        methods=["POST"],
        operation_id="batch",
        summary="Ask the same of several images; what is wrong with one stands in its place.",
        response_model=bodies.BatchAnswer,
        responses=REFUSALS,
        openapi_extra=_body_schema(bodies.BatchRequest, several=True),
    )


def _one(desk: Desk, service: Service) -> Callable[[Request], Awaitable[Response]]:
    async def serve(request: Request) -> Response:
        told = request.state.told
        told["service"] = service.name
        try:
            with desk.taken(request.headers.get("authorization", ""), service.name) as holder:
                told["holder"] = holder.name
                async with desk.intake.take(request) as given:
                    job = _job(desk, service, request, given)
                    told["model"] = job.served.name
                    async with watched(request) as gone:
                        body, kept = await desk.answer(job, gone, fresh=_fresh(request))
                    told["model"] = job.trip.model if job.trip is not None else job.served.name
            told["cached" if kept else "looked"] = 1
            return json_response(body, headers={"x-cache": "hit" if kept else "miss"})
        except Exception as error:
            return refuse(request, error)

    return serve


def _job(desk: Desk, service: Service, request: Request, given: Given) -> Job:
    asked = check_fields(service.request, given.fields)
    return desk.job(service, asked, given.image(), request.headers.get(USER, ""))


def _fresh(request: Request) -> bool:
    return "no-cache" in request.headers.get("cache-control", "")


def _batch(desk: Desk) -> Callable[[Request], Awaitable[Response]]:
    async def serve(request: Request) -> Response:
        told = request.state.told
        told["service"] = "batch"
        try:
            with desk.taken(request.headers.get("authorization", ""), "batch") as holder:
                told["holder"] = holder.name
                async with desk.intake.take(request) as given:
                    jobs = _jobs(desk, given, request.headers.get(USER, ""))
                    told["model"] = next((job.served.name for job in jobs if not isinstance(job, LucidaError)), "")
                    async with watched(request) as gone:
                        found = await desk.answers(jobs, gone, fresh=_fresh(request))
            answered = [one for one in found if not isinstance(one, Exception)]
            told["cached"] = sum(kept for _, kept in answered)
            told["looked"] = len(answered) - told["cached"]
            told["errors"] = tuple(refusal_of(one).kind for one in found if isinstance(one, Exception))
            parts = [_in_place(one) if isinstance(one, Exception) else one[0] for one in found]
            return json_response(b'{"results":[' + b",".join(parts) + b"]}")
        except Exception as error:
            return refuse(request, error)

    return serve


def _in_place(error: Exception) -> bytes:
    return dump({"error": body_of(refusal_of(error).error, "")["error"]})


def _jobs(desk: Desk, given: Given, user: str) -> list[Job | LucidaError]:
    if not 1 <= len(given.images) <= desk.settings.images:
        raise InputError(
            "These are no images for a batch.",
            expected=f"1 to {desk.settings.images:,} images",
            got=f"{len(given.images):,}",
            hint='-F image=@a.jpg -F image=@b.jpg, or "images": [ … ]',
        )
    fields = dict(given.fields)
    service = _service(desk, fields.pop("task", None), fields.get("model"))
    asked = check_fields(service.request, fields)
    return [one if isinstance(one, InputError) else desk.job(service, asked, one, user) for one in given.images]


def _service(desk: Desk, task: Any, model: Any) -> Service:
    """Return the service that is named, or what the model, else the first one, is for."""
    if task is not None:
        if not isinstance(task, str) or task not in SERVICES:
            raise UnknownName("task", str(task)[:100], SERVICES)
        return SERVICES[task]
    if isinstance(model, str) and (route := desk.router.routes.get(model)) is not None:
        return SERVICES[route.services[0]]
    served = desk.shelf.models.get(model) if isinstance(model, str) else None
    able = [one for one in (served, *desk.shelf.models.values()) if one is not None and one.services]
    if not able:
        raise UnknownName("task of the served models", "batch", [], hint="none of them looks at images; see /v1/models")
    return able[0].services[0]


def _body_schema(kind: type[bodies.Ask], *, several: bool = False) -> dict[str, Any]:
    schema = kind.model_json_schema()
    own, required = schema.get("properties", {}), schema.get("required", [])

    def one(image: dict[str, Any], name: str) -> dict[str, Any]:
        shown: dict[str, Any] = {"type": "array", "items": image, "minItems": 1} if several else image
        shown = {**shown, "description": bodies.IMAGE}
        return {
            "schema": {
                "type": "object",
                "properties": {name: shown, **own},
                "required": [name, *required],
                "additionalProperties": False,
            }
        }

    return {
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": one({"type": "string", "format": "binary"}, "image"),
                "application/json": one({"type": "string"}, "images" if several else "image"),
            },
        }
    }
