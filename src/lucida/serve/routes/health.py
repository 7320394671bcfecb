"""GET /v1/models, /healthz and /readyz."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response

from lucida.serve.bodies import HealthAnswer, ModelsAnswer, ServedModel
from lucida.serve.making import restorer_sets
from lucida.serve.refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from lucida.serve.desk import Desk
    from lucida.serve.keys import Holder
    from lucida.serve.routing.route import Route
    from lucida.serve.served import Served

SHOWN = 10_000  # classes of one model that are listed


def add_routes(router: APIRouter, desk: Desk) -> None:
    """Add the addresses that say how the server is."""

    @router.get("/v1/models", operation_id="models", summary="List the models that whoever asks may ask.")
    async def models(request: Request) -> ModelsAnswer:
        return ModelsAnswer(data=list(visible(desk, request).values()))

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


def visible(desk: Desk, request: Request) -> dict[str, ServedModel]:
    """Return what is told of the models that whoever sent a request may ask, by name, with the tasks that it may.

    The sets of restorers that the package has are among them, where something is served that restores.
    """
    holder = desk.keys.know(request.headers.get("authorization", ""), request.client.host if request.client else "")
    sets = restorer_sets(desk)
    found = {}
    for one in {**sets, **desk.shelf.models}.values():
        restores = ["restore"] if one.name in sets and "restore" not in one.makes else []
        tasks = [*(service.name for service in one.services), *one.makes, *restores]
        allowed = [task for task in tasks if _may(holder, task, one.name)]
        if allowed or any(_may(holder, more, one.name) for more in _more(tasks)):
            found[one.name] = described(one, allowed)
    for name, route in desk.router.routes.items():
        if allowed := [task for task in route.services if _may(holder, task, name)]:
            found[name] = _described_route(route, desk, allowed)
    first = [name for name in desk.shelf.models if name in found]
    return {name: found[name] for name in dict.fromkeys([*first, *found])}


def _more(tasks: Collection[str]) -> list[str]:
    """Return scopes of a key that let it ask a model in other ways than by the addresses of these tasks."""
    return [scope for scope, task in (("chat", "ask"), ("search", "embed")) if task in tasks]


def _may(holder: Holder, scope: str, model: str) -> bool:
    try:
        holder.check(scope, model)
    except Refused:
        return False
    return True


def _described_route(route: Route, desk: Desk, tasks: Sequence[str]) -> ServedModel:
    """Return what is told of a route: what its first model knows."""
    plan, models = route.plan, desk.shelf.models
    asked = [name for name in dict.fromkeys((*plan.arms, *plan.fallbacks)) if name in models]
    specs = [models[name].spec for name in asked]
    return ServedModel(
        id=plan.name,
        created=int(route.since),
        owned_by="route",
        tasks=list(tasks),
        classes=list(specs[0].gives.classes[:SHOWN]) if specs else [],
        words=bool(specs) and all(spec.match is not None or spec.look_for is not None for spec in specs),
        revision="",
        licence="; ".join(dict.fromkeys(spec.licence for spec in specs)),
        note="",
        route=asked,
    )


def described(one: Served, tasks: Sequence[str]) -> ServedModel:
    """Return what is told of a model.

    Args:
        one: The model.
        tasks: What of all that it can is told.
    """
    spec = one.spec
    return ServedModel(
        id=one.name,
        created=one.since,
        owned_by=spec.family,
        tasks=list(tasks),
        classes=list(spec.gives.classes[:SHOWN]),
        words=spec.match is not None or spec.look_for is not None,
        revision=spec.revision,
        licence=spec.licence,
        note=spec.note,
    )
