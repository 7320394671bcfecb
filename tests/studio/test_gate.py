"""The gate: who may come in, and what the browser is told."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import httpx
import pytest

from lucida.studio.gate import Gate

PAGE = '<html><head><script>go()</script><script type="module" src="/a.js"></script></head></html>'


async def inner(scope: Any, receive: Any, send: Any) -> None:
    """Answer every request: the page at "/", plain text elsewhere."""
    kind, body = (b"text/html", PAGE.encode()) if scope["path"] == "/" else (b"text/plain", b"inside")
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
    await send({"type": "http.response.body", "body": body[:5], "more_body": True})
    await send({"type": "http.response.body", "body": body[5:]})


class Browser:
    """A browser that keeps cookies, before a gate."""

    def __init__(self, gate: Gate, base: str = "http://127.0.0.1:8700") -> None:
        self.gate, self.base = gate, base
        self.cookies: dict[str, str] = {}

    def get(self, path: str, *, method: str = "GET", **headers: str) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.gate)
            async with httpx.AsyncClient(transport=transport, base_url=self.base, cookies=self.cookies) as client:
                return await client.request(method, path, headers={k.replace("_", "-"): v for k, v in headers.items()})

        response = asyncio.run(ask())
        self.cookies |= dict(response.cookies)
        return response


@pytest.fixture
def links() -> list[str]:
    return []


@pytest.fixture
def gate(links: list[str]) -> Gate:
    return Gate(inner, host="127.0.0.1", port=8700, announce=links.append)


def test_the_link_lets_one_browser_in_and_then_is_worthless(gate: Gate, links: list[str]) -> None:
    first, second = Browser(gate), Browser(gate)
    link = gate.link()
    welcome = first.get(link)
    assert welcome.status_code == 200
    assert "http-equiv" in welcome.text  # goes on to "/" by itself, without the token in the address
    assert first.get("/image/a").text == "inside"
    assert second.get(link).status_code == 403
    assert second.get("/").status_code == 403


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(gate: Gate) -> None:
    cookie = Browser(gate).get(gate.link()).headers["set-cookie"]
    name, *attributes = [part.strip().lower() for part in cookie.split(";")]
    assert {"httponly", "samesite=strict", "path=/"} <= set(attributes)
    assert "8700" in name.split("=")[0]  # browsers share cookies between ports: two reviews must not collide


@pytest.mark.parametrize("path", ["/", "/image/a", "/api/review", "/static/studio.css", "/_nicegui/x", "/?token="])
def test_nothing_is_served_without_the_cookie(gate: Gate, path: str) -> None:
    response = Browser(gate).get(path)
    assert response.status_code == 403
    assert "inside" not in response.text
    assert "terminal" in response.text  # says how to get a new link


@pytest.mark.parametrize("token", ["wrong", "%00", "é" * 40])
def test_a_wrong_token_is_refused_and_leaves_the_right_one_good(gate: Gate, token: str) -> None:
    assert Browser(gate).get(f"/?token={token}").status_code == 403
    assert Browser(gate).get(gate.link()).status_code == 200


def test_a_forged_cookie_is_refused(gate: Gate) -> None:
    browser = Browser(gate)
    browser.cookies = {gate.cookie: "guess"}
    assert browser.get("/").status_code == 403


def test_a_malformed_cookie_of_another_program_does_not_hide_ours(gate: Gate) -> None:
    browser = Browser(gate)
    browser.get(gate.link())
    (ours,) = (f"{k}={v}" for k, v in browser.cookies.items())
    assert Browser(gate).get("/a", cookie=f'other={{"a": "b;c"}}; =; x y=@; {ours}').status_code == 200


def test_a_used_link_has_one_new_one_printed(gate: Gate, links: list[str]) -> None:
    used = gate.link()
    Browser(gate).get(used)
    assert links == []
    for _ in range(3):
        Browser(gate).get(used)
    assert len(links) == 1  # one unused link is enough; a stranger cannot flood the terminal
    assert links[0] != used
    assert Browser(gate).get(links[0]).status_code == 200


def test_a_browser_that_fetches_ahead_does_not_use_the_link_up(gate: Gate) -> None:
    link = gate.link()
    assert Browser(gate).get(link, sec_purpose="prefetch;prerender").status_code == 403
    assert Browser(gate).get(link, method="HEAD").status_code == 403
    assert Browser(gate).get(link).status_code == 200


@pytest.mark.parametrize("host", ["127.0.0.1:8700", "localhost:8700", "127.0.0.1:9000", "[::1]:8700", "LOCALHOST"])
def test_own_names_are_served(gate: Gate, host: str) -> None:
    browser = Browser(gate)
    browser.get(gate.link())
    assert browser.get("/image/a", host=host).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8700", "10.0.0.7", ""]
)
def test_other_names_are_refused_even_with_the_cookie(gate: Gate, host: str) -> None:
    browser = Browser(gate)
    browser.get(gate.link())
    response = browser.get("/image/a", host=host)
    assert response.status_code == 403
    assert "inside" not in response.text


def test_bound_to_every_address_it_is_served_under_addresses_but_no_names() -> None:
    gate = Gate(inner, host="0.0.0.0", port=8700)
    browser = Browser(gate)
    browser.get(gate.link())
    assert browser.get("/a", host="192.168.1.5:8700").status_code == 200
    assert browser.get("/a", host="rebound.example:8700").status_code == 403


@pytest.mark.parametrize("origin", ["http://127.0.0.1:9999", "https://evil.example", "null", "http://localhost:8700"])
def test_another_page_cannot_act_with_the_persons_cookie(gate: Gate, origin: str) -> None:
    browser = Browser(gate)
    browser.get(gate.link())
    assert browser.get("/api/review", method="POST", origin=origin).status_code == 403
    assert browser.get("/api/review", method="POST", origin="http://127.0.0.1:8700").status_code == 200


def test_a_socket_without_the_cookie_is_closed(gate: Gate) -> None:
    sent: list[dict[str, Any]] = []

    async def connect() -> None:
        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> Any:
            return {"type": "websocket.connect"}

        scope = {"type": "websocket", "path": "/_nicegui_ws/socket.io/", "query_string": b""}
        await gate({**scope, "headers": [(b"host", b"127.0.0.1:8700")]}, receive, send)

    asyncio.run(connect())
    assert sent == [{"type": "websocket.close", "code": 1008}]


def test_every_answer_carries_the_security_headers(gate: Gate) -> None:
    browser = Browser(gate)
    for response in (browser.get(gate.link()), browser.get("/"), browser.get("/a"), Browser(gate).get("/")):
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["x-frame-options"] == "DENY"
        assert response.headers["referrer-policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in response.headers["content-security-policy"]


def test_scripts_run_by_nonce_only(gate: Gate) -> None:
    browser = Browser(gate)
    browser.get(gate.link())
    one, two = browser.get("/"), browser.get("/")
    policy = one.headers["content-security-policy"]
    scripts = next(part for part in policy.split(";") if part.strip().startswith("script-src"))
    assert "unsafe" not in scripts
    nonces = set(re.findall(r'<script nonce="([\w-]+)"', one.text))
    assert len(nonces) == 1
    assert f"'nonce-{nonces.pop()}'" in policy
    assert len(re.findall("<script nonce", one.text)) == one.text.count("<script")
    assert one.text != two.text  # a nonce is used once
    assert int(one.headers["content-length"]) == len(one.content)


def test_the_refusal_speaks_the_browsers_language(gate: Gate) -> None:
    assert "终端" in Browser(gate).get("/", accept_language="zh-CN,zh;q=0.9").text
    assert "terminal" in Browser(gate).get("/", accept_language="fr").text
