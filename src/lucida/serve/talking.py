"""From the messages of a chat to what a model is asked, and what it says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lucida.errors import InputError, ModelError
from lucida.images import decode, probe
from lucida.models.chat import Said, Talk, Turn
from lucida.models.json_schema import check_schema
from lucida.runs.seeing import Wish
from lucida.serve.intake import Sent, image_of

if TYPE_CHECKING:
    from lucida.images import Limits
    from lucida.serve.openai_bodies import ChatRequest
    from lucida.serve.served import Served

WISH: Final = Wish("answer", questions=("?",))  # what the model must be able to do; the talk itself comes later
RULES: Final = ("system", "developer")
SIDES: Final = ("user", "assistant")
LONGEST: Final = 4096  # tokens of an answer, at most


@dataclass(frozen=True)
class Heard:
    """One message.

    Attributes:
        role: "rules", "user" or "assistant".
        text: All its words.
        images: That came with it.
    """

    role: str
    text: str
    images: tuple[Sent, ...] = ()


def hear(messages: Sequence[dict[str, Any]], most: int) -> list[Heard]:
    """Return what was said, in order.

    Args:
        messages: As a client of OpenAI sends them.
        most: Images, at most.

    Raises:
        InputError: A message is none, an image is none, or the last word is not the user's.
    """
    heard = [_hear(place, message) for place, message in enumerate(messages)]
    if heard[-1].role != "user" or not (heard[-1].text.strip() or heard[-1].images):
        raise _wrong("The last message asks nothing.", 'a message of role "user" with text or an image', heard[-1].role)
    if (count := sum(len(one.images) for one in heard)) > most:
        raise _wrong("There are too many images in this talk.", f"at most {most:,}", f"{count:,}")
    return heard


def _hear(place: int, message: dict[str, Any]) -> Heard:
    role, content = message.get("role"), message.get("content")
    if not isinstance(role, str) or role not in (*RULES, *SIDES):
        raise _wrong(f"Message {place} is by nobody known.", " or ".join((*RULES, *SIDES)), repr(role)[:100])
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
    if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
        raise _wrong(f"Message {place} has no content.", "text, or a list of parts", type(content).__name__)
    found = [_part(part, place) for part in parts]
    images = tuple(one for one in found if isinstance(one, Sent))
    if images and role != "user":
        raise _wrong(f"Message {place} has images.", "images of the user alone", f"images by {role!r}")
    said = "\n".join(one for one in found if isinstance(one, str))
    return Heard("rules" if role in RULES else role, said, images)


def _part(part: dict[str, Any], place: int) -> str | Sent:
    kind = part.get("type")
    if kind == "text" and isinstance(part.get("text"), str):
        return str(part["text"])
    if kind != "image_url":
        raise _wrong(
            f"A part of message {place} is not understood.",
            '{"type": "text", "text": …} or {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,…"}}',
            repr(kind)[:100],
        )
    return image_part(part)


def image_part(part: dict[str, Any]) -> Sent:
    """Return the image of a part of a message.

    Raises:
        InputError: It is none; an address is never fetched.
    """
    url = part.get("image_url")
    found = image_of(url.get("url") if isinstance(url, dict) else url)
    if isinstance(found, InputError):
        raise found
    return found


def schema_of(wanted: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return the JSON schema that an answer must follow; None for free text.

    Raises:
        InputError: It is none.
    """
    kind = (wanted or {}).get("type", "text")
    if kind == "text":
        return None
    inner = (wanted or {}).get("json_schema")
    schema = inner.get("schema") if kind == "json_schema" and isinstance(inner, dict) else None
    if not isinstance(schema, dict):
        raise _wrong(
            "This form of an answer is not known.",
            '{"type": "json_schema", "json_schema": {"schema": {…}}} or {"type": "text"}',
            repr(kind)[:100],
        )
    check_schema(schema)
    return schema


def answer(
    served: Served,
    asked: ChatRequest,
    heard: Sequence[Heard],
    schema: dict[str, Any] | None,
    limits: Limits,
    read: Callable[[str], bytes],
) -> Said:
    """Have a model say what comes next, in a thread that works.

    Args:
        served: The model.
        asked: The request.
        heard: What was said.
        schema: Of the answer; None for free text.
        limits: Bounds on images.
        read: Returns the bytes of an image of the catalog.

    Raises:
        LucidaError: An image is none, or the model says nothing.
    """
    turns = []
    for one in heard:
        if one.role == "rules":
            continue
        files = tuple(sent.data if sent.data is not None else read(sent.id) for sent in one.images)
        for data in files:
            probe(data, limits)
            served.spec.needs.check_image(decode(data, limits=limits))
        turns.append(Turn(one.text, files, "user" if one.role == "user" else "assistant"))
    rules = "\n".join(one.text for one in heard if one.role == "rules")
    longest = min(LONGEST, asked.max_completion_tokens or asked.max_tokens or Talk.longest)
    said = served.seer(WISH).say(Talk(tuple(turns), rules, schema, longest=longest))
    if said.problem:
        raise ModelError(
            f"{served.name} gave no answer.",
            expected="an answer",
            got=said.problem,
            hint="ask again, in another way, or another model",
        )
    return said


def _wrong(what: str, expected: str, got: str) -> InputError:
    return InputError(what, expected=expected, got=got, hint="docs/serving.md shows what is understood")
