"""What every address does around its own work: a place, the body, who waits, and refusals."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import TYPE_CHECKING, Any

from fastapi import Request, Response

from lucida.serve import bodies
from lucida.serve.intake import FORM, JSON
from lucida.serve.routes.tasks import refuse, watched

if TYPE_CHECKING:
    from pydantic import BaseModel

    from lucida.serve.desk import Desk, Gone
    from lucida.serve.intake import Given

    Work = Callable[[Request, Given, Gone], Awaitable[Response]]


def answering(
    desk: Desk, scope: str, work: Work, more: Collection[str] = ()
) -> Callable[[Request], Awaitable[Response]]:
    """Return what answers requests of an address.

    Args:
        desk: What is served.
        scope: What is asked for, as keys and counts call it.
        work: Answers one request; what it raises is a refusal.
        more: Names of fields beside "image" that hold images.
    """

    async def serve(request: Request) -> Response:
        told = request.state.told
        told["service"] = scope
        try:
            with desk.taken(request.headers.get("authorization", ""), scope) as holder:
                told["holder"] = holder.name
                async with desk.intake.take(request, more) as given, watched(request) as gone:
                    return await work(request, given, gone)
        except Exception as error:
            return refuse(request, error)

    return serve


def body_schema(
    kind: type[BaseModel], images: Collection[str] = (), *, required: Collection[str] = (), form: bool = True
) -> dict[str, Any]:
    """Return what OpenAPI says of a request's body.

    Args:
        kind: Its fields.
        images: Fields that hold images.
        required: Those of them that must be there.
        form: Whether it may come as a form; False for JSON alone.
    """
    schema = kind.model_json_schema()

    def one(image: dict[str, Any]) -> dict[str, Any]:
        shown = {name: {**image, "description": bodies.IMAGE} for name in images}
        return {
            "schema": {
                "type": "object",
                "properties": {**shown, **schema.get("properties", {})},
                "required": [*required, *schema.get("required", [])],
            }
        }

    content = {JSON: one({"type": "string"})}
    if form:
        content = {FORM: one({"type": "string", "format": "binary"}), **content}
    return {"requestBody": {"required": True, "content": content}}
