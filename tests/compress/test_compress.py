"""`lucida compress` as a person uses it: from a run to a smaller one that is used like any other."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("accelerate")
pytest.importorskip("timm")
pytest.importorskip("torch_pruning")

from lucida.catalog import Catalog, add  # noqa: E402
from lucida.compress.prune import cut, set_aside  # noqa: E402
from lucida.compress.verb import compress  # noqa: E402
from lucida.data import Sample, Samples  # noqa: E402
from lucida.errors import InputError, ModelError, UnknownName  # noqa: E402
from lucida.images import decode  # noqa: E402
from lucida.label.verb import label  # noqa: E402
from lucida.models.registry import find  # noqa: E402
from lucida.review.verb import verify  # noqa: E402
from lucida.train.backbone import Classifier, build  # noqa: E402
from lucida.train.verb import train  # noqa: E402
from pictures import write_pictures  # noqa: E402

pytestmark = pytest.mark.torch
TINY = {"model": "test_resnet", "size": 32, "epochs": 6, "batch": 12, "rate": 5e-3, "workers": 0}


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> tuple[Path, str]:
    """A small training, made once: the folder that holds data and catalog, and the run."""
    home = tmp_path_factory.mktemp("trained")
    write_pictures(home / "data" / "train", 12, by_class=True)
    write_pictures(home / "data" / "validation", 6, first_seed=500, by_class=True)
    done = train("classify", data=home / "data", catalog=home / "lucida-catalog", **TINY)
    return home, done.run


@pytest.fixture
def home(trained: tuple[Path, str], tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LUCIDA_CACHE", str(tmp_path / "cache"))
    shutil.copytree(trained[0] / "lucida-catalog", tmp_path / "lucida-catalog")
    return tmp_path


@pytest.fixture
def data(trained: tuple[Path, str]) -> Path:
    return trained[0] / "data"


def test_int8_is_a_run_with_a_table_and_a_certificate(home: Path, trained):
    done = compress(trained[1], int8=True, worse_by=0.3)
    assert done.rows[0].name == "PyTorch"
    before, after = (next(row for row in done.rows if row.name == name) for name in ("before", "after"))
    assert after.bytes < before.bytes
    assert done.images == 18
    assert after.low <= after.accuracy <= after.high
    assert "int8" in after.engine
    assert verify(Path(done.certificate)).ok
    values = json.loads(Path(done.certificate).read_text())
    assert values["b"]["name"] == done.run
    assert len(values["images"]) == 18
    assert any("--data PLACE" in note for note in done.notes)
    with Catalog.open(home / "lucida-catalog") as catalog:
        known = catalog.runs.get(done.run)
    assert (known.parent, known.verb, known.finished is not None) == (trained[1], "compress", True)
    assert "Recheck: lucida verify" in str(done)
    assert done.to_json()["rows"][0]["name"] == "PyTorch"


def test_what_came_out_is_named_like_any_model(home: Path, trained):
    done = compress(trained[1], fp16=True)
    old, new = (find(name, home / "lucida-catalog" / "models") for name in (trained[1], done.run))
    assert new.gives.classes == old.gives.classes
    assert new.licence == old.licence
    write_pictures(home / "photos", 2, first_seed=900)
    add([home / "photos"])
    batch = np.stack([new.needs.prepare(decode(file)) for file in sorted((home / "photos").rglob("*.png"))])
    logits = [one.load("fp32").logits(batch) for one in (old, new)]
    assert np.abs(logits[0] - logits[1]).max() < 0.02 * np.abs(logits[0]).max()
    assert label(model=done.run).images == 6
    again = compress(done.run, int8=True)
    assert again.parent == done.run


def test_pruned_networks_recover_and_weigh_less(home: Path, trained):
    done = compress(trained[1], prune=0.3, bf16=True, epochs=15)
    before, after = (next(row for row in done.rows if row.name == name) for name in ("before", "after"))
    assert after.bytes < 0.6 * before.bytes
    assert after.accuracy > 0.5
    assert "30% of channels pruned" in done.made
    with pytest.raises(InputError, match="not compressed yet"):
        compress(done.run, prune=0.3)


def test_a_smaller_network_learns_from_the_run(home: Path, trained):
    done = compress(trained[1], distil="test_efficientnet", minutes=0.05, fp16=True)
    assert "distilled to test_efficientnet" in done.made
    assert done.parent == trained[1]
    assert verify(Path(done.certificate)).ok
    before, after = (next(row for row in done.rows if row.name == name) for name in ("before", "after"))
    assert after.bytes < before.bytes


def test_the_same_call_gives_the_same_run(home: Path, trained, monkeypatch):
    done = compress(trained[1], fp16=True)
    stamp = Path(done.certificate).stat().st_mtime_ns
    assert compress(trained[1], fp16=True) == done
    assert Path(done.certificate).stat().st_mtime_ns == stamp
    other = compress(trained[1], bf16=True)
    assert other.run != done.run
    assert any("judged before: 1." in note for note in other.notes)


def test_other_images_judge_and_those_learned_from_are_left_out(home: Path, trained, data: Path):
    write_pictures(home / "mine", 4, first_seed=700, by_class=True)
    seen = next((data / "train" / "disc").iterdir())
    shutil.copyfile(seen, home / "mine" / "disc" / "again.png")
    copied = next((home / "mine" / "square").iterdir())
    shutil.copyfile(copied, home / "mine" / "square" / "copy.png")
    done = compress(trained[1], int8=True, data=home / "mine")
    assert done.images == 12
    assert any("learned from" in note for note in done.notes)
    assert any("copies" in note for note in done.notes)
    assert not any("--data PLACE" in note for note in done.notes)


def test_sixteen_bits_need_no_training_images(home: Path, trained, data: Path, tmp_path: Path):
    config = home / "lucida-catalog" / "runs" / trained[1] / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "data": "/gone"}))
    assert compress(trained[1], fp16=True, data=data / "validation").images == 18
    with pytest.raises(InputError, match="not there any more"):
        compress(trained[1], int8=True)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({}, InputError, "Nothing is to be done"),
        ({"bf16": True, "fp16": True}, InputError, "stored in one way"),
        ({"prune": 1.0}, InputError, "between 0 and 1"),
        ({"prune": -0.1}, InputError, "between 0 and 1"),
        ({"fp16": True, "worse_by": 0.0}, InputError, "between 0 and 1"),
        ({"fp16": True, "epochs": 0, "prune": 0.2}, InputError, "at least 1"),
        ({"edge": Path("out")}, InputError, "npm pack onnxruntime-web"),
    ],
)
def test_calls_that_make_no_sense_are_refused_early(home: Path, trained, options, error, words):
    with pytest.raises(error, match=words):
        compress(trained[1], **options)
    assert len(list((home / "lucida-catalog" / "runs").iterdir())) == 1


def test_unknown_runs_and_classes_are_refused(home: Path, trained):
    with pytest.raises(UnknownName):
        compress("train-1", int8=True)
    write_pictures(home / "mine", 2, by_class=True)
    (home / "mine" / "disc").rename(home / "mine" / "disk")
    with pytest.raises(UnknownName, match="disc"):
        compress(trained[1], fp16=True, data=home / "mine")
    with Catalog.open(home / "lucida-catalog") as catalog:
        other = catalog.runs.start("label", question="label", model="embedded")
    with pytest.raises(ModelError, match="no model that could be compressed"):
        compress(other.id, int8=True)


def test_broken_off_and_called_again_it_comes_to_the_same(home: Path, trained, monkeypatch):
    """What a kill leaves behind at any of these places is gone on from; the loop's own checkpoints have their test."""

    def broken(*_, **__):
        raise KeyboardInterrupt

    wish = {"prune": 0.3, "int8": True, "epochs": 1}
    pruned = set()
    for at in ("make.quantise", "job._rows"):
        with monkeypatch.context() as patched:
            patched.setattr(f"lucida.compress.{at}", broken)
            with pytest.raises(KeyboardInterrupt):
                compress(trained[1], **wish)
        (started,) = (home / "lucida-catalog" / "runs").glob("compress-*")
        pruned.add((started / "prune" / "model" / "model.onnx").stat().st_mtime_ns)
    done = compress(trained[1], **wish)
    assert done.run == started.name
    assert pruned == {(started / "prune" / "model" / "model.onnx").stat().st_mtime_ns}
    assert verify(Path(done.certificate)).ok
    assert sorted(path.name for path in started.iterdir()) == [
        "certificate.json", "config.json", "model", "prune", "result.json"
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["test_resnet", "test_vit", "test_efficientnet", "embedded"])
def test_families_of_networks_lose_channels(name: str):
    trunk = build(name, start="nothing", size=None if name == "test_vit" else 64)
    network = Classifier(trunk.trunk, trunk.width, 3)
    before, after, width = cut(network, (3, trunk.size, trunk.size), 0.5)
    assert after[0] < 0.9 * before[0]
    assert after[1] < before[1]
    assert network.head.in_features == width


def test_what_cannot_lose_channels_is_refused():
    class Odd(torch.nn.Module):
        def forward(self, x):
            return x.mean((2, 3))

    with pytest.raises(InputError, match="cannot be pruned"):
        cut(Classifier(Odd(), 3, 2), (3, 16, 16), 0.5)


def test_a_tenth_of_the_training_images_judges_the_recovery():
    samples = Samples("classify", ("a",), tuple(Sample(f"{i}.png", bytes, "a", "train") for i in range(400)), "here")
    found = set_aside(samples).splits
    assert 20 < found["validation"] < 65
    assert set_aside(samples).digest() == set_aside(samples).digest()
    assert set_aside(samples.take([0, 1])).splits.get("validation", 0) >= 1
