"""GET /v1/models, /healthz and /readyz."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Response

from lucida.serve.bodies import HealthAnswer, ModelsAnswer, ServedModel

if TYPE_CHECKING:
    from lucida.serve.desk import Desk
    from lucida.serve.served import Served

SHOWN = 10_000  # classes of one model that are listed


def add_routes(router: APIRouter, desk: Desk) -> None:
    """Add the addresses that say how the server is."""

    @router.get("/v1/models", operation_id="models", summary="List the models that are served.")
    async def models() -> ModelsAnswer:
        return ModelsAnswer(data=[described(one) for one in desk.shelf.models.values()])

    @router.get("/healthz", operation_id="healthz", summary="Say that the process lives.")
    async def healthz() -> HealthAnswer:
        return HealthAnswer(status="alive")

    @router.get(
        "/readyz",
        operation_id="readyz",
        summary="Say whether requests are served: 503 while models are loaded, and as soon as the server is to stop.",
        responses={503: {"model": HealthAnswer, "description": "Requests are not served now."}},
    )
    async def readyz(response: Response) -> HealthAnswer:
        response.status_code = 200 if desk.state == "ready" else 503
        return HealthAnswer(status=desk.state)


def described(one: Served) -> ServedModel:
    """Return what is told of a model."""
    spec = one.spec
    return ServedModel(
        id=one.name,
        created=one.since,
        owned_by=spec.family,
        tasks=[*(service.name for service in one.services), *one.makes],
        classes=list(spec.gives.classes[:SHOWN]),
        words=spec.match is not None or spec.look_for is not None,
        revision=spec.revision,
        licence=spec.licence,
        note=spec.note,
    )
