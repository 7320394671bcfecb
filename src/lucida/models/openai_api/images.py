"""Pictures over the network: ask for them, wait where the server is busy, read what comes without trust."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urljoin, urlsplit

from lucida.errors import ImageError
from lucida.images import decode
from lucida.models.json_text import one_line
from lucida.models.openai_api import failures
from lucida.models.openai_api.connection import Connection, wait_of
from lucida.models.openai_api.failures import Failure, Next
from lucida.models.openai_api.stoppable import BrokenOffError, run

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_BYTES: Final = 128 * 2**20  # of an answer, for each of its pictures
PAID: Final = 2  # times that a request is sent again whose answer was lost and may have to be paid
_EXPECTED: Final = "JSON of the images API"


@dataclass(frozen=True, eq=False)
class Drawn:
    """One picture as it came.

    Attributes:
        pixels: uint8 (height, width, 3).
        revised: The prompt as the server made it anew; "" where it says nothing.
    """

    pixels: NDArray[np.uint8]
    revised: str = ""


@dataclass(frozen=True)
class Answer:
    """What came of one request.

    Attributes:
        pictures: In their order; fewer than asked for may come.
        tokens: Of words in, images in, and pictures out; None where the server does not count.
        lost: Answers that did not arrive whole before this one, and may have to be paid.
    """

    pictures: tuple[Drawn, ...]
    tokens: tuple[int, int, int] | None
    lost: int = 0


class _TooLong(Exception):
    """An answer is longer than any picture."""


class Images(Connection):
    """What is asked of one address in pictures; safe to be called from several threads."""

    _format: bool | None = None

    def draw(self, asked: dict[str, Any], pictures: int, look: Callable[[], object]) -> Answer:
        """Send one request, and again for as long as nothing of it can have been answered.

        Args:
            asked: Parameters of the request; with "image" it is one for an edit.
            pictures: How many are asked for.
            look: Called every now and then; what it raises ends the request.

        Raises:
            ModelError: The server cannot be reached, refuses the key, the model or the picture, has no quota left, or
                gives no picture that can be read.
        """
        tried = lost = 0
        told = bool(self.address.drawer and self.address.drawer.format) if self._format is None else self._format
        while True:
            request = asked | ({"response_format": "b64_json"} if told else {})
            came = self.reach(partial(self._send, request, pictures, look))
            found = came if isinstance(came, Failure) else self._read(*came, pictures, look)
            if isinstance(found, Answer):
                self._format = told
                return Answer(found.pictures, found.tokens, lost)
            if failures.is_moderated(found.what):
                raise failures.will_not_draw(self.address, found.what)
            if found.error is not None:
                raise found.error
            if found.next is Next.PLAINER and told and "response_format" in found.what:
                told = False
                continue
            tried, lost = tried + 1, lost + found.sent
            if found.next is not Next.WAIT or lost > PAID:
                raise failures.cannot_draw(self.address, found.what)
            if not found.sent and tried >= self.attempts:
                self.gave_up(found, tried)
                raise failures.cannot_draw(self.address, f"{found.what}, {tried} times", "the same again later")
            self._pause(wait_of(tried, found.wait), look)

    def _pause(self, seconds: float, look: Callable[[], object]) -> None:
        look()
        self._sleep(seconds)
        look()

    def _send(self, request: dict[str, Any], pictures: int, look: Callable[[], object]) -> tuple[bytes, str]:
        async def send(client: Any) -> tuple[bytes, str]:
            way = client.images.with_streaming_response
            ask = way.edit if "image" in request else way.generate
            async with ask(model=self.address.model, **request) as response:
                return await _body(response.iter_bytes(), pictures), response.headers.get("content-type", "")

        try:
            return run(self.openai, self.private, self.settings, direct=self.address.local, look=look, send=send)
        except _TooLong:
            raise failures.cannot_draw(self.address, "an answer that is longer than any picture") from None

    def _read(self, content: bytes, kind: str, pictures: int, look: Callable[[], object]) -> Answer | Failure:
        if "html" in kind or content.lstrip()[:1] == b"<":
            return Failure(Next.STOP, "", error=failures.no_api(self.address, "a web page", _EXPECTED))
        try:
            body = json.loads(content)
        except (ValueError, RecursionError) as error:
            said = failures.scrub(str(error), [self.key])
            return Failure(Next.WAIT, f"the server's answer could not be read ({said})", sent=True)
        data = body.get("data") if isinstance(body, dict) else None
        if not isinstance(data, list) or not data:
            said = failures.scrub(_error_words(body) or "an answer without a picture", [self.key])
            return Failure(Next.SKIP, said, sent=True)
        return Answer(tuple(self._drawn(entry, look) for entry in data[:pictures]), _tokens(body.get("usage")))

    def _drawn(self, entry: Any, look: Callable[[], object]) -> Drawn:
        entry = entry if isinstance(entry, dict) else {}
        coded, url, revised = (entry.get(name) for name in ("b64_json", "url", "revised_prompt"))
        if isinstance(url, str) and url.startswith("data:"):
            coded = url.partition(",")[2]
        if isinstance(coded, str) and coded:
            try:
                data = base64.b64decode(coded, validate=True)
            except (binascii.Error, ValueError) as error:
                raise failures.cannot_draw(self.address, f"a picture that is no base64 ({error})") from None
        elif isinstance(url, str) and url:
            data = self._follow(url, look)
        else:
            raise failures.cannot_draw(self.address, "an answer without a picture")
        try:
            pixels = decode(data).rgb8()
        except ImageError as error:
            raise failures.cannot_draw(self.address, f"no image that can be read: {error.line()}") from error
        return Drawn(pixels, one_line(revised) if isinstance(revised, str) else "")

    def _follow(self, url: str, look: Callable[[], object]) -> bytes:
        """Return what lies at an address that the server names, if that is the server itself."""
        whole = urljoin(f"{self.address.url}/", url)
        if _origin(whole) != _origin(self.address.url):
            raise failures.cannot_draw(
                self.address,
                f"the address of a picture at another host, {urlsplit(whole).hostname}: it is not followed",
                "have the server answer with b64_json",
            )

        async def send(client: Any) -> bytes:
            # Without the key, and without redirects: one could lead to any host, and into this machine's own network.
            settings = {"trust_env": not self.address.local, "timeout": self.settings["timeout"]}
            async with self.openai.DefaultAsyncHttpxClient(follow_redirects=False, **settings) as plain:
                try:
                    async with plain.stream("GET", whole) as response:
                        if response.status_code != 200:
                            raise BrokenOffError(f"status {response.status_code}")
                        return await _body(response.aiter_bytes(), 1)
                except (_TooLong, BrokenOffError):
                    raise
                except Exception as error:
                    raise BrokenOffError(f"{type(error).__name__}: {error}") from error

        direct = self.address.local
        try:
            found = self.reach(
                lambda: run(self.openai, self.private, self.settings, direct=direct, look=look, send=send)
            )
        except _TooLong:
            raise failures.cannot_draw(self.address, "a picture that is too large") from None
        if isinstance(found, Failure):
            raise failures.cannot_draw(self.address, f"a picture that cannot be fetched: {found.what}")
        return found


async def _body(parts: AsyncIterator[bytes], pictures: int) -> bytes:
    found = bytearray()
    try:
        async for chunk in parts:
            found += chunk
            if len(found) > MOST_BYTES * pictures:
                raise _TooLong
    except _TooLong:
        raise
    except Exception as error:
        # The client's own errors end where the body begins.
        raise BrokenOffError(f"{type(error).__name__}: {error}") from error
    return bytes(found)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return "", None, None


def _error_words(body: Any) -> str:
    error = body.get("error") if isinstance(body, dict) else None
    said = error.get("message", error) if isinstance(error, dict) else error
    return one_line(str(said)) if said else ""


def _tokens(usage: Any) -> tuple[int, int, int] | None:
    if not isinstance(usage, dict):
        return None
    sent, back = _count(usage.get("input_tokens")), _count(usage.get("output_tokens"))
    if sent is None or back is None:
        return None
    detail = usage.get("input_tokens_details")
    images = min(_count(detail.get("image_tokens")) or 0, sent) if isinstance(detail, dict) else 0
    return sent - images, images, back


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
