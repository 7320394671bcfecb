"""What is told to browsers, who is turned away, and the id of every request."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from lucida.errors import InputError
from lucida.serve.config import Settings
from lucida.serve.verb import check_host
from served_models import png, upload


def test_every_answer_has_an_id_and_its_headers(client: TestClient) -> None:
    for got in (client.get("/healthz"), client.get("/none"), client.post("/v1/read", **upload(b""))):
        assert got.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in got.headers["content-security-policy"]
        assert got.headers["x-request-id"]
        assert "access-control-allow-origin" not in got.headers
    own = client.post("/v1/read", headers={"x-request-id": "my-1.x"}, **upload(b""))
    assert own.headers["x-request-id"] == own.json()["request_id"] == "my-1.x"
    assert client.get("/none", headers={"x-request-id": b"a b\xe9"}).json()["request_id"].isalnum()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": "http://localhost"}, 200),
        ({"origin": "https://localhost.evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://[::1"}, 403),
        ({"host": "127.0.0.1:8000"}, 200),
        ({"host": "[::1]:8000"}, 200),
        ({"host": "rebound.example:8000"}, 421),
        ({"host": "[oops"}, 421),
    ],
)
def test_pages_of_others_are_turned_away(client: TestClient, headers: dict[str, str], status: int) -> None:
    got = client.post("/v1/caption", headers=headers, **upload(png()))
    assert got.status_code == status
    assert status == 200 or set(got.json()["error"]) >= {"type", "what", "expected", "got", "hint"}


def test_no_address_is_opened_to_others_without_a_key() -> None:
    with pytest.raises(InputError, match="nobody would need a key"):
        check_host(Settings("0.0.0.0"), insecure=False)
    check_host(Settings("0.0.0.0"), insecure=True)
    check_host(Settings("0.0.0.0"), insecure=False, keys=True)
    check_host(Settings("::1"), insecure=False)
