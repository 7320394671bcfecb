"""A/B tests and roll-outs on a server: keys keep their arms, feedback finds its answer, and decides."""

from __future__ import annotations

import sqlite3
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from lucida.catalog import Catalog, add
from lucida.errors import CatalogError, ModelError
from lucida.images import content_id
from lucida.serve.desk import Desk
from lucida.serve.keys import Holder
from lucida.serve.records import Records
from lucida.serve.routing.breaker import BreakerRule
from lucida.serve.routing.plan import RoutePlan, ShadowRule
from lucida.serve.routing.rollout import RolloutRule
from pictures import picture
from serve.routing.desks import Model, Server, server
from served_models import png, upload

ARMS = RoutePlan("route", {"a": 50.0, "b": 50.0})


def rollout(**rule: Any) -> RoutePlan:
    made = RolloutRule("a", "b", **{"steps": (50.0, 100.0), "requests": 5, "latency": 1000.0, **rule})
    return RoutePlan("route", {"a": 100.0, "b": 0.0}, ("a",), breaker=BreakerRule(failures=3), rollout=made)


@pytest.fixture
def catalog(tmp_path: Path) -> Any:
    picture("disc", 0).save(tmp_path / "disc.png")
    add([tmp_path / "disc.png"], catalog=tmp_path / "catalog")
    with Catalog.open(tmp_path / "catalog") as opened:
        yield opened


def test_the_same_user_is_always_sent_the_same_way_and_feedback_is_kept() -> None:
    with server([Model("a"), Model("b", "dog")], ARMS) as run:
        arms = {user: run.ask(**{"x-user": user}).json()["model"] for user in map(str, range(12))}
        assert set(arms.values()) == {"a", "b"}
        for user, arm in arms.items():
            assert run.ask(**{"x-user": user}).json()["model"] == arm
            field = run.client.post("/v1/classify", **upload(png("stripes"), model="route", user=user)).json()
            assert field["model"] == arm
        # Without a user, the image decides.
        assert len({run.ask(image=png(seed=900)).json()["model"] for _ in range(3)}) == 1

        got = run.ask(**{"x-request-id": "mine"}).json()
        assert got["request_id"] == "mine"
        kept = run.feed("mine", right=True)
        assert kept.json() == {
            "request_id": "mine", "image": got["image"], "route": "route", "model": got["model"], "right": True
        }  # fmt: skip
        other = "dog" if got["label"] == "cat" else "cat"
        assert run.feed("mine", label=other).json()["right"] is False  # the last one counts
        (verdict,) = run.route()["verdicts"]
        assert (verdict["better"], "not known yet" in verdict["said"]) == (None, True)
        assert verdict["unpaired"]["judged_a"] + verdict["unpaired"]["judged_b"] == 1


def test_feedback_that_is_about_nothing_or_says_nothing_is_refused() -> None:
    with server([Model("a"), Model("b")], ARMS) as run:
        got = run.feed("nobody", right=True)
        assert (got.status_code, "request_id" in got.json()["error"]["hint"]) == (404, True)
        got = run.client.post("/v1/batch", **upload(png("disc"), png("square"), model="route")).json()
        id = got["results"][0]["request_id"]
        assert run.feed(id, right=True).status_code == 422  # of which image?
        assert run.feed(id, right=True, image="0" * 64).status_code == 404
        assert run.feed(id, right=True, image=content_id(png("square"))).status_code == 200
        assert run.feed(id).status_code == 422
        assert run.feed(id, right=True, label="dog", image=content_id(png("square"))).status_code == 422
        assert run.feed(id, right=True, no="yes").status_code == 422
        assert run.client.post("/v1/feedback", json=[1]).status_code == 422
    with server([Model("a")]) as run:
        assert run.feed("nobody", right=True).status_code == 404
        assert run.client.get("/v1/routes").json() == {"data": []}


def test_images_that_both_answered_tell_soon_which_is_better() -> None:
    plan = RoutePlan("route", {"a": 50.0, "b": 50.0}, shadow=ShadowRule(1.0))
    with server([Model("a"), Model("b", "dog")], plan) as run:
        asked, served = 0, Counter[str]()
        while asked < 12:
            got = run.ask().json()
            served[got["model"]] += 1
            asked += 1
            while (told := run.route()["shadow"])["asked"] + told["skipped"] < asked or told["waiting"]:
                pass
            assert run.feed(got["request_id"], label="dog").status_code == 200
        (verdict,) = told_again(run)["verdicts"]
        assert (verdict["better"], verdict["paired"]["only_b"]) == ("b", told["asked"])
        assert "b is better" in verdict["said"]
        assert verdict["difference"]["low"] > 0
        assert {"a", "b"} == set(served)


def told_again(run: Server) -> Any:
    """Return what is told of the route once the last verdict is too old to be told again."""
    run.desk.router.verdicts._told.clear()
    return run.route()


def test_a_fallback_is_no_evidence_for_either_arm() -> None:
    a, b = Model("a"), Model("b")
    with server([a, b, Model("c")], RoutePlan("route", {"a": 1.0, "b": 1.0}, ("c",))) as run:
        a.error = b.error = ModelError("The network is damaged.")
        got = run.ask().json()
        assert (got["model"], got["fallback_of"] in "ab") == ("c", True)
        assert run.feed(got["request_id"], right=True).json()["model"] == "c"
        assert run.route()["verdicts"][0]["unpaired"]["judged_a"] == 0


def test_a_rollout_ends_where_all_is_well_and_is_remembered(catalog: Catalog) -> None:
    with server([Model("a"), Model("b", "dog")], rollout(), catalog=catalog) as run:
        while run.route()["rollout"]["step"] == 0:
            assert run.ask().status_code == 200
        assert run.route()["rollout"]["share"] == 1.0
    with server([Model("a"), Model("b", "dog")], rollout(), catalog=catalog) as run:
        told = run.route()
        assert (told["rollout"]["step"], told["rollout"]["state"]) == (1, "running")
        assert [one["what"] for one in told["changes"]] == ["began", "step"]
        while run.route()["rollout"]["state"] == "running":
            assert run.ask().json()["model"] == "b"
    # Another plan is another roll-out.
    with server([Model("a"), Model("b", "dog")], rollout(requests=6), catalog=catalog) as run:
        told = run.route()
        assert told["rollout"]["step"] == 0
        assert [one["what"] for one in told["changes"]] == ["began", "step", "done", "began"]


def test_a_rollout_goes_back_when_the_new_model_fails_and_stays_there(catalog: Catalog) -> None:
    b = Model("b", "dog")
    with server([Model("a"), b], rollout(requests=1000), catalog=catalog) as run:
        b.error = ModelError("The network is damaged.")
        while run.route()["rollout"]["state"] == "running":
            assert run.ask().json()["model"] == "a"  # nobody is left without an answer
        assert "circuit breaker opened" in run.route()["rollout"]["why"]
        b.error = None
    with server([Model("a"), b], rollout(requests=1000), catalog=catalog) as run:
        assert run.route()["rollout"]["state"] == "rolled back"
        assert {run.ask().json()["model"] for _ in range(8)} == {"a"}


def test_feedback_rolls_a_worse_model_back() -> None:
    with server([Model("a"), Model("b", "dog")], rollout(requests=1000)) as run:
        for _ in range(200):
            got = run.ask().json()
            run.feed(got["request_id"], label="cat")
            if run.route()["rollout"]["state"] != "running":
                break
        assert "a is better" in run.route()["rollout"]["why"]


def test_a_locked_file_fails_no_request_and_feedback_says_so(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lucida.serve.records.BUSY", 0.05)
    with server([Model("a"), Model("b")], ARMS, catalog=catalog) as run:
        first = run.ask().json()["request_id"]
        assert run.feed(first, right=True).status_code == 200
        other = sqlite3.connect(run.desk.records.file, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        ids = [run.ask().json()["request_id"] for _ in range(5)]
        got = run.feed(ids[0], right=True)
        assert (got.status_code, got.json()["error"]["type"]) == (503, "CatalogError")
        assert run.route()["records"]["trouble"]
        other.execute("ROLLBACK")
        other.close()
        # Nothing was lost: the answers were kept in memory.
        assert [run.feed(id, right=False).status_code for id in ids] == [200] * 5
        assert (run.route()["records"]["trouble"], run.route()["records"]["lost"]) == (None, 0)


def test_a_full_disk_fails_no_request_and_what_is_lost_is_counted(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    full, tried = threading.Event(), threading.Event()
    real = Records.write

    def write(self: Records) -> Any:
        if full.is_set():
            tried.set()
            raise CatalogError("The disk of the catalog is full.", expected="room", got="none")
        return real(self)

    monkeypatch.setattr(Records, "write", write)

    def few(desk: Desk) -> None:
        desk.router.ledger._most = 3

    with server([Model("a"), Model("b")], ARMS, prepare=few) as run:
        full.set()
        for _ in range(8):
            assert run.ask().status_code == 200
        assert tried.wait(20)
        while run.route()["records"]["trouble"] is None:
            pass
        told = run.route()["records"]
        assert (told["waiting"], told["lost"]) == (3, 5)
        assert run.feed("any", right=True).status_code == 503
        full.clear()
        assert run.feed("any", right=True).status_code == 404  # it is written again
        assert run.route()["records"]["waiting"] == 0
    assert sum("cannot be remembered" in one.message for one in caplog.records) == 1


def test_where_a_rollout_was_is_waited_for_and_the_old_model_answers_meanwhile(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = threading.Event()
    real = Records.prepare

    def prepare(self: Records, tables: Any) -> None:
        if "route_states" in tables.tables and not go.is_set():
            raise CatalogError("Another program writes.", expected="a turn", got="none")
        real(self, tables)

    monkeypatch.setattr(Records, "prepare", prepare)
    monkeypatch.setattr("lucida.serve.routing.router.PATIENT", 0.0)
    monkeypatch.setattr("lucida.serve.routing.ledger.RETRY", 0.02)
    with server([Model("a"), Model("b")], rollout(steps=(100.0,)), catalog=catalog) as run:
        assert run.route()["rollout"]["state"] == "unknown"
        assert run.ask().json()["model"] == "a"
        go.set()
        while run.route()["rollout"]["state"] == "unknown":
            pass
        assert run.ask().json()["model"] == "b"


def test_the_holder_of_a_key_is_the_key_where_no_user_is_named() -> None:
    class Known:
        def know(self, authorization: str, address: str) -> Holder:
            return Holder(authorization or "x")

        def admit(self, authorization: str, scope: str) -> Holder:
            return Holder(authorization or "x")

    def keyed(desk: Desk) -> None:
        desk.keys = Known()

    with server([Model("a"), Model("b")], ARMS, prepare=keyed) as run:
        assert len({run.ask(authorization="anna").json()["model"] for _ in range(6)}) == 1
        assert len({run.ask(authorization=f"k{number}").json()["model"] for number in range(12)}) == 2
