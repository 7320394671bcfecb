"""Whatever is sent: it is answered, or refused in four parts; it is never the server's own failure."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from starlette.testclient import TestClient

from served_models import png, upload

few = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
ADDRESSES = st.sampled_from(["classify", "tag", "detect", "ask", "embed", "batch"])
NAMES = st.sampled_from(["image", "images", "model", "classes", "question", "least", "task", "reason"]) | st.text(
    max_size=5
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=10)
    | st.sampled_from(["embedded", "0" * 64]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=8,
)


def jpeg() -> bytes:
    out = BytesIO()
    Image.new("RGB", (40, 30), (200, 20, 90)).save(out, "JPEG")
    return out.getvalue()


WHOLE = (png(side=24), jpeg())


def answered(got: Any) -> None:
    assert got.status_code < 500, got.text
    if got.status_code >= 400:
        error = got.json()["error"]
        assert error["what"]
        assert set(error) >= {"type", "what", "expected", "got", "hint"}


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Return an image that was cut, or with some bytes changed."""
    data = bytearray(draw(st.sampled_from(WHOLE)))
    for place in draw(st.lists(st.integers(0, len(data) - 1), max_size=8)):
        data[place] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.integers(0, len(data)))]) if draw(st.booleans()) else bytes(data)


@few
@given(name=ADDRESSES, data=damaged() | st.binary(max_size=200))
def test_damaged_images(client: TestClient, name: str, data: bytes) -> None:
    answered(client.post(f"/v1/{name}", **upload(data, **({"question": "?"} if name == "ask" else {}))))


@few
@given(name=ADDRESSES, fields=st.dictionaries(NAMES, st.text(max_size=12) | st.lists(st.text(max_size=5)), max_size=4))
def test_strange_fields(client: TestClient, name: str, fields: dict[str, Any]) -> None:
    answered(client.post(f"/v1/{name}", **upload(WHOLE[0], **fields)))


@few
@given(name=ADDRESSES, value=st.dictionaries(NAMES, JSON, max_size=5) | JSON)
def test_strange_json(client: TestClient, name: str, value: Any) -> None:
    body = json.dumps(value)
    answered(client.post(f"/v1/{name}", content=body, headers={"content-type": "application/json"}))


@few
@given(
    name=ADDRESSES,
    kind=st.sampled_from(["application/json", "multipart/form-data; boundary=x", "multipart/form-data; boundary="])
    | st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30),
    body=st.binary(max_size=100)
    | st.lists(
        st.sampled_from([b"--x", b"\r\n", b"--", b"Content-Disposition: form-data", b'; name="image"', b":", b"\xff"]),
        max_size=14,
    ).map(b"".join),
)
def test_strange_bodies(client: TestClient, name: str, kind: str, body: bytes) -> None:
    answered(client.post(f"/v1/{name}", content=body, headers={"content-type": kind}))
