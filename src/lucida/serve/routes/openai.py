"""The addresses of OpenAI, so far as they are about images: embeddings, pictures, edits, chat, one model."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from fastapi import APIRouter, Request, Response

from lucida.errors import InputError, UnknownName
from lucida.generate.order import Order
from lucida.serve import openai_bodies as openai
from lucida.serve.bodies import EmbedRequest, ServedModel
from lucida.serve.drawing import Drawing
from lucida.serve.guard import FIELD
from lucida.serve.keys import ASKING
from lucida.serve.making import maker, with_base64
from lucida.serve.refusal import Refused
from lucida.serve.routes.answering import answering, body_schema
from lucida.serve.routes.health import visible
from lucida.serve.routes.making import one_of, policy_header
from lucida.serve.routes.tasks import REFUSALS, check_fields, dump, json_response, refuse
from lucida.serve.services import SERVICES
from lucida.serve.talking import WISH, answer, hear, image_part, schema_of
from lucida.serve.texts import text_vectors

if TYPE_CHECKING:
    from lucida.models.chat import Said
    from lucida.serve.desk import Desk, Gone
    from lucida.serve.intake import Given
    from lucida.serve.looking import Job

EVENTS: Final = "text/event-stream"
# Tokens, which are not counted.
_NOTHING: Final = {
    "input_tokens": 0, "output_tokens": 0, "total_tokens": 0,
    "input_tokens_details": {"image_tokens": 0, "text_tokens": 0},
}  # fmt: skip
# What looks like an image, or an address of one, is no text.
_NO_TEXT: Final = ("data:", "http:", "https:", "ftp:", "file:")


def add_routes(router: APIRouter, desk: Desk) -> None:
    """Add the addresses of OpenAI."""
    for path, scope, work, request, shown, images, about in (
        ("embeddings", "embed", _embeddings, openai.EmbeddingsRequest, openai.EmbeddingsAnswer, (),
         "As OpenAI's: vectors of images, and of texts where the model has them."),
        ("images/generations", "generate", _generations, openai.ImagesRequest, openai.ImagesAnswer, (),
         "As OpenAI's: pictures from words."),
        ("images/edits", "generate", _edits, openai.ImagesRequest, openai.ImagesAnswer, ("image", "mask"),
         "As OpenAI's: an image is drawn anew where the mask is transparent."),
        ("chat/completions", "chat", _chat, openai.ChatRequest, openai.ChatAnswer, (),
         "As OpenAI's: a talk about images."),
    ):  # fmt: skip
        router.add_api_route(
            f"/v1/{path}",
            answering(desk, scope, partial(work, desk), images[1:]),
            methods=["POST"],
            operation_id=path.replace("/", "_"),
            summary=about,
            response_model=shown,
            responses=REFUSALS,
            openapi_extra=body_schema(request, images, required=images[:1], form=bool(images)),
        )

    @router.get(
        "/v1/models/{name:path}",
        operation_id="model",
        summary="Tell of one model.",
        response_model=ServedModel,
        responses={404: REFUSALS[404]},
    )
    async def model(request: Request, name: str) -> Any:
        shown = visible(desk, request)
        if name not in shown:
            return refuse(request, Refused(404, UnknownName("model", name[:200], shown)))
        return shown[name]


# ---- vectors ---------------------------------------------------------------------------------------------


async def _embeddings(desk: Desk, request: Request, given: Given, gone: Gone) -> Response:
    asked = check_fields(openai.EmbeddingsRequest, given.fields)
    wanted = asked.input if isinstance(asked.input, list) else [asked.input]
    if not 1 <= len(wanted) <= desk.settings.images:
        raise InputError("So many are not embedded at once.", expected=f"1 to {desk.settings.images:,}",
                         got=f"{len(wanted):,}")  # fmt: skip
    jobs, texts = await asyncio.to_thread(_sorted, desk, wanted, asked.model)
    # Images and texts of one request are compared with one another: one model.
    name = asked.model or next((job.served.name for job in jobs.values()), None)
    vectors: dict[int, Any] = {}
    if texts:
        served = desk.text_model(name)
        name = served.name
        jobs = {place: desk.job(SERVICES["embed"], EmbedRequest(model=name), job.sent) for place, job in jobs.items()}
        work = partial(text_vectors, served, list(texts.values()))
        with desk.pool.take() as taken:
            until = asyncio.get_running_loop().time() + desk.settings.deadline
            vectors |= dict(zip(texts, await taken.do(work, until, gone), strict=True))
    request.state.told["model"] = name
    for place, found in zip(jobs, await desk.answers(list(jobs.values()), gone), strict=True):
        if isinstance(found, Exception):
            raise found
        vectors[place] = json.loads(found[0])["vector"]
    data = [
        {"object": "embedding", "index": place, "embedding": _written(vectors[place], asked)}
        for place in range(len(wanted))
    ]
    usage = {"prompt_tokens": 0, "total_tokens": 0}
    return json_response(dump({"object": "list", "model": name, "data": data, "usage": usage}))


def _sorted(desk: Desk, wanted: list[Any], model: str | None) -> tuple[dict[int, Job], dict[int, str]]:
    """Return the images and the texts, by their places."""
    jobs, texts = dict[int, Any](), dict[int, str]()
    asked = EmbedRequest(model=model)
    for place, one in enumerate(wanted):
        part = one if isinstance(one, dict) else {"type": "text", "text": one}
        text = part.get("text") if part.get("type") == "text" else None
        if isinstance(text, str) and not text.lower().startswith(_NO_TEXT) and not _is_id(text):
            if not text.strip():
                raise InputError(f"Input {place} is empty.", expected="an image or a text", got=repr(text[:20]))
            texts[place] = text
            continue
        sent = image_part({"image_url": text} if isinstance(text, str) else part)
        jobs[place] = desk.job(SERVICES["embed"], asked, sent)
    return jobs, texts


def _is_id(text: str) -> bool:
    return len(text) == 64 and set(text) <= set("0123456789abcdef")


def _written(vector: Any, asked: openai.EmbeddingsRequest) -> list[float] | str:
    """Return a vector of length 1, as OpenAI's are, in the form that was asked for."""
    values = np.asarray(vector, np.float32)
    if asked.dimensions is not None and asked.dimensions > len(values):
        raise InputError(
            "The model's vectors are not so long.", expected=f"dimensions of at most {len(values):,}",
            got=f"{asked.dimensions:,}", hint="leave dimensions out",
        )  # fmt: skip
    values = values[: asked.dimensions]
    values = np.asarray(values / max(float(np.linalg.norm(values)), 1e-12), "<f4")
    return base64.b64encode(values.tobytes()).decode() if asked.encoding_format == "base64" else values.tolist()


# ---- pictures --------------------------------------------------------------------------------------------


async def _generations(desk: Desk, request: Request, given: Given, gone: Gone) -> Response:
    return await _pictures(desk, request, given, gone, "image_generation.completed")


async def _edits(desk: Desk, request: Request, given: Given, gone: Gone) -> Response:
    if not given.images:
        raise InputError("There is no image.", expected="an image to edit", got="none", hint="image=open(…)")
    return await _pictures(desk, request, given, gone, "image_edit.completed")


async def _pictures(desk: Desk, request: Request, given: Given, gone: Gone, event: str) -> Response:
    asked = check_fields(openai.ImagesRequest, given.fields)
    sent, mask, size = one_of(given, "image"), one_of(given, "mask"), _size(asked.size)
    served = maker(desk, "generate", asked.model)
    request.state.told["model"] = served.name
    seed = secrets.randbelow(2**31) if asked.seed is None else asked.seed
    order = Order(
        asked.prompt, asked.negative, asked.n or 1, strength=asked.strength, steps=asked.steps,
        guidance=asked.guidance, seed=seed, size=size,
    )  # fmt: skip
    ASKING.get().take(order.n)
    images = {name: one for name, one in (("image", sent), ("mask", mask)) if one is not None}
    made = await Drawing(desk, served, order, images, edits=True).draw(gone)
    drawn = with_base64(made)["images"]
    data = [{"b64_json": one["png"], "seed": one["seed"]} for one in drawn]
    said = {FIELD: made[FIELD]} if FIELD in made else {}
    head = {"size": f"{drawn[0]['width']}x{drawn[0]['height']}", "output_format": "png"}
    now = int(time.time())
    if asked.stream:
        # Models show no picture before it is done: each comes whole.
        more = {"type": event, "created_at": now, "background": "opaque", "quality": "auto", "usage": _NOTHING, **said}
        chunks = [dump({**more, **head, **one}) for one in data]
        stream = b"".join(b"event: " + event.encode() + b"\ndata: " + chunk + b"\n\n" for chunk in chunks)
        return Response(stream, media_type=EVENTS, headers=policy_header(made))
    body = {"created": now, "model": served.name, **head, "data": data, **said}
    return json_response(dump(body), headers=policy_header(made))


def _size(given: str | None) -> tuple[int, int] | None:
    if given in (None, "", "auto"):
        return None
    sides = str(given).lower().split("x")
    if len(sides) != 2 or not all(side.isascii() and side.isdecimal() and 1 <= int(side) <= 16_384 for side in sides):
        raise InputError("This is no size.", expected='"512x512" or "auto"', got=repr(given)[:60])
    return int(sides[0]), int(sides[1])


# ---- chat ------------------------------------------------------------------------------------------------


async def _chat(desk: Desk, request: Request, given: Given, gone: Gone) -> Response:
    asked = check_fields(openai.ChatRequest, given.fields)
    schema = schema_of(asked.response_format)
    heard = await asyncio.to_thread(hear, asked.messages, desk.settings.images)
    served = desk.model_for(SERVICES["ask"], WISH, asked.model, "chat")
    request.state.told["model"] = served.name
    with desk.pool_of(served).take() as place:
        until = asyncio.get_running_loop().time() + desk.settings.deadline
        ASKING.get().take(sum(len(one.images) for one in heard))
        work = partial(answer, served, asked, heard, schema, desk.limits, desk.read)
        said = await place.do(work, until, gone)
    text = said.text if schema is None else json.dumps(said.data, ensure_ascii=False)
    head = {"id": f"chatcmpl-{request.state.request_id}", "created": int(time.time()), "model": served.name}
    if asked.stream:
        counted = bool((asked.stream_options or {}).get("include_usage"))
        return Response(_events(head, text, _usage(said) if counted else None), media_type=EVENTS)
    message = {"role": "assistant", "content": text, "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    return json_response(dump({**head, "object": "chat.completion", "choices": [choice], "usage": _usage(said)}))


def _usage(said: Said) -> dict[str, int]:
    sent, came = said.usage.input_tokens, said.usage.output_tokens
    return {"prompt_tokens": sent, "completion_tokens": came, "total_tokens": sent + came}


def _events(head: dict[str, Any], text: str, usage: dict[str, int] | None) -> bytes:
    """Return an answer as server-sent events: models say all of it at once, so it is one piece."""
    head = {**head, "object": "chat.completion.chunk"}
    pieces: list[tuple[dict[str, str], str | None]] = [({"role": "assistant", "content": text}, None), ({}, "stop")]
    chunks: list[dict[str, Any]] = [
        {**head, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}]}
        for delta, reason in pieces
    ]
    if usage is not None:
        chunks.append({**head, "choices": [], "usage": usage})
    return b"".join(b"data: " + dump(chunk) + b"\n\n" for chunk in chunks) + b"data: [DONE]\n\n"
