"""Jobs: taken at once, done in free places, in order, once; cancelled, kept, forgotten; and gone on with."""

from __future__ import annotations

import base64
import json
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from sqlalchemy import event
from starlette.testclient import TestClient

import lucida.serve.jobs.jobs
import lucida.serve.jobs.ledger
import lucida.serve.jobs.wanted
import lucida.serve.records
from lucida.catalog import Catalog, add
from lucida.errors import CatalogError, InputError
from lucida.images import content_id
from lucida.serve.application import build
from lucida.serve.config import Settings
from lucida.serve.desk import Desk
from lucida.serve.jobs.bodies import Task
from lucida.serve.jobs.ledger import Ledger
from lucida.serve.jobs.rows import Ended
from lucida.serve.jobs.steps import OFTEN
from lucida.serve.jobs.wanted import KINDS, Wanted
from lucida.serve.keys import Holder
from lucida.serve.records import Records
from lucida.serve.refusal import Refused
from lucida.serve.served import Shelf
from models.tiny_generators import flow
from models.tiny_restorers import upscaler
from pictures import picture
from serve.killed_server import answered
from serve.making_desk import by_path
from served_models import boxes, held, lines, png, ready, told, upload


class NoSearch(Holder):
    """May not look for images."""

    def check(self, service: str, model: str) -> None:
        if service == "search":
            raise Refused(403, InputError("No."))


class Names:
    """Takes a key for the name of whoever sends it."""

    def know(self, authorization: str, address: str) -> Holder:
        return (
            NoSearch("carl") if "carl" in authorization else Holder(authorization.removeprefix("Bearer ") or "anyone")
        )

    def admit(self, authorization: str, scope: str) -> Holder:
        return self.know(authorization, "")


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    folder = tmp_path_factory.mktemp("jobs")
    for seed, kind in enumerate(("disc", "square")):
        picture(kind, seed).save(folder / f"{kind}.png")
    add([folder], catalog=folder / "catalog")
    with Catalog.open(folder / "catalog") as opened:
        yield opened


@pytest.fixture(scope="module")
def client(catalog: Catalog) -> Iterator[TestClient]:
    folder = catalog.path.parent
    models = [
        told("detect", ("bolt", "nut"), boxes, "bolts"),
        by_path("painter", flow(folder / "painter")),
        by_path("larger", upscaler(folder / "larger", 2)),
    ]
    desk = Desk(Shelf(models), Settings(workers=2, job_items=20), catalog, Names())
    with TestClient(build(desk), base_url="http://localhost") as opened:
        ready(opened)
        yield opened


def events(client: TestClient, id: str) -> list[tuple[str, dict[str, Any]]]:
    """Return all events of a job, which ends with the last."""
    blocks = client.get(f"/v1/jobs/{id}/events").text.split("\n\n")
    pairs = [block.split("\n") for block in blocks if block.startswith("event: ")]
    return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in pairs]


def result(client: TestClient, id: str) -> list[Any]:
    """Wait for a job, and return what came of it."""
    assert events(client, id)[-1][0] == "end"
    return list(client.get(f"/v1/jobs/{id}/result").json()["results"])


def test_many_images_in_order_with_errors_in_their_places(client: TestClient, catalog: Catalog) -> None:
    disc = catalog.images.resolve("disc.png")[0]
    sent = [png(), b"%PDF-1.7", png(seed=1)]
    images = ["data:image/png;base64," + base64.b64encode(one).decode() for one in sent]
    asked = {"task": "detect", "images": [*images, disc, "http://a.b/c.png", "0" * 64], "classes": ["bolt"]}
    posted = client.post("/v1/jobs", json=asked)
    assert posted.status_code == 202, posted.text
    job = posted.json()
    assert (job["state"] in ("queued", "running"), job["lasting"], job["progress"]["total"]) == (True, True, 6)
    assert posted.headers["location"] == f"/v1/jobs/{job['id']}"
    found = result(client, job["id"])
    assert [one.get("image") for one in found] == [content_id(sent[0]), None, content_id(sent[2]), disc, None, None]
    assert [one["label"] for one in found[0]["objects"]] == ["bolt"]
    assert ["no image" in str(found[1]), "not fetched" in str(found[4]), "image" in str(found[5])] == [True] * 3
    after = client.get(f"/v1/jobs/{job['id']}").json()
    assert (after["state"], after["progress"]["done"], after["progress"]["failed"]) == ("done", 3, 3)
    assert after["expires"] > after["finished"]
    lines = client.get(f"/v1/jobs/{job['id']}/result", headers={"accept": "application/x-ndjson"}).text.splitlines()
    assert [json.loads(line) for line in lines] == found
    # What was sent is not needed any more, and not kept.
    with sqlite3.connect(catalog.path / "serve.sqlite") as plain:
        assert plain.execute("SELECT count(*) FROM job_inputs").fetchone() == (0,)


def test_all_kinds_are_told_of() -> None:
    assert get_args(Task) == tuple(KINDS)


def test_images_of_the_catalog_by_a_query(client: TestClient) -> None:
    job = client.post("/v1/jobs", json={"task": "detect", "glob": "*.png"}).json()
    assert [one["task"] for one in result(client, job["id"])] == ["detect", "detect"]
    assert client.post("/v1/jobs", json={"task": "detect", "glob": "*.gif"}).status_code == 422
    carl = {"authorization": "Bearer carl"}
    assert client.post("/v1/jobs", json={"task": "detect", "glob": "*.png"}, headers=carl).status_code == 403
    assert "nothing" in client.post("/v1/jobs", json={"task": "detect", "where": ["nothing=x"]}).text


def test_pictures_of_a_job_are_those_of_single_requests(client: TestClient) -> None:
    asked = {"prompt": "cat", "seed": 5, "steps": 2}
    job = client.post("/v1/jobs", json={"task": "generate", "n": 3, **asked}).json()
    drawn = [one["images"][0] for one in result(client, job["id"])]
    assert [one["seed"] for one in drawn] == [5, 6, 7]
    assert drawn[1]["png"] == client.post("/v1/generate", json={**asked, "seed": 6}).json()["images"][0]["png"]
    mask = ("mask", ("m.png", _white(), "image/png"))
    sent = {"files": [*upload(png(), png(seed=1))["files"], mask], "data": {"task": "restore", "upscale": "2"}}
    restored = result(client, client.post("/v1/jobs", **sent).json()["id"])
    assert [one.get("size") for one in restored] == [[96, 96]] * 2, restored


def _white() -> bytes:
    import io

    from PIL import Image

    file = io.BytesIO()
    white = np.zeros((48, 48), np.uint8)
    white[10:14, 10:14] = 255
    Image.fromarray(white).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("asked", "status", "said"),
    [
        ({"images": ["0" * 64]}, 422, "task"),
        ({"task": "screen", "images": ["0" * 64]}, 422, "task"),
        ({"task": "detect"}, 422, "no items"),
        ({"task": "detect", "images": ["0" * 64] * 21}, 422, "no items"),
        ({"task": "detect", "images": ["0" * 64], "question": "?"}, 422, "question"),
        ({"task": "detect", "images": ["0" * 64], "model": "bolt"}, 404, "bolts"),
        ({"task": "caption", "images": ["0" * 64]}, 404, "caption"),
        ({"task": "generate", "n": 0, "prompt": "cat"}, 422, "'n'"),
    ],
)
def test_what_cannot_be_done_is_said_at_once(client: TestClient, asked: dict, status: int, said: str) -> None:
    got = client.post("/v1/jobs", json=asked)
    assert (got.status_code, said in got.text) == (status, True), got.text


def test_a_repeated_request_is_the_same_job_and_nobody_elses(client: TestClient) -> None:
    anna, bob = ({"authorization": f"Bearer {name}"} for name in ("anna", "bob"))
    asked = {"task": "detect", "glob": "*.png"}
    first, again = (client.post("/v1/jobs", json=asked, headers={**anna, "idempotency-key": "k"}) for _ in range(2))
    assert (first.json()["id"], again.headers["idempotent-replayed"]) == (again.json()["id"], "true")
    other = client.post("/v1/jobs", json={**asked, "least": 0.5}, headers={**anna, "idempotency-key": "k"})
    assert (other.status_code, "Idempotency-Key" in other.text) == (422, True)
    assert (
        client.post("/v1/jobs", json=asked, headers={**bob, "idempotency-key": "k"}).json()["id"] != first.json()["id"]
    )
    assert [one["id"] for one in client.get("/v1/jobs", headers=anna).json()["data"]] == [first.json()["id"]]
    for path in ("", "/result", "/events"):
        assert client.get(f"/v1/jobs/{first.json()['id']}{path}", headers=bob).status_code == 404
    assert client.delete(f"/v1/jobs/{first.json()['id']}", headers=bob).status_code == 404


def test_a_job_is_cancelled_and_a_full_queue_refuses() -> None:
    served, model = held()
    desk = Desk(Shelf([served]), Settings(workers=1, job_queue=1))
    model.go.set()
    with TestClient(build(desk), base_url="http://localhost") as client:
        ready(client)
        assert model.begun.acquire(timeout=10)
        model.go.clear()
        job = client.post("/v1/jobs", **upload(png(), png(seed=1), task="detect")).json()
        assert (job["lasting"], "until the server ends" in job["notes"][0]) == (False, True)
        assert model.begun.acquire(timeout=10)
        full = client.post("/v1/jobs", **upload(png(), task="detect"))
        assert (full.status_code, full.headers["retry-after"]) == (429, "60")
        # Live requests are taken while a job is being done.
        assert desk.pool.taken == 1
        early = client.get(f"/v1/jobs/{job['id']}/result")
        assert (early.status_code, early.headers["retry-after"]) == (409, "2")
        assert client.get(f"/v1/jobs/{job['id']}/result?partial=true").json()["results"] == [None, None]
        ended = client.delete(f"/v1/jobs/{job['id']}").json()
        assert (ended["state"], client.delete(f"/v1/jobs/{job['id']}").json()["state"]) == ("cancelled", "cancelled")
        model.go.set()
        assert ["before this item" in str(one) for one in result(client, job["id"])] == [True, True]
        assert client.delete(f"/v1/jobs/{job['id']}?forget=true").status_code == 200
        assert client.get(f"/v1/jobs/{job['id']}").status_code == 404


def test_a_picture_of_a_job_gives_way_to_a_live_one(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, shares = threading.Event(), list[float]()

    def slow(desk: Desk, *rest: Any) -> dict[str, Any]:
        # The first time it has only just begun when somebody comes, the second time it is nearly done.
        shares.append(0.2 if not shares else 0.9)
        begun.set()
        while not desk.bench.pool("making").depth:
            assert threading.Event().wait(0.001) is False
        rest[-1](shares[-1])
        return {"image": "", "size": [1, 1], "png": b"", "notes": []}

    monkeypatch.setattr(lucida.serve.jobs.wanted, "restore", slow)
    job = client.post("/v1/jobs", **upload(png(), task="restore", upscale="2")).json()
    for _ in range(2):
        assert begun.wait(10)
        begun.clear()
        assert client.post("/v1/restore", **upload(png(), upscale="2")).status_code == 200
    assert (len(result(client, job["id"])), shares) == (1, [0.2, 0.9])


# ---- what is written down --------------------------------------------------------------------------------


class Clock:
    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def small(count: int = 2, size: int = 100, digest: str = "d") -> Wanted:
    images = tuple(f"{place:064d}" for place in range(count))
    sent = {id: os.urandom(size) for id in images}
    return Wanted("detect", "bolts", {"asked": {}, "shared": {}}, count, images, sent, {}, digest)


@pytest.fixture
def records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Records]:
    monkeypatch.setattr(lucida.serve.records, "BUSY", 0.05)
    opened = Records(tmp_path)
    yield opened
    opened.close()


def test_nothing_half_written_on_a_full_disk_or_when_another_program_writes(records: Records) -> None:
    ledger = Ledger(records, Settings())
    ledger.prepare()
    kept = ledger.accept(small(), "anna", "")
    with sqlite3.connect(records.file, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(CatalogError, match="Another program") as caught:
            ledger.accept(small(), "anna", "")
        assert str(records.file.parent) not in caught.value.message() + caught.value.line()
        other.execute("ROLLBACK")
        pages = other.execute("PRAGMA page_count").fetchone()[0]

    @event.listens_for(records._engine, "checkout")
    def _(connection: Any, *_: Any) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages}")

    with pytest.raises(CatalogError, match="full"):
        ledger.accept(small(size=100_000), "anna", "")
    assert [one.id for one in ledger.all("anna", 10)] == [kept.id]
    assert ledger.pending(kept.number) == [0, 1]


def test_old_jobs_make_room_and_are_forgotten(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    ledger = Ledger(records, Settings(job_results=1500, job_days=1, job_inputs=500), clock)
    ledger.prepare()
    jobs = [ledger.accept(small(2, digest=str(n)), "anna", "") for n in range(2)]
    with pytest.raises(Refused) as full:
        ledger.accept(small(2), "anna", "")
    assert (full.value.status, "bytes" in full.value.error.what) == (429, True)
    for number, place in ((jobs[0].number, 0), (jobs[0].number, 1)):
        assert ledger.turn(None, (number, place)).item is not None
        over = ledger.turn(Ended(number, place, b"x" * 600, False), None).over
    assert over
    # An item that was begun as often as this has ended the server each time.
    number = jobs[1].number
    for _ in range(OFTEN):
        assert ledger.turn(None, (number, 0)).item is not None
    assert ledger.turn(None, (number, 0)).item is None
    assert b"left out" in (ledger.answers(number, 0)[0] or b"")
    # To keep it, the older job had to go; there is no room for what is larger than all.
    with pytest.raises(Refused):
        ledger.get(jobs[0].id, "anna")
    ledger.turn(Ended(number, 1, b"y" * 1200, False), None)
    assert b"no room" in (ledger.answers(number, 1)[0] or b"")
    assert ledger.get(jobs[1].id, "anna").state == "failed"
    monkeypatch.setattr(lucida.serve.jobs.ledger, "HELD", 1)
    assert [len(ledger.answers(number, first)) for first in (0, 1, 2)] == [1, 1, 0]
    waiting = ledger.accept(small(1), "anna", "")
    clock.now += 86_401
    ledger.sweep()
    assert ledger.get(waiting.id, "anna").problem is not None
    with pytest.raises(Refused):
        ledger.get(jobs[1].id, "anna")


def test_a_job_waits_until_its_model_is_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lucida.serve.jobs.jobs, "LOOK", 0.02)
    folder = tmp_path / "catalog"
    with Catalog.open(folder, create=True) as opened:
        desk = Desk(Shelf([told("read", (), lines, "reader")]), Settings(workers=1), opened)
        ledger = Ledger(desk.records, desk.settings)
        ledger.prepare()
        sent = Wanted("detect", "bolts", {"asked": {"model": "bolts"}, "shared": {}}, 1, ("a",), {"a": png()}, {}, "d")
        id = ledger.accept(sent, "anyone", "").id
        with TestClient(build(desk), base_url="http://localhost") as client:
            ready(client)
            while not (notes := client.get(f"/v1/jobs/{id}").json()["notes"]):
                pass
            assert "Unknown model 'bolts'" in notes[0]
            desk.shelf.models["bolts"] = told("detect", ("bolt", "nut"), boxes, "bolts")
            assert len(result(client, id)[0]["objects"]) == 2


def test_a_job_survives_the_end_of_its_server(tmp_path: Path) -> None:
    from PIL import Image

    for number in (10, 20, 30, 40):
        Image.fromarray(np.full((16, 16, 3), number, np.uint8)).save(tmp_path / f"{number}.png")
    Catalog.open(tmp_path / "catalog", create=True).close()
    log = tmp_path / "log"
    command = [sys.executable, "-m", "serve.killed_server", str(tmp_path / "catalog"), str(log)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    killed = subprocess.run(command, env=env, check=False, capture_output=True, timeout=120)
    assert (killed.returncode, log.read_text()) == (-9, "10 20 30 "), killed.stderr.decode()
    found = answered(tmp_path / "catalog", log)
    # What was finished was not done again; what was under way was.
    assert log.read_text() == "10 20 30 30 40 "
    assert ([one["image"] for one in found["results"]], found["state"]) == (
        [content_id((tmp_path / f"{number}.png").read_bytes()) for number in (10, 20, 30, 40)],
        "done",
    )
