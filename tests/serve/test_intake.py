"""Bodies of requests: too large, too slow, half, of another kind; what they hold is given back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from lucida.errors import InputError
from lucida.serve.application import build
from lucida.serve.config import Settings
from lucida.serve.desk import Desk
from lucida.serve.served import Shelf
from served_models import boxes, png, ready, told, upload

FORM = b"multipart/form-data; boundary=x"


class Left:
    """A client that is gone."""


def talk(*parts: Any, kind: bytes = FORM, settings: Settings | None = None) -> tuple[int, dict[str, Any], Desk]:
    """Send a request piece by piece; the last piece ends it unless it is `Left` or None, which never comes."""
    desk = Desk(Shelf([told("detect", ("bolt", "nut"), boxes, "bolts")]), settings or Settings(workers=1))
    sent: list[Any] = []

    async def messages() -> AsyncIterator[dict[str, Any]]:
        for number, part in enumerate(parts):
            if part is Left:
                yield {"type": "http.disconnect"}
            elif part is not None:
                more = number + 1 < len(parts)
                yield {"type": "http.request", "body": part, "more_body": more}
        await asyncio.Event().wait()

    async def body() -> None:
        await desk.load()
        stream = messages()
        scope = {
            "type": "http", "method": "POST", "path": "/v1/detect", "raw_path": b"/v1/detect", "query_string": b"",
            "headers": [(b"host", b"localhost"), (b"content-type", kind)], "http_version": "1.1", "root_path": "",
        }  # fmt: skip

        async def send(message: Any) -> None:
            sent.append(message)

        await build(desk)(scope, stream.__anext__, send)
        desk.close()

    asyncio.run(asyncio.wait_for(body(), 20))
    return sent[0]["status"], json.loads(sent[1]["body"]), desk


def form(data: bytes) -> bytes:
    return b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n' + data + b"\r\n--x--\r\n"


def test_a_body_in_pieces_is_one_body() -> None:
    whole = form(png())
    status, body, desk = talk(whole[:70], whole[70:200], whole[200:])
    assert (status, len(body["objects"])) == (200, 2)
    assert (desk.intake.held, desk.pool.taken, desk.open) == (0, 0, 0)


@pytest.mark.parametrize(
    ("parts", "settings", "status"),
    [
        # Counted as it comes: no header promised anything.
        ((bytes(600), bytes(600), bytes(600), None), {"body_bytes": 1000}, 413),
        ((bytes(600), None), {"body_seconds": 0.05}, 408),
        ((bytes(600), Left), {}, 499),
        ((bytes(600), bytes(600), None), {"body_bytes": 1000, "held_bytes": 1000}, 413),
        ((form(png())[:-9],), {}, 422),
        ((b"",), {}, 422),
    ],
)
def test_a_body_that_is_not_whole_is_refused(parts: Any, settings: dict[str, Any], status: int) -> None:
    got, body, desk = talk(*parts, settings=Settings(workers=1, **settings))
    assert got == status
    assert body["error"]["what"]
    assert (desk.intake.held, desk.pool.taken, desk.open) == (0, 0, 0)


def test_all_bodies_together_are_bounded() -> None:
    settings = Settings(workers=1, body_bytes=50_000, held_bytes=50_000)
    desk = Desk(Shelf([told("detect", ("bolt", "nut"), boxes, "bolts")]), settings)
    with TestClient(build(desk), base_url="http://localhost") as client:
        ready(client)
        desk.intake.held = 50_000 - len(png())
        got = client.post("/v1/detect", **upload(png()))
        assert (got.status_code, got.headers["retry-after"]) == (429, "1")
        desk.intake.held = 0
        assert client.post("/v1/detect", **upload(png())).status_code == 200
        assert desk.intake.held == 0


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        (b"text/plain", b"x", 415),
        (b"multipart/form-data", b"x", 415),
        (b"image/jpeg", b"x", 415),
        (b"application/json", b"{", 422),
        (b"application/json", b"[]", 422),
        (b"application/json", b'{"image": 3}', 422),
        (b"application/json", b'{"images": {}}', 422),
        (b"application/json", b'{"image": "data:image/png;base64,!"}', 422),
        (b"application/json", b'{"image": "x", "least": NaN}', 422),
        (b"application/json", b'{"image": "x", "model": "\\ud800"}', 422),
        (b"application/json", b'{"a":' * 100_000, 422),
        (b"application/json; charset=\xff", b"{}", 422),
    ],
)
def test_a_body_of_another_kind_is_refused(kind: bytes, body: bytes, status: int) -> None:
    got, answer, _ = talk(body, kind=kind)
    assert got == status
    assert set(answer["error"]) >= {"type", "what", "expected", "got", "hint"}


@pytest.mark.parametrize("name", ["port", "deadline", "workers", "cache_bytes", "body_bytes"])
def test_settings_have_bounds(name: str) -> None:
    with pytest.raises(InputError, match=name):
        Settings(**{name: -1})
    with pytest.raises(InputError, match=name):
        Settings(**{name: float("nan")})
