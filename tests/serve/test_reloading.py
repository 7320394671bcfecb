"""A model that is replaced while it is served: no request is lost, what fails changes nothing, and the old one goes."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from starlette.testclient import TestClient

from lucida.errors import InputError
from lucida.serve.application import build
from lucida.serve.config import Settings
from lucida.serve.desk import Desk
from lucida.serve.key_file import KeyMade, make_key
from lucida.serve.key_ring import KeyRing
from lucida.serve.refusal import Refused
from lucida.serve.reloading import Reloader
from lucida.serve.routing.plan import RoutePlan
from lucida.serve.served import Served, open_shelf
from lucida.serve.server import DrainingServer
from served_models import png, ready, upload

CARD = 'name = "tiny"\ntask = "classify"\nfile = "model.onnx"\n[input]\nname = "pixels"\nsize = 16\n'
OUTPUT = '[output]\nlogits = "logits"\nclasses = "classes.txt"\n'


def train(folder: Path, winner: int) -> Path:
    """Write a model that says the same of every image."""
    folder.mkdir(exist_ok=True)
    bias = np.eye(2, dtype=np.float32)[winner] * 9
    nodes = [
        helper.make_node("GlobalAveragePool", ["pixels"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("Gemm", ["flat", "kernel", "bias"], ["logits"]),
    ]
    weights = {"kernel": np.zeros((3, 2), np.float32), "bias": bias}
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["n", 3, 16, 16])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 2])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), folder / "model.onnx"
    )
    (folder / "model.toml").write_text(CARD + OUTPUT)
    (folder / "classes.txt").write_text("cat\ndog")
    return folder / "model.toml"


class Running:
    """A server of one model that can be trained anew."""

    def __init__(self, folder: Path, client: TestClient, desk: Desk) -> None:
        self.folder, self.client, self.desk = folder, client, desk

    def ask(self, seed: int = 0, **headers: str) -> dict[str, Any]:
        got = self.client.post("/v1/classify", headers=headers, **upload(png(seed=seed)))
        assert got.status_code == 200, got.text
        found: dict[str, Any] = got.json()
        return found

    def reload(self, status: int = 200) -> dict[str, Any]:
        got = self.client.post("/v1/models/pets/reload")
        assert got.status_code == status, got.text
        found: dict[str, Any] = got.json()
        return found


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    card = train(tmp_path / "run", 0)
    desk = Desk(open_shelf([f"pets={card}"]), Settings(workers=2))
    with TestClient(build(desk), base_url="http://localhost") as client:
        ready(client)
        yield Running(tmp_path / "run", client, desk)


def test_what_was_trained_anew_is_served_and_nothing_old_is_kept(running: Running) -> None:
    before = running.ask()
    assert running.reload()["changed"] is False
    gone = weakref.ref(running.desk.shelf.models["pets"])
    model = weakref.ref(next(iter(gone()._models.values())))  # type: ignore[union-attr]
    train(running.folder, 1)
    done = running.reload()
    assert (done["before"], done["changed"]) == (before["revision"], True)
    after = running.ask()
    assert (before["label"], after["label"]) == ("cat", "dog")
    assert after["revision"] == done["revision"]
    gc.collect()
    assert gone() is None
    assert model() is None
    told = running.client.get("/metrics").text
    assert f'lucida_model_info{{family="onnx",model="pets",revision="{done["revision"]}"}} 1.0' in told
    assert before["revision"] not in told
    assert 'lucida_reloads_total{result="done"} 1.0' in told
    assert "lucida_models_leaving 0.0" in told


def test_no_request_is_lost_while_it_is_reloaded(running: Running) -> None:
    train(running.folder, 1)
    over = threading.Event()
    revisions: list[tuple[str, str]] = []

    def ask(first: int) -> int:
        count = 0
        while not over.is_set() or count < 3:
            said = running.ask(first + count % 7, **{"cache-control": "no-cache"})
            revisions.append((said["revision"], said["label"]))
            count += 1
        return count

    with ThreadPoolExecutor(3) as clients:
        asked = [clients.submit(ask, 10 * number) for number in range(3)]
        try:
            done = running.reload()
            running.ask(99)
        finally:
            over.set()
        assert all(one.result(30) >= 3 for one in asked)
    assert set(revisions) <= {(done["before"], "cat"), (done["revision"], "dog")}


def test_who_was_taken_keeps_the_model_that_was_promised(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go = threading.Event(), threading.Event()
    seer = Served.seer

    def held(self: Served, wish: Any) -> Any:
        if threading.current_thread().name.startswith("work"):
            begun.set()
            assert go.wait(20)
        return seer(self, wish)

    train(running.folder, 1)
    with ThreadPoolExecutor(1) as other:
        monkeypatch.setattr(Served, "seer", held)
        asked = other.submit(running.ask)
        assert begun.wait(20)
        done = running.reload()
        assert "lucida_models_leaving 1.0" in running.client.get("/metrics").text
        go.set()
        said = asked.result(20)
    assert (said["revision"], said["label"]) == (done["before"], "cat")


def test_a_reload_that_fails_leaves_the_old_one_and_says_why(running: Running) -> None:
    before = running.ask()["revision"]
    (running.folder / "model.onnx").write_bytes(b"half a file")
    error = running.reload(422)["error"]
    assert error["type"] == "ModelError"
    assert str(running.folder) not in str(error)
    (running.folder / "model.toml").unlink()
    assert running.reload(422)["error"]["what"]
    assert running.ask(seed=1)["revision"] == before
    assert 'lucida_reloads_total{result="failed"} 2.0' in running.client.get("/metrics").text
    assert running.client.post("/v1/models/pet/reload").json()["error"]["type"] == "UnknownName"


def test_a_list_of_models_is_read_anew_all_at_once_or_not_at_all(tmp_path: Path) -> None:
    one, two = train(tmp_path / "one", 0), train(tmp_path / "two", 1)
    names = [f"one={one}", f"two={two}"]

    async def body() -> None:
        desk = Desk(open_shelf(names), Settings(workers=1), routes=[RoutePlan("best", {"two": 1.0})])
        reloader = Reloader(desk, lambda: names)
        try:
            await desk.load()
            kept = desk.shelf.models["two"]
            train(tmp_path / "one", 1)
            names[:] = [f"three={one}", f"two={two}", f"one={one}"]
            done = await reloader.reload_all()
            assert [(each.model, bool(each.before), bool(each.revision)) for each in done] == [
                ("one", True, True), ("three", False, True)
            ]  # fmt: skip
            assert list(desk.shelf.models) == ["three", "two", "one"]
            assert desk.shelf.models["two"] is kept
            names[:] = ["two=" + str(two)]
            assert [each.revision for each in await reloader.reload_all()] == ["", ""]
            for wrong, said in (([f"two={two}", "none"], "none"), ([f"one={one}"], "route 'best'")):
                names[:] = wrong
                with pytest.raises(Refused, match=said):
                    await reloader.reload_all()
            assert list(desk.shelf.models) == ["two"]
        finally:
            desk.close()

    asyncio.run(body())


def test_only_a_key_that_says_so_may_reload(tmp_path: Path) -> None:
    file, card = tmp_path / "keys.yaml", train(tmp_path / "run", 0)
    all_else, admin = make_key(file, "anna"), make_key(file, "root", ["admin"])
    assert isinstance(all_else, KeyMade)
    desk = Desk(open_shelf([f"pets={card}"]), Settings(workers=1), keys=KeyRing(file))
    with TestClient(build(desk), base_url="http://localhost") as client:
        head = {"authorization": f"Bearer {admin.key}"}
        while client.get("/readyz").status_code != 200:
            assert desk.failure is None
        for key, status in ((all_else.key, 403), (admin.key, 200), ("none", 401)):
            got = client.post("/v1/models/pets/reload", headers={"authorization": f"Bearer {key}"})
            assert got.status_code == status
        assert client.post("/v1/classify", headers=head, **upload(png())).status_code == 403
    strangers = Desk(open_shelf([f"pets={card}"]), Settings("0.0.0.0", workers=1))
    try:
        got = TestClient(build(strangers), base_url="http://localhost").post("/v1/models/pets/reload")
        assert got.status_code == 403
        assert InputError.__name__ == got.json()["error"]["type"]
    finally:
        strangers.close()


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no such signal")
def test_a_signal_reloads_and_a_terminal_that_is_gone_ends_it(tmp_path: Path) -> None:
    desk = Desk(open_shelf([f"pets={train(tmp_path / 'run', 0)}"]), Settings(workers=1))
    told: list[str] = []
    server = DrainingServer(build(desk), desk, reload=lambda: told.append("reload"))
    try:
        server._terminal = False
        server._hang_up()
        assert (told, desk.state) == (["reload"], "loading")
        server._terminal = not os.isatty(2)
        server._hang_up()
        assert desk.state == ("stopping" if server._terminal else "loading")
    finally:
        desk.close()
