"""Two processes train what one does, and only the first of them writes and speaks."""

from __future__ import annotations

import json
import multiprocessing
import socket
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("accelerate")
pytest.importorskip("timm")

from killing import Warm  # noqa: E402
from lucida.models.registry import find  # noqa: E402
from lucida.train.journal import read  # noqa: E402
from lucida.train.settings import Settings  # noqa: E402
from lucida.train.standing import BEST, LAST  # noqa: E402
from lucida.tuning import checkpoint  # noqa: E402
from pictures import write_pictures  # noqa: E402
from points import fit_as_one_of  # noqa: E402

pytestmark = pytest.mark.torch
HEAVY = ("timm", "accelerate", "onnxscript", "lucida.cli", "lucida.train.verb", "lucida.train.job")
HEAVY += ("lucida.train.classify", "points")


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def test_two_processes_come_to_the_weights_of_one(tmp_path: Path):
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(HEAVY))
    found = []
    for count in (1, 2):
        folder = tmp_path / str(count)
        folder.mkdir()
        settings = Settings(epochs=3, batch=20 // count, rate=0.02, workers=0, arithmetic="fp32")
        port = free_port()
        places = [(rank, count, port, settings, folder) for rank in range(count)]
        together = [context.Process(target=fit_as_one_of, args=place) for place in places]
        for one in together:
            one.start()
        for one in together:
            one.join(120)
            assert one.exitcode == 0
        found.append(checkpoint.load(folder / LAST)[0])
    for group in ("network", "average"):
        for name, value in found[0][group].items():
            assert torch.allclose(value, found[1][group][name], atol=1e-5)
    rows = [[row["step"] for row in read(tmp_path / str(count) / "metrics.jsonl")] for count in (1, 2)]
    assert rows[0] == rows[1]


def test_two_processes_leave_one_run_and_one_answer(tmp_path: Path):
    write_pictures(tmp_path / "data" / "train", 12, by_class=True)
    write_pictures(tmp_path / "data" / "validation", 4, first_seed=500, by_class=True)
    words = ["train", "classify", "--data", "data", "--model", "test_resnet", "--size", "32", "--epochs", "2"]
    words += ["--batch", "6", "--rate", "5e-3", "--workers", "0", "--json"]
    warm, shared = Warm(*HEAVY), {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    ranks = [{**shared, "RANK": rank, "LOCAL_RANK": rank} for rank in ("0", "1")]
    together = [warm.start(words, tmp_path, rank) for rank in ranks]
    assert [one.wait(120) for one in together] == [0, 0]
    first, second = ((tmp_path / f"printed{rank}").read_text(encoding="utf-8") for rank in ("0", "1"))
    done = json.loads(first)
    assert second == ""
    assert done["steps"] == 6
    spec = find(done["run"], tmp_path / "lucida-catalog" / "models")
    assert len(spec.gives.classes) == 3
    assert checkpoint.load(Path(done["folder"]) / BEST)[1]["metrics"]["accuracy"] == done["metrics"]["accuracy"]
