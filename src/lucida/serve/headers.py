"""The outermost layer of every request: its id, what a browser is told, who is turned away, and the last safety net."""

from __future__ import annotations

import json
import logging
import re
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from lucida.errors import InputError
from lucida.serve.config import is_loopback
from lucida.serve.key_file import KEY
from lucida.serve.keys import REQUEST, NoKeys
from lucida.serve.refusal import Refused, body_of, refusal_of
from lucida.serve.stages import STAGES, Stage

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from lucida.serve.config import Settings
    from lucida.serve.keys import Keys
    from lucida.serve.watch.traces import Traces

OPEN: Final = ("/healthz", "/readyz")  # what watches over the server has no key
REQUEST_ID: Final = b"x-request-id"
_GOOD_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")
HEADERS: Final = {
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-resource-policy": b"same-origin",
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    # What a model says of somebody's image is for no cache on the way.
    b"cache-control": b"no-store",
}
_log = logging.getLogger("lucida.serve")


@dataclass(frozen=True)
class Exchange:
    """One request and its answer, for whoever counts, logs or traces them.

    Attributes:
        id: Of the request.
        service: What was asked: "classify", "batch"; "" for anything else.
        model: Who was asked; "" where that was not known yet.
        status: Of the answer.
        seconds: From the head of the request to the end of its answer.
        cached: Images that were answered from memory.
        looked: Images that a model looked at.
        holder: Name of whoever asked; "" where that was not known yet.
        images: Content ids of what was sent or named.
        words: What was asked in words; it may be about a person, and is for no log.
        errors: What went wrong: the class of each error, and its status; of a batch, one for each image that failed.
        received: Bytes of its body that were read.
        sent: Bytes of the body of its answer.
        stages: What it spent its time with, as far as that is known.
        probe: Whether it only asks how the server is, as others do every few seconds.
    """

    id: str
    service: str = ""
    model: str = ""
    status: int = 0
    seconds: float = 0.0
    cached: int = 0
    looked: int = 0
    holder: str = ""
    images: tuple[str, ...] = ()
    words: tuple[str, ...] = field(default=(), repr=False)
    errors: tuple[tuple[str, int], ...] = ()
    received: int = 0
    sent: int = 0
    stages: Sequence[Stage] = field(default=(), repr=False)
    probe: bool = False


class _Account:
    """What passes between a client and the application, counted, and dressed in our headers."""

    def __init__(self, id: bytes, receive: Receive, send: Send) -> None:
        self.id, self._receive, self._send = id, receive, send
        self.began, self._reading = time.monotonic(), 0.0
        self.status, self.received, self.sent = 0, 0, 0
        self.stages: list[Stage] = []

    async def receive(self) -> Message:
        self._reading = self._reading or time.monotonic()
        message = await self._receive()
        if message["type"] == "http.request":
            self.received += len(message.get("body", b""))
            if self.received and not message.get("more_body", False):
                self.stages.append(Stage("read", self._reading, time.monotonic()))
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            own = {name for name, _ in message["headers"]}
            more = [(name, value) for name, value in HEADERS.items() if name not in own]
            message = {**message, "headers": [*message["headers"], *more, (REQUEST_ID, self.id)]}
        self.sent += len(message.get("body", b""))
        await self._send(message)

    def exchange(self, told: dict[str, Any]) -> Exchange:
        return Exchange(
            self.id.decode(), status=self.status, seconds=time.monotonic() - self.began, received=self.received,
            sent=self.sent, stages=self.stages, **told,
        )  # fmt: skip


class Shell:
    """An ASGI application around another.

    Args:
        app: What answers; what it leaves of `Exchange` in the state of a request is told.
        settings: Where it listens.
        watchers: Called with every request that was answered, in the event loop: they must be quick.
        keys: Who may ask anything at all; nobody needs one for `OPEN`.
        traces: What makes spans of requests; None for nothing.
    """

    def __init__(
        self,
        app: ASGIApp,
        settings: Settings,
        watchers: Sequence[Callable[[Exchange], None]] = (),
        keys: Keys | None = None,
        traces: Traces | None = None,
    ) -> None:
        self.app, self._settings, self._watchers, self._keys = app, settings, watchers, keys or NoKeys()
        self._traces = traces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        id = _id(headers.get(REQUEST_ID, b""))
        account, told = _Account(id, receive, send), dict[str, Any]()
        state = scope.setdefault("state", {})
        state.update(request_id=id.decode(), told=told)
        REQUEST.set(id.decode())
        STAGES.set(account.stages)
        span = self._traces.begin(scope["path"], headers) if self._traces is not None else None
        try:
            self._check(headers)
            if scope["path"] in OPEN:
                told["probe"] = True
            else:
                authorization = headers.get(b"authorization", b"").decode("latin-1")
                address = (scope.get("client") or ("",))[0]
                told["holder"] = self._keys.know(authorization, address).name
            await self.app(scope, account.receive, account.send)
        except Exception as error:
            refused = refusal_of(error)
            told["errors"] = (refused.kind,)
            if account.status:
                raise
            if refused.status >= 500:
                _log.error("request %s failed", id.decode(), exc_info=error)
            await _refuse(account.send, refused, id.decode())
        finally:
            exchange = account.exchange(told)
            if self._traces is not None and span is not None:
                self._traces.end(span, exchange)
            for watch in self._watchers:
                watch(exchange)

    def _check(self, headers: dict[bytes, bytes]) -> None:
        """Turn away what another page in a browser of this machine would send.

        A page of a stranger can send a form here without asking, and with a name of its own that leads here (DNS
        rebinding) even read the answer.
        """
        host = headers.get(b"host", b"").decode("latin-1")
        if self._settings.local and not is_loopback(_name(host)):
            raise Refused(
                421, InputError("The server is called by a strange name.", expected="localhost", got=host[:100])
            )
        origin = headers.get(b"origin", b"").decode("latin-1")
        if origin and (origin == "null" or _split(origin) != host.lower()):
            raise Refused(
                403,
                InputError(
                    "Pages of other origins may not ask this server.",
                    expected="no origin, or this server's own",
                    got=origin[:100],
                    hint="ask from a program, or through a server of yours",
                ),
            )


def _id(given: bytes) -> bytes:
    """Return the id of a request: the client's, unless it is none, or a key that went astray."""
    good = _GOOD_ID.fullmatch(given) and not KEY.search(given.decode())
    return given if good else secrets.token_hex(8).encode()


def _name(host: str) -> str:
    """Return the name in a Host header, without its port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _split(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return "?"


async def _refuse(send: Send, refused: Refused, id: str) -> None:
    body = json.dumps(body_of(refused.error, id), ensure_ascii=False).encode()
    more = [(name.encode(), value.encode()) for name, value in refused.headers.items()]
    headers: list[Any] = [
        (b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *more
    ]  # fmt: skip
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
