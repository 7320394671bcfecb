"""What the metrics count, and that nothing of a client's becomes a label."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from lucida.errors import InputError
from lucida.models.chat import Usage
from lucida.serve.application import build
from lucida.serve.config import Settings
from lucida.serve.desk import Desk
from lucida.serve.headers import Exchange
from lucida.serve.keys import ANYONE, Holder
from lucida.serve.refusal import Refused
from lucida.serve.routing.plan import RoutePlan
from lucida.serve.served import Shelf
from lucida.serve.stages import Stage
from lucida.serve.watch.metrics import Metrics
from lucida.serve.watch.readings import Reading
from served_models import boxes, png, ready, talker, told, upload

Key = tuple[str, tuple[tuple[str, str], ...]]


def values(text: str) -> dict[Key, float]:
    """Return each sample by its name and labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(found: dict[Key, float], name: str, **labels: str) -> float | None:
    """Return one of them."""
    return found.get((f"lucida_{name}", tuple(sorted(labels.items()))))


@pytest.fixture(scope="module")
def found() -> dict[Key, float]:
    """The metrics of a server that was asked a few things."""
    one = talker()
    shelf = Shelf([told("detect", ("bolt", "nut"), boxes, "bolts"), one])
    desk = Desk(shelf, Settings(workers=1), routes=[RoutePlan("best", {"bolts": 1.0})])
    with TestClient(build(desk), base_url="http://localhost") as client:
        ready(client)
        for model in ("bolts", "bolts", "my secret", "../etc"):
            client.post("/v1/detect", **upload(png(), model=model))
        client.post("/v1/batch", **upload(png(), png(seed=1), b"%PDF", task="detect"))
        client.post("/v1/detect", **upload(png(seed=9), model="best"))
        client.get("/no such address")
        one.meter.add(Usage(100, 7, 0.25))
        desk.gauges.append(lambda: [Reading("lucida_jobs", "Jobs.", 3, {"state": "waiting"})])
        got = client.get("/metrics")
        assert got.headers["content-type"].startswith("text/plain")
        assert "openmetrics" in client.get("/metrics", headers={"accept": "application/openmetrics-text"}).headers[
            "content-type"
        ]  # fmt: skip
        assert "secret" not in got.text
        assert "/etc" not in got.text
        return values(got.text)


@pytest.mark.parametrize(
    ("name", "labels", "expected"),
    [
        ("requests_total", {"service": "detect", "model": "bolts", "status": "200"}, 3),
        ("requests_total", {"service": "detect", "model": "", "status": "404"}, 2),
        ("requests_total", {"service": "batch", "model": "bolts", "status": "200"}, 1),
        ("errors_total", {"service": "detect", "type": "UnknownName", "status": "404"}, 2),
        ("errors_total", {"service": "batch", "type": "ImageError", "status": "422"}, 1),
        ("images_total", {"service": "detect", "model": "bolts", "source": "model"}, 3),
        ("images_total", {"service": "detect", "model": "bolts", "source": "memory"}, 2),
        ("request_seconds_count", {"service": "detect", "model": "bolts"}, 3),
        ("work_seconds_count", {"service": "detect", "model": "bolts"}, 2),
        ("wait_seconds_count", {"service": "batch", "model": "bolts"}, 2),
        ("batch_images_sum", {}, 3),
        ("cache_hits_total", {}, 2),
        ("queue_depth", {"pool": "looks"}, 0),
        ("places_taken", {"pool": "looks"}, 0),
        ("workers", {"pool": "looks"}, 1),
        ("call_images_count", {"pool": "looks"}, 4),
        ("route_images_total", {"route": "best", "model": "bolts", "outcome": "answered"}, 1),
        ("route_share", {"route": "best", "model": "bolts"}, 1),
        ("route_breaker_open", {"route": "best", "model": "bolts"}, 0),
        ("ready", {}, 1),
        ("jobs", {"state": "waiting"}, 3),
        ("model_info", {"model": "talker", "revision": "1", "family": "test"}, 1),
        ("model_cost_dollars_total", {"model": "talker"}, 0.25),
        ("model_tokens_total", {"model": "talker", "direction": "output"}, 7),
    ],
)
def test_what_was_asked_is_counted(found: dict[Key, float], name: str, labels: dict[str, str], expected: float) -> None:
    assert value(found, name, **labels) == expected


def test_stages_and_those_who_left_are_told_apart() -> None:
    metrics = Metrics(lambda: ["one"])
    stages = [Stage("read", 0, 9), Stage("wait", 1, 1.5), Stage("work", 1.5, 3.5)]
    metrics.watch(Exchange("x", "classify", "one", seconds=3.5, stages=stages, received=10, sent=0))
    counted = values(metrics.text()[0].decode())
    labels = {"service": "classify", "model": "one"}
    assert value(counted, "wait_seconds_sum", **labels) == 0.5
    assert value(counted, "work_seconds_sum", **labels) == 2.0
    assert value(counted, "requests_total", status="499", **labels) == 1
    assert value(counted, "received_bytes_total", service="classify") == 10


def test_several_processes_behind_one_address_are_told_apart() -> None:
    metrics = Metrics(lambda: ["one"], lambda: [Reading("lucida_ready", "Ready.", 1)], "4711")
    metrics.watch(Exchange("x", "classify", "one", 200))
    for accept in ("", "application/openmetrics-text"):
        text = metrics.text(accept)[0].decode()
        assert all('process="4711"' in line for line in text.splitlines() if not line.startswith("#"))
        assert 'lucida_ready{process="4711"} 1.0' in text


def test_it_needs_the_scope_watch() -> None:
    class Keys:
        def know(self, authorization: str, address: str) -> Holder:
            return ANYONE

        def admit(self, authorization: str, scope: str) -> Any:
            assert scope == "watch"
            raise Refused(403, InputError("no"))

    desk = Desk(Shelf([talker()]), Settings(workers=1), keys=Keys())
    try:
        client = TestClient(build(desk), base_url="http://localhost")
        assert client.get("/metrics").status_code == 403
    finally:
        desk.close()
