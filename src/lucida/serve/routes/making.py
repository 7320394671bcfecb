"""POST /v1/generate, /v1/restore, /v1/search and /v1/screen."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from fastapi import APIRouter, Request, Response

from lucida.errors import InputError
from lucida.restore import Wish
from lucida.serve import made_bodies as made
from lucida.serve.drawing import BEGUN_FROM, Drawing
from lucida.serve.finding import nothing
from lucida.serve.guard import FIELD, HEADER
from lucida.serve.keys import ASKING
from lucida.serve.making import made_by, maker, with_base64
from lucida.serve.restoring import restore
from lucida.serve.routes.answering import answering, body_schema
from lucida.serve.routes.tasks import REFUSALS, check_fields, dump, json_response

if TYPE_CHECKING:
    from lucida.serve.desk import Desk, Gone
    from lucida.serve.intake import Given, Sent
    from lucida.serve.served import Served

PNG: Final = "image/png"
# How a picture comes back is said in the answers of OpenAPI as well.
_PICTURE: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {PNG: {}}, "description": "JSON, or the PNG file where the request accepts image/png alone."}
}


def add_routes(router: APIRouter, desk: Desk) -> None:
    """Add the addresses that make pictures, search and screen."""
    for name, work, request, answer, images, required, about in (
        ("generate", _generate, made.GenerateRequest, made.GenerateAnswer, ("image", *BEGUN_FROM), (),
         "Draw pictures from words, an image, under a mask, or along a sketch."),
        ("restore", _restore, made.RestoreRequest, made.RestoreAnswer, ("image", "mask"), ("image",),
         "Enlarge an image, take out noise, fill what a mask covers."),
        ("search", _search, made.SearchRequest, made.SearchAnswer, ("image", "like", "unlike"), (),
         "Find images of the catalog by words, by images, or both."),
        ("screen", _screen, made.ScreenRequest, made.ScreenAnswer, ("image",), ("image",),
         "Say what the policy of the server says of an image."),
    ):  # fmt: skip
        router.add_api_route(
            f"/v1/{name}",
            answering(desk, name, partial(work, desk), images[1:]),
            methods=["POST"],
            operation_id=name,
            summary=about,
            response_model=answer,
            responses={**REFUSALS, **(_PICTURE if name in ("generate", "restore") else {})},
            openapi_extra=body_schema(request, images, required=required),
        )


def one_of(given: Given, name: str) -> Sent | None:
    """Return the only image of a field, None where there is none.

    Raises:
        InputError: There are several, or it is none.
    """
    found = given.all(name)
    if len(found) > 1:
        raise InputError(f"There is more than one {name}.", expected="one", got=f"{len(found):,}", hint="send one")
    return found[0] if found else None


async def _generate(desk: Desk, request: Request, given: Given, gone: Gone) -> Response:
    asked = check_fields(made.GenerateRequest, given.fields)
    sent = {name: one for name in ("image", *BEGUN_FROM) if (one := one_of(given, name)) is not None}
    if not asked.prompt.strip() and not sent and asked.model is None:
        raise InputError("Nothing is asked for.", expected="a prompt", got="none", hint='"prompt": "a red truck"')
    alone = _as_file(request)
    if alone and asked.n != 1:
        raise InputError(
            "Several pictures are no PNG file.", expected="n of 1", got=f"{asked.n}", hint="accept: application/json"
        )
    served = maker(desk, "generate", asked.model)
    request.state.told["model"] = served.name
    ASKING.get().take(asked.n)
    body = await Drawing.of(desk, served, asked, sent).draw(gone)
    said = policy_header(body)
    if alone:
        (one,) = body["images"]
        more = {"x-image": one["id"], "x-seed": str(one["seed"])}
        return Response(one["png"], media_type=PNG, headers={**more, **said})
    return _answer("generate", served, with_base64(body), said)


async def _restore(desk: Desk, request: Request, given: Given, gone: Gone) -> Response:
    asked = check_fields(made.RestoreRequest, given.fields)
    sent, mask = given.image(), one_of(given, "mask")
    if asked.upscale == 1 and asked.denoise is None and mask is None and asked.model is None:
        raise InputError(
            "Nothing is to be done.", expected="upscale, denoise or a mask", got="none of them", hint='"upscale": 2'
        )
    served = maker(desk, "restore", asked.model)
    request.state.told["model"] = served.name
    wish = Wish(asked.upscale, asked.denoise)
    ASKING.get().take(1)
    body = await desk.bench.do("making", lambda step: restore(desk, served, wish, sent, mask, step), gone)
    if _as_file(request):
        return Response(body["png"], media_type=PNG)
    return _answer("restore", served, with_base64(body))


async def _search(desk: Desk, request: Request, given: Given, gone: Gone) -> Response:
    asked = check_fields(made.SearchRequest, given.fields)
    images = {name: given.all(name) for name in ("image", "like", "unlike")}
    if sum(map(len, images.values())) > desk.settings.images:
        raise InputError("These are too many images.", expected=f"at most {desk.settings.images:,}", got="more")
    served = desk.finder.searching(asked.model)
    request.state.told["model"] = served.name
    ASKING.get().take(sum(map(len, images.values())))
    body = await desk.bench.do("searching", lambda _: desk.finder.search(served, asked, images), gone)
    return json_response(dump({"task": "search", "model": served.name, **body}))


async def _screen(desk: Desk, request: Request, given: Given, gone: Gone) -> Response:
    check_fields(made.ScreenRequest, given.fields)
    sent = given.image()
    if desk.finder.policy is None or not desk.finder.policy.rules:
        raise nothing("screen", "policy", "--policy FILE.yaml")
    request.state.told["model"] = desk.finder.policy.name
    ASKING.get().take(1)
    body = await desk.bench.do("screening", lambda _: desk.finder.screen(sent), gone)
    return json_response(dump({"task": "screen", **body}))


def policy_header(body: dict[str, Any]) -> dict[str, str]:
    """Return the header that says what the policy said of what is answered; none where there is no policy."""
    return {HEADER: body[FIELD]["verdict"]} if FIELD in body else {}


def _answer(task: str, served: Served, body: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    return json_response(dump({"task": task, **made_by(served), **body}), headers=headers)


def _as_file(request: Request) -> bool:
    accepted = request.headers.get("accept", "")
    return PNG in accepted and "application/json" not in accepted and "*/*" not in accepted
