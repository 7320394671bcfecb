"""The application behind the gate: routes, images, the page around them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from lucida.errors import CatalogError
from lucida.studio.application import Site, application, open_site
from lucida.studio.desk import Desk
from lucida.studio.gate import Gate

BASE = "http://127.0.0.1:8700"


@pytest.fixture
def seen() -> list[str]:
    return []


@pytest.fixture
def client(review: Any, seen: list[str]) -> Iterator[TestClient]:
    """A browser that has opened the link."""
    desk = Desk(review)
    open_site(Site(desk, seen=lambda: seen.append("seen")))
    gate = Gate(application(), host="127.0.0.1", port=8700)
    with TestClient(gate, base_url=BASE) as client:
        assert client.get(gate.link()).status_code == 200
        yield client
    desk.close()
    open_site(None)


def body(view: dict[str, Any], key: str = "12345678", **more: Any) -> dict[str, Any]:
    card = view["card"]
    shown = {"image": card["image"], "proposal": card["proposal"]}
    return {"key": key, "turn": view["turn"], "kind": "answer", "verdict": "right", **shown, **more}


def test_an_answer_is_taken_once(client: TestClient, review: Any) -> None:
    act = body(client.get("/api/review").json())
    first, again = client.post("/api/review", json=act), client.post("/api/review", json=act)
    assert (first.status_code, first.json()["outcome"]) == (200, "done")
    assert (again.status_code, again.json()["outcome"]) == (200, "again")
    assert first.json()["view"]["card"]["image"] == again.json()["view"]["card"]["image"] == "id01"
    assert review.log == [("id00", "right", "circle")]


def test_an_answer_for_another_image_is_refused(client: TestClient, review: Any) -> None:
    view = client.get("/api/review").json()
    reply = client.post("/api/review", json=body(view, image="id07"))
    assert reply.status_code == 409
    assert reply.json()["view"]["card"]["image"] == "id00"
    assert review.log == []


@pytest.mark.parametrize(
    "change",
    [{"kind": "delete"}, {"verdict": "maybe"}, {"turn": -1}, {"turn": "x"}, {"key": "short"}, {"label": "x" * 300}],
)
def test_a_malformed_act_is_refused(client: TestClient, review: Any, change: dict[str, Any]) -> None:
    view = client.get("/api/review").json()
    assert client.post("/api/review", json=body(view) | change).status_code == 422
    assert review.log == []


def test_a_form_of_another_page_is_no_act(client: TestClient, review: Any) -> None:
    text = '{"key":"12345678","turn":0,"kind":"stop"}'
    for origin in ("http://127.0.0.1:1", "null"):
        headers = {"content-type": "text/plain", "origin": origin}
        assert client.post("/api/review", content=text, headers=headers).status_code == 403
    assert review.log == []


def test_a_review_that_cannot_be_read_is_told_in_four_parts(client: TestClient, review: Any) -> None:
    def gone() -> None:
        raise CatalogError("The catalog is gone.", hint="put it back")

    review.status = gone
    reply = client.get("/api/review")
    assert reply.status_code == 500
    assert reply.json()["error"]["hint"] == "put it back"


def test_an_image_is_served_for_ever_and_never_as_a_page(client: TestClient) -> None:
    response = client.get("/image/id03")
    assert response.headers["content-type"] == "image/png"
    assert "immutable" in response.headers["cache-control"]
    assert "private" in response.headers["cache-control"]
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in response.headers["content-security-policy"]


@pytest.mark.parametrize("path", ["/image/nobody", "/image/..%2F..%2Fetc%2Fpasswd", "/image/%00", "/image/"])
def test_an_unknown_image_is_not_found(client: TestClient, path: str) -> None:
    assert client.get(path).status_code in (404, 400)


def test_what_is_no_image_is_not_served(client: TestClient, review: Any) -> None:
    review.image = lambda image: (b"<script>alert(1)</script>", "text/html")
    assert client.get("/image/id00").status_code == 415


@pytest.mark.parametrize("path", ["/static/studio.css", "/static/review.js", "/static/icon.svg"])
def test_scripts_and_styles_are_asked_for_anew(client: TestClient, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-cache"
    assert client.get(path, headers={"if-none-match": response.headers["etag"]}).status_code == 304


@pytest.mark.parametrize("path", ["/static/../desk.py", "/static/%2e%2e/desk.py", "/docs", "/openapi.json"])
def test_nothing_else_is_served(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_the_page_speaks_the_browsers_language_and_remembers_another(client: TestClient) -> None:
    page = client.get("/", headers={"accept-language": "zh-CN"})
    assert "审核" in page.text
    assert "lang='zh-CN'" in page.text
    client.cookies.set("lucida-language", "en")
    client.cookies.set("lucida-theme", "dark")
    page = client.get("/", headers={"accept-language": "zh-CN"})
    assert "Review · Camera Lucida" in page.text
    assert "dataset.theme='dark'" in page.text


def test_a_forged_preference_does_not_reach_the_page(client: TestClient) -> None:
    client.cookies.set("lucida-theme", "x';alert(1);'")
    client.cookies.set("lucida-language", "..%2f..")
    page = client.get("/").text
    assert "alert(1)" not in page
    assert "dataset.theme='auto'" in page


def test_a_file_name_cannot_become_part_of_the_page(client: TestClient, review: Any) -> None:
    nasty = "</script><script>alert(1)</script>.png"
    card = review.next()
    review.next = lambda: type(card)(card.image, nasty, nasty, 0.5, (), "teach")
    page = client.get("/").text
    assert "alert(1)</script>" not in page.replace("\\u003c", "")
    assert "<script>alert" not in page


def test_the_end_is_reported_only_when_there_is_one(client: TestClient, seen: list[str]) -> None:
    client.post("/api/review/seen", json={})
    assert seen == []
    client.post("/api/review", json={"key": "12345678", "turn": 0, "kind": "pause"})
    client.post("/api/review/seen", json={})
    assert seen == ["seen"]


def test_the_socket_needs_the_cookie_and_this_origin(client: TestClient) -> None:
    path = "/_nicegui_ws/socket.io/?EIO=4&transport=polling"
    assert client.get(path).status_code == 200
    assert client.get(path, headers={"origin": "http://127.0.0.1:9999"}).status_code == 403
    client.cookies.clear()
    assert client.get(path).status_code == 403
