"""The gate before every route: who may come in, and what the browser is told about each answer.

The page shows private images and takes answers that are signed with the person's name, so nothing is served
without the session cookie. The cookie is got with a token that works once. Another web page open in the same
browser can neither read it (SameSite, Origin) nor reach the server under a name of its own (Host).
"""

from __future__ import annotations

import hmac
import ipaddress
import re
import secrets
from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from starlette.requests import cookie_parser

from lucida.studio.text import choose, words

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LANGUAGE_COOKIE, THEME_COOKIE = "lucida-language", "lucida-theme"

# NiceGUI's page carries inline scripts (they get a nonce) and style attributes (which cannot have one).
POLICY = (
    "default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' ws://{host} wss://{host}; "
    "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'"
)
HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
}


class Gate:
    """Let only the person who started the program in; an ASGI application around another.

    Args:
        app: What is behind the gate.
        host: The address the server is bound to.
        port: Its port; part of the cookie's name, since browsers share cookies between ports.
        announce: Called with the path of a new link when a used one was tried, to be printed in the terminal.
    """

    def __init__(
        self, app: ASGIApp, *, host: str, port: int, announce: Callable[[str], None] = lambda path: None
    ) -> None:
        self.app = app
        self.host, self.port, self.announce = host.strip("[]").lower(), port, announce
        self.cookie = f"lucida-{port}"
        self._session = secrets.token_urlsafe(32)
        self._token: str | None = None

    def link(self) -> str:
        """Return the path with the token that lets one browser in, once."""
        if self._token is None:
            self._token = secrets.token_urlsafe(32)
        return f"/?token={self._token}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass it on."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if not self._known_host(headers.get("host", "")):
            await self._refuse(scope, headers, send, "gate.host")
        elif not _same_origin(scope, headers):
            await self._refuse(scope, headers, send, "gate.origin")
        elif (token := _token_of(scope)) is not None:
            await self._exchange(scope, headers, send, token)
        elif not self._has_session(headers):
            self._offer_link()
            await self._refuse(scope, headers, send, "gate.cookie")
        else:
            nonce = secrets.token_urlsafe(16)
            await self.app(scope, receive, _Guarded(send, headers.get("host", ""), nonce))

    # ---- who may come in ------------------------------------------------------------------------------------------

    def _known_host(self, header: str) -> bool:
        """Say whether the server is called by a name that no stranger's DNS can have given it."""
        try:
            name = (urlsplit(f"//{header}").hostname or "").lower()
        except ValueError:
            return False
        if name in (self.host, "localhost"):
            return bool(name)
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return address.is_loopback or self.host in ("0.0.0.0", "::")

    def _has_session(self, headers: dict[str, str]) -> bool:
        given = _cookie(headers, self.cookie)
        return given is not None and hmac.compare_digest(given.encode(), self._session.encode())

    async def _exchange(self, scope: Scope, headers: dict[str, str], send: Send, token: str) -> None:
        """Give the session cookie for the token, which is worthless from then on."""
        purpose = headers.get("sec-purpose", headers.get("purpose", ""))
        right = self._token is not None and hmac.compare_digest(token.encode(), self._token.encode())
        if self._has_session(headers) or (right and scope["method"] == "GET" and "prefetch" not in purpose):
            if right:
                self._token = None
            # A redirect would lose a SameSite=Strict cookie when the link was followed from another site's page;
            # a page that goes on by itself does not.
            page = _page(words("en")("frame.brand"), "", refresh=True)
            cookie = f"{self.cookie}={self._session}; Path=/; HttpOnly; SameSite=Strict"
            await _respond(send, 200, page, {"set-cookie": cookie})
            return
        if not right:
            self._offer_link()
        await self._refuse(scope, headers, send, "gate.cookie")

    def _offer_link(self) -> None:
        """Have a new link printed where only the person at the terminal sees it, unless one is still unused."""
        if self._token is None:
            self.announce(self.link())

    async def _refuse(self, scope: Scope, headers: dict[str, str], send: Send, key: str) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        speak = words(choose(headers.get("accept-language", ""), _cookie(headers, LANGUAGE_COOKIE)))
        body = "".join(f"<p>{escape(line)}</p>" for line in speak(key).splitlines())
        page = _page(speak("gate.title"), f"<h1>{escape(speak('gate.title'))}</h1>{body}", language=speak.tag)
        await _respond(send, 403, page, {})


def _cookie(headers: dict[str, str], name: str) -> str | None:
    # Every program on this host shares its cookies with us; one that is malformed must not hide ours.
    return cookie_parser(headers.get("cookie", "")).get(name)


def _token_of(scope: Scope) -> str | None:
    if scope["type"] != "http" or scope["path"] != "/":
        return None
    query: bytes = scope["query_string"]
    return next(iter(parse_qs(query.decode("latin-1")).get("token", [])), None)


def _same_origin(scope: Scope, headers: dict[str, str]) -> bool:
    """Refuse what another page asks for. A cookie is not enough: another port of this host is the same site."""
    origin = headers.get("origin")
    if origin is None:
        return True
    parts = urlsplit(origin)
    return parts.scheme in ("http", "https") and parts.netloc == headers.get("host", "")


class _Guarded:
    """Add the security headers to what is sent, and the nonce to the inline scripts of a page."""

    def __init__(self, send: Send, host: str, nonce: str) -> None:
        self.send, self.nonce = send, nonce
        safe_host = host if re.fullmatch(r"[\w.:\[\]-]+", host) else "localhost"
        self.extra = HEADERS | {"content-security-policy": POLICY.format(nonce=nonce, host=safe_host)}
        self._start: Message | None = None
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            given = {k.lower() for k, _ in message["headers"]}
            more = [(k.encode(), v.encode()) for k, v in self.extra.items() if k.encode() not in given]
            message = {**message, "headers": [*message["headers"], *more]}
            if dict(message["headers"]).get(b"content-type", b"").startswith(b"text/html"):
                self._start = message
                return
        elif message["type"] == "http.response.body" and self._start is not None:
            self._body += message.get("body", b"")
            if message.get("more_body"):
                return
            await self._send_page(self._start)
            self._start = None
            return
        await self.send(message)

    async def _send_page(self, start: Message) -> None:
        # NiceGUI and the studio escape "<" in all data within a page, so every "<script" here is a script of theirs.
        body = self._body.replace(b"<script", f'<script nonce="{self.nonce}"'.encode())
        headers = [(k, v) for k, v in start["headers"] if k.lower() != b"content-length"]
        headers += [(b"content-length", str(len(body)).encode()), (b"cache-control", b"no-store")]
        await self.send({**start, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})


STYLE = """
:root{color-scheme:light dark}
body{margin:0;min-height:100vh;display:grid;place-items:center;font:17px/1.6 system-ui,sans-serif;
background:light-dark(#fbfaf8,#15161a);color:light-dark(#1b1c1f,#eceae6)}
main{max-width:34rem;padding:2rem}h1{font-size:1.6rem;margin:0 0 1rem}p{margin:.6rem 0}
"""


def _page(title: str, body: str, *, language: str = "en", refresh: bool = False) -> bytes:
    onward = '<meta http-equiv="refresh" content="0;url=/">' if refresh else ""
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">{onward}'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body><main>{body}</main></body></html>"
    ).encode()


async def _respond(send: Send, status: int, page: bytes, headers: dict[str, str]) -> None:
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'"
    fixed = {
        "content-type": "text/html; charset=utf-8",
        "content-length": str(len(page)),
        "cache-control": "no-store",
        "content-security-policy": policy,
    }
    every = HEADERS | fixed | headers
    start = [(k.encode(), v.encode()) for k, v in every.items()]
    await send({"type": "http.response.start", "status": status, "headers": start})
    await send({"type": "http.response.body", "body": page})
