"""What the Watch page knows of a server: its address, its key, its figures, and what it wrote down before."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import insert
from starlette.testclient import TestClient

from lucida.catalog import Catalog
from lucida.errors import InputError, ModelError, UnknownName
from lucida.models import find
from lucida.serve.application import build
from lucida.serve.config import Settings
from lucida.serve.desk import Desk
from lucida.serve.records import Records
from lucida.serve.routing.plan import parse_routes
from lucida.serve.routing.tables import CHANGES, FEEDBACK, TABLES
from lucida.serve.served import Served, Shelf
from lucida.serve.watch.accuracy import Accuracy
from lucida.serve.watch.ledger import Alarm, Ledger, Row
from lucida.serve.watch.settings import WatchSettings
from lucida.serve.watch.told import day_of
from lucida.serve.watch.watcher import Watcher
from lucida.studio.watching import Watching
from lucida.studio.watching.address import read_address
from lucida.studio.watching.now import History, quantile
from lucida.studio.watching.prometheus import read_metrics
from lucida.studio.watching.remembered import remembered
from served_models import ready
from studio.conftest import draw
from studio.played_server import IMAGES, Played, clock, drifted, three_routes


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    """An empty catalog."""
    with Catalog.open(tmp_path / "catalog", create=True) as opened:
        yield opened


def watching(catalog: Catalog, played: Played, url: str = "localhost:8000") -> Watching:
    return Watching(catalog, url, transport=played.transport, clock=clock())


def test_an_address_is_the_root_of_a_server() -> None:
    assert read_address(" localhost:8000/ ").url == "http://localhost:8000"
    assert read_address("https://Example.org").url == "https://example.org"
    assert (read_address("[::1]:9").local, read_address("http://10.0.0.2").local) == (True, False)
    assert (read_address("http://10.0.0.2").clear, read_address("https://10.0.0.2").clear) == (True, False)
    for wrong in (
        "",
        "file:///etc/passwd",
        "http://a:b@c",
        "http://a/v1",
        "http://a?b",
        "http://a b",
        "http://a:x",
        "h\r\ni",
    ):
        with pytest.raises(InputError):
            read_address(wrong)


def test_metrics_are_read_as_prometheus_reads_them() -> None:
    played = Played()
    played.traffic(40)
    played.traffic(2, 503, model="embedded")
    told = played.metrics.text()[0].decode()
    text = told + 'odd{a="x\\"y}\\n",b="2"} 1e3\n# a comment\nbroken{ 1\nword x\n'
    ours = read_metrics(text)
    theirs = list(text_string_to_metric_families(told))
    for sample in (sample for family in theirs for sample in family.samples):
        assert (sample.labels, sample.value) in ours[sample.name]
    assert ours["odd"] == [({"a": 'x"y}\n', "b": "2"}, 1000.0)]
    # The rule of histogram_quantile: linear within a bucket; the last bound stands for what lies above it.
    assert quantile({1.0: 10, 2.0: 20, float("inf"): 20}, 0.75) == 1.5
    assert quantile({1.0: 1, float("inf"): 20}, 0.9) == 1.0
    assert quantile({1.0: 0, float("inf"): 0}, 0.5) is None


def test_figures_are_of_what_came_between_two_looks() -> None:
    played, history = Played(), History()
    played.traffic(1000, 500, seconds=9.0)
    history.add(read_metrics(played.metrics.text()[0].decode()), 0.0)
    assert history.to_json()["requests"] is None
    played.traffic(90)
    played.traffic(6, 429)
    played.traffic(4, 503)
    history.add(read_metrics(played.metrics.text()[0].decode()), 10.0)
    now = history.to_json()
    assert (now["requests"], now["errors"], now["refused"]) == (10.0, 0.04, 0.06)
    assert 0.02 <= now["p50"] <= 0.06
    assert (now["queue"], now["hits"], now["ready"]) == (3.0, 0.25, True)
    assert [(one["name"], one["revision"]) for one in now["models"]] == [("clothes", "3f8d20aa91c4"), ("embedded", "1")]
    # A server that was started anew has counted nothing yet: nothing is negative.
    history.add(read_metrics(Played().metrics.text()[0].decode()), 12.0)
    assert (history.to_json()["points"], history.to_json()["requests"]) == ([], None)
    json.dumps(history.to_json(), allow_nan=False)


def test_what_is_wrong_has_a_name(catalog: Catalog) -> None:
    played = Played(gone=True)
    page = watching(catalog, played)
    assert (page.look()["server"]["state"], page.look()["remembered"]) == ("none", True)
    played.gone = False
    seen = page.look()
    assert (seen["server"]["state"], seen["watch"]["phase"], seen["routes"], seen["jobs"]) == ("up", "watching", [], [])
    played.refuses = {"/v1/jobs": 403}
    page._parted = -1e9
    assert (page.look()["jobs"], page.look()["refused"]) == (None, {"jobs": "forbidden"})
    played.gone = True
    seen = page.look()
    assert (seen["server"]["state"], seen["remembered"], seen["watch"]["phase"]) == ("lost", False, "watching")
    with pytest.raises(ModelError):
        page.judge(7, "right", None)
    played.gone = False
    for status, state in ((401, "key"), (403, "forbidden")):
        played.refuses = {"/": status}
        assert page.look()["server"]["state"] == state
    for answer in (httpx.Response(302, headers={"location": "http://10.0.0.1/"}), httpx.Response(200, text="hello")):
        strange = Watching(catalog, "http://localhost:1", transport=httpx.MockTransport(lambda _, one=answer: one))
        assert strange.look()["server"]["state"] == "strange"


def test_a_key_goes_to_its_own_server_alone(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUCIDA_SERVE_KEY", "lucida-secret")
    played = Played(key="lucida-secret")
    page = watching(catalog, played)
    seen = page.look()
    assert (seen["server"]["state"], seen["server"]["keyed"]) == ("up", True)
    assert "secret" not in json.dumps(seen)
    assert page.connect("http://10.1.2.3:8000", None)["server"]["state"] == "key"
    assert "authorization" not in played.headers
    assert page.connect("http://10.1.2.3:8000", "lucida-secret")["server"]["clear"]
    # Another server is not shown the key that was typed for this one.
    page.connect("localhost:9000", None)
    assert "authorization" not in played.headers
    assert page.connect("localhost:8000", None)["server"]["state"] == "up"
    for wrong in ("two words", "line\nbreak", "schlüssel"):
        with pytest.raises(InputError):
            page.connect("localhost:8000", wrong)
    assert not [path for path in catalog.path.rglob("*") if path.is_file() and b"lucida-secret" in path.read_bytes()]


def test_acts_reach_the_server_and_pictures_come_back(catalog: Catalog) -> None:
    played = Played(watch=drifted(), routes=three_routes(), picture=lambda id: draw(3))
    page = watching(catalog, played)
    told = page.look()
    assert [len(one["points"]) for one in told["watch"]["curves"]] == [4] * 4
    assert told["watch"]["curves"][0] | {"points": 0} == {
        "name": "brightness", "about": "brightness", "now": 0.8, "crossed": True, "points": 0,
    }  # fmt: skip
    assert page.queue("20261122-050000-1")["question"] == "drift-20261122"
    assert page.judge(7, "wrong", "hat")["today"]["wrong"] == 2
    assert page.settle("a/b")["watch"]["alarms"] == []
    assert played.asked[-1][0] == "/v1/watch/alarms/a%2Fb/close" or "a/b" in played.asked[-1][0]
    assert page.picture(IMAGES[3])[1] == "image/png"
    with pytest.raises(UnknownName):
        page.picture("../catalog.sqlite")
    played.picture = lambda id: b"<svg onload=alert(1)>"
    with pytest.raises(Exception, match="image"):
        page.picture(IMAGES[3])
    with pytest.raises(InputError, match="not in the catalog"):
        page.review("drift-20261122")


def test_what_a_server_wrote_down_is_told_without_it(catalog: Catalog) -> None:
    assert remembered(catalog.path) == {"watch": None, "routes": None, "jobs": None}
    records = Records(catalog.path)
    records.prepare(TABLES)
    ledger = Ledger(records)
    about = {"model": "clothes", "task": "classify", "reference": "live", "false_alarms": 0.05}
    number = ledger.open(about, "a note").number
    rows = [Row(place, IMAGES[place], "r", 1e9 + place, "dress", 0.5) for place in range(10)]
    ledger.add_live(
        number, rows, np.zeros((10, 2)), np.zeros((10, 3)), state={}, evidence={"brightness": -3.0}, most=99
    )
    body = {"changed": ["darker"], "signals": [], "classes": [], "rows": 9, "since": 1e9, "images": []}
    ledger.put_alarm(Alarm("a1", number, 1e9, body, "drift-a1"))
    accuracy = Accuracy(records, "clothes", 1.0)
    job = SimpleNamespace(sent=SimpleNamespace(id=IMAGES[0]), request="r", service=SimpleNamespace(name="classify"))
    looked: Any = SimpleNamespace(job=job, answer=b'{"label": "dress"}')
    for _ in range(3):
        accuracy.take(looked)
    accuracy.flush()
    accuracy.answer(1, "right", None, "anna")
    accuracy.answer(2, "unsure", None, "anna")
    shared = {
        "route": "ab",
        "request": "r",
        "asked": "",
        "task": "classify",
        "version": "1",
        "role": "answer",
        "at": 1.0,
    }
    with records.write() as connection:
        connection.execute(insert(FEEDBACK), [
            {**shared, "image": str(place), "model": "ab"[place % 2], "right": place < 3} for place in range(4)
        ])  # fmt: skip
        connection.execute(insert(CHANGES), {"at": 1.0, "route": "ab", "what": "step", "why": "5 %", "model": "b"})
    told = remembered(catalog.path)
    watch = told["watch"]
    assert (watch["phase"], watch["model"], watch["images"], watch["changed"]) == ("alarm", "clothes", 10, ["darker"])
    assert watch["curves"][0]["points"][0][1:] == [10, -3.0]
    assert watch["alarms"][0]["queue"] == "drift-a1"
    # As the server itself bounds it.
    exact = day_of(accuracy.days()[0]).model_dump()
    assert watch["accuracy"]["today"] == pytest.approx(exact, abs=1e-5) or watch["accuracy"]["days"][0] == exact
    (route,) = told["routes"]
    assert [(one["model"], one["right"], one["judged"]) for one in route["judged"]] == [("a", 2, 2), ("b", 1, 2)]
    assert route["changes"][0]["what"] == "step"
    records.close()
    (catalog.path / "serve.sqlite").write_bytes(b"no database at all" * 100)
    assert remembered(catalog.path)["watch"] is None


def through(client: TestClient) -> httpx.MockTransport:
    """Reach a server without a socket."""

    def answer(request: httpx.Request) -> httpx.Response:
        kept = {name: request.headers[name] for name in ("accept", "content-type") if name in request.headers}
        found = client.request(request.method, request.url.raw_path.decode(), headers=kept, content=request.content)
        return httpx.Response(found.status_code, content=found.content, headers=[
            ("content-type", found.headers.get("content-type", ""))
        ])  # fmt: skip

    return httpx.MockTransport(answer)


def test_a_real_server_is_watched(catalog: Catalog) -> None:
    models = [Served("embedded", find("embedded")), Served("other", find("embedded"))]
    desk = Desk(Shelf(models), Settings(workers=1), catalog, routes=parse_routes(["ab=embedded:50,other:50"]))
    desk.watch = Watcher(desk, WatchSettings(review=1.0, keep_images=True))
    with TestClient(build(desk), base_url="http://localhost") as client:
        ready(client)
        page = Watching(catalog, "http://localhost", transport=through(client), clock=clock())
        assert page.look()["now"]["total"] == 0
        for place in range(4):
            model = "ab" if place % 2 else "embedded"
            client.post("/v1/classify", files={"image": draw(place)}, data={"model": model}).raise_for_status()
        seen = page.look()
        assert (seen["server"]["state"], seen["refused"]) == ("up", {})
        assert (seen["now"]["total"], seen["now"]["errors"]) == (4, 0)
        assert [one["name"] for one in seen["now"]["models"]] == ["embedded", "other"]
        (route,) = seen["routes"]
        assert (route["kind"], route["verdicts"][0]["better"]) == ("arms", None)
        first, *rest = seen["watch"]["accuracy"]["waiting"]
        judged = page.judge(first["number"], "wrong", "dress")
        assert (judged["today"]["wrong"], len(judged["waiting"])) == (1, len(rest))
        with pytest.raises(InputError):
            page.judge(999, "right", None)
