"""What comes in: the body of a request, read within its limits, and the images and fields in it.

Nothing here decodes an image. A body is counted as it comes, whatever its header promised; a client that sends too
slowly is left; all bodies together are bounded, so that many large ones cannot fill the memory.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import re
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from python_multipart.multipart import parse_options_header

from lucida.errors import InputError, ModelError
from lucida.images import content_id
from lucida.serve.multipart import read_multipart
from lucida.serve.refusal import CLIENT_GONE, Refused

if TYPE_CHECKING:
    from starlette.requests import Request

    from lucida.serve.config import Settings

JSON, FORM = "application/json", "multipart/form-data"
SMALL: Final = 2**20  # bytes that are read in the event loop; more are read in a thread
LONGEST: Final = 300  # characters before the data of a data URL
WORDS: Final = ("question", "prompt", "query")  # fields in which people say what they want
_ID: Final = re.compile(r"[0-9a-f]{64}")
_DATA: Final = re.compile(r"data:[\w.+/-]*(;[\w=.+-]+)*;base64,", re.ASCII)
_HOW: Final = "curl -F image=@x.jpg, a data URL, or the content id of a catalog's image"


@dataclass(frozen=True)
class Sent:
    """An image that was sent, or named.

    Attributes:
        id: Content id.
        data: The encoded file; None where it was named by its id.
    """

    id: str
    data: bytes | None = None


@dataclass
class Given:
    """What came with a request.

    Attributes:
        images: In order; what is wrong with one stands in its place.
        fields: Everything else, as it was given.
        more: Images in fields of other names.
    """

    images: list[Sent | InputError] = field(default_factory=list)
    fields: dict[str, Any] = field(default_factory=dict)
    more: dict[str, list[Sent | InputError]] = field(default_factory=dict)

    def all(self, name: str = "image") -> tuple[Sent, ...]:
        """Return all images of a field.

        Raises:
            InputError: One is none.
        """
        found = self.images if name == "image" else self.more.get(name, [])
        for one in found:
            if isinstance(one, InputError):
                raise one
        return tuple(one for one in found if isinstance(one, Sent))

    def image(self) -> Sent:
        """Return the only image.

        Raises:
            InputError: There is none, or more than one, or it is not clear.
        """
        if len(self.images) != 1:
            raise InputError(
                "There is no image." if not self.images else "There is more than one image.",
                expected="one image",
                got=f"{len(self.images):,}",
                hint="POST /v1/batch takes several" if self.images else _HOW,
            )
        if isinstance(self.images[0], InputError):
            raise self.images[0]
        return self.images[0]


class Intake:
    """Reads the bodies of requests.

    Args:
        settings: Their bounds.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings, self.held = settings, 0

    @asynccontextmanager
    async def take(self, request: Request, more: Collection[str] = ()) -> AsyncIterator[Given]:
        """Read a request; its bytes count as held until the context ends.

        Args:
            request: Of which nothing was read.
            more: Names of further fields that hold images.

        Raises:
            Refused: It is too large, too slow, of a kind that is not read, or the client is gone.
            InputError: It is not what it says to be.
        """
        kind, options = self._kind(request)
        taken = [0]
        try:
            body = await self._body(request, taken)
            if len(body) <= SMALL:
                given = parse(kind, options, body, more)
            else:
                given = await asyncio.to_thread(parse, kind, options, body, more)
            del body
            sent = [one.id for one in given.images if isinstance(one, Sent)]
            request.state.told.update(images=tuple(sent[: self._settings.images]), words=_words(given.fields))
            yield given
        finally:
            self.held -= taken[0]

    def _kind(self, request: Request) -> tuple[str, dict[bytes, bytes]]:
        headers = request.headers
        raw, options = parse_options_header(headers.get("content-type", ""))
        kind = raw.decode("latin-1").lower()
        if kind not in (JSON, FORM) or (kind == FORM and not options.get(b"boundary")):
            raise Refused(
                415,
                InputError(
                    "This kind of request is not read.",
                    expected=f"{FORM} with its boundary, or {JSON}",
                    got=headers.get("content-type", "")[:200] or "no content-type",
                    hint="curl -F image=@x.jpg …",
                ),
            )
        coding = headers.get("content-encoding", "identity")
        if coding.lower() != "identity":
            raise Refused(
                415,
                InputError(
                    "Compressed requests are not read.",
                    expected="no content-encoding: images are small already",
                    got=coding[:50],
                    hint="send it as it is",
                ),
            )
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length[:20]) > self._settings.body_bytes:
            raise self._too_large(f"{int(length[:20]):,} bytes")
        return kind, options

    async def _body(self, request: Request, taken: list[int]) -> bytes:
        settings, loop = self._settings, asyncio.get_running_loop()
        began, parts = loop.time(), list[bytes]()
        try:
            async with asyncio.timeout_at(began + settings.body_seconds) as limit:
                while True:
                    message = await request.receive()
                    if message["type"] == "http.disconnect":
                        raise Refused(CLIENT_GONE, InputError("The client left before its request was whole."))
                    part = message.get("body", b"")
                    parts.append(part)
                    taken[0] += len(part)
                    self.held += len(part)
                    if taken[0] > settings.body_bytes:
                        raise self._too_large("more")
                    if self.held > settings.held_bytes:
                        raise self._full()
                    if not message.get("more_body", False):
                        return parts[0] if len(parts) == 1 else b"".join(parts)
                    # Who sends steadily is waited for, a slow phone included; who trickles is not.
                    limit.reschedule(began + settings.body_seconds + taken[0] / settings.body_rate)
        except TimeoutError as error:
            raise Refused(
                408,
                InputError(
                    "The request did not come in time.",
                    expected=f"at least {settings.body_rate:,} bytes a second",
                    got=f"{taken[0]:,} bytes in {loop.time() - began:.0f} s",
                    hint="send it again, or a smaller image",
                ),
                hang_up=True,
            ) from error

    def _too_large(self, got: str) -> Refused:
        error = InputError(
            "The request is too large.",
            expected=f"at most {self._settings.body_bytes:,} bytes",
            got=got,
            hint="send a smaller image, or fewer at a time",
        )
        return Refused(413, error)

    def _full(self) -> Refused:
        error = ModelError(
            "The server holds as much as it may.",
            expected=f"at most {self._settings.held_bytes:,} bytes of all requests together",
            got=f"{self.held:,} bytes",
            hint="come again in 1 s",
        )
        return Refused(429, error, retry=1)


def parse(kind: str, options: dict[bytes, bytes], body: bytes, more: Collection[str] = ()) -> Given:
    """Return what stands in a body.

    Args:
        kind: Its media type.
        options: Of that.
        body: All of it.
        more: Names of further fields that hold images.

    Raises:
        InputError: It is not what it says to be.
    """
    return _from_form(options[b"boundary"], body, more) if kind == FORM else _from_json(body, more)


def _from_form(boundary: bytes, body: bytes, more: Collection[str]) -> Given:
    given = Given()
    for part in read_multipart(boundary, body):
        # Some clients write lists with brackets.
        name = part.name.removesuffix("[]")
        if name in ("image", "images", *more):
            # A file, even an empty one, is a file; a field without a file's name is what names an image.
            image = _file(part.data) if part.file else image_of(_text(part.name, part.data))
            (given.more.setdefault(name, []) if name in more else given.images).append(image)
        else:
            _add(given.fields, part.name, _text(part.name, part.data))
    return given


def _from_json(body: bytes, more: Collection[str]) -> Given:
    try:
        found = json.loads(body, parse_constant=_no_number)
        if rb"\u" in body:
            # Half of a surrogate pair is no character, and nothing further on could write it.
            json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise InputError(
            "The request is no JSON.",
            expected='{"image": "data:image/jpeg;base64,…"}',
            got=f"{len(body):,} bytes: {error}" if body else "0 bytes",
            hint=_HOW,
        ) from error
    if not isinstance(found, dict):
        raise InputError("The request is no JSON object.", expected='{"image": …}', got=type(found).__name__, hint=_HOW)
    several = found.pop("images", [])
    one = [found.pop("image")] if "image" in found else []
    if not isinstance(several, list):
        raise InputError("The images are no list.", expected='"images": [ … ]', got=type(several).__name__, hint=_HOW)
    others = {name: found.pop(name) for name in more if found.get(name) is not None}
    named = {name: [image_of(one) for one in (value if isinstance(value, list) else [value])]
             for name, value in others.items()}  # fmt: skip
    return Given([image_of(value) for value in (*one, *several)], found, named)


def _words(fields: dict[str, Any]) -> tuple[str, ...]:
    found = [value for name in WORDS if (value := fields.get(name)) is not None]
    texts = [text for value in found for text in (value if isinstance(value, list) else [value])]
    return tuple(text for text in texts[:100] if isinstance(text, str))


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


def _add(fields: dict[str, Any], name: str, value: str) -> None:
    if name not in fields:
        fields[name] = value
    elif isinstance(fields[name], list):
        fields[name].append(value)
    else:
        fields[name] = [fields[name], value]


def _text(name: str, data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise InputError(
            f"The field {name[:50]!r} is no text.",
            expected="UTF-8",
            got=repr(data[:20]),
            hint="an image is sent as a file: curl -F image=@x.jpg",
        ) from error


def _file(data: bytes) -> Sent:
    return Sent(content_id(data), data)


def image_of(value: Any) -> Sent | InputError:
    """Return the image that a text is, or names; or what is wrong with it."""
    text = value if isinstance(value, str) else ""
    if _ID.fullmatch(text):
        return Sent(text)
    if start := _DATA.match(text, 0, LONGEST):
        try:
            return _file(base64.b64decode(text[start.end() :], validate=True))
        except (binascii.Error, ValueError) as error:
            return InputError("The data URL is no base64.", expected="data:image/jpeg;base64,…", got=str(error))
    remote = text[:8].lower().startswith(("http:", "https:", "ftp:", "file:"))
    return InputError(
        "Addresses are not fetched." if remote else "This is no image.",
        expected="a file, a data URL, or the content id of a catalog's image",
        got=repr(text[:60]) if isinstance(value, str) else type(value).__name__,
        hint="fetch it yourself, and send its bytes" if remote else _HOW,
    )
