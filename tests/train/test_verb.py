"""`lucida train` as a person uses it: from folders or answers to a run that is a model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("accelerate")
pytest.importorskip("timm")

from killing import Warm, kill_at_random  # noqa: E402
from lucida.catalog import Catalog, add  # noqa: E402
from lucida.errors import InputError, ModelError, UnknownName  # noqa: E402
from lucida.images import decode  # noqa: E402
from lucida.label.verb import label  # noqa: E402
from lucida.models.registry import find  # noqa: E402
from lucida.train.job import TrainResult  # noqa: E402
from lucida.train.standing import BEST  # noqa: E402
from lucida.train.trained import Trained  # noqa: E402
from lucida.train.verb import train  # noqa: E402
from lucida.tuning import checkpoint  # noqa: E402
from pictures import KINDS, write_pictures  # noqa: E402

pytestmark = pytest.mark.torch
TINY = {"model": "test_resnet", "size": 32, "epochs": 6, "batch": 12, "rate": 5e-3, "workers": 0}
# What a training imports before its first step, and what exporting imports.
HEAVY = ("torch.utils.tensorboard", "timm", "accelerate", "onnxscript", "networkx", "scipy.sparse", "lucida.catalog")
HEAVY += ("lucida.cli", "lucida.train.verb", "lucida.train.job", "lucida.train.classify")


def pictures(home: Path) -> Path:
    write_pictures(home / "data" / "train", 12, by_class=True)
    write_pictures(home / "data" / "validation", 6, first_seed=500, by_class=True)
    return home


@pytest.fixture
def home(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return pictures(tmp_path)


@pytest.fixture(scope="module")
def learned(tmp_path_factory) -> tuple[Path, TrainResult]:
    """A home with a finished run, for tests that do it no harm."""
    home = pictures(tmp_path_factory.mktemp("learned"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        return home, train("classify", data=home / "data", **TINY)


@pytest.fixture
def finished(learned: tuple[Path, TrainResult], monkeypatch) -> tuple[Path, TrainResult]:
    monkeypatch.chdir(learned[0])
    return learned


def test_a_run_learns_and_is_a_model_without_torch(finished: tuple[Path, TrainResult]):
    home, done = finished
    assert done.metrics["accuracy"] > 0.6
    assert done.images <= 36  # those that look like others of the validation part are left out
    assert done.validation == 18
    # Exporters note where the code lies.
    assert b".py" not in (Path(done.folder) / "model" / "model.onnx").read_bytes()
    spec = find(done.run, home / "lucida-catalog" / "models")
    assert spec.gives.classes == tuple(sorted(KINDS))
    files = sorted((home / "data" / "validation").rglob("*.png"))
    batch = np.stack([spec.needs.prepare(decode(file)) for file in files])
    found = spec.load("fp32").logits(batch).argmax(1)
    right = np.mean([spec.gives.classes[k] == file.parent.name for k, file in zip(found, files, strict=True)])
    assert right == pytest.approx(done.metrics["accuracy"], abs=1e-6)


def test_the_catalog_is_labelled_by_a_run(finished: tuple[Path, TrainResult]):
    home, done = finished
    write_pictures(home / "photos", 3, first_seed=900)
    add([home / "photos"])
    labelled = label(model=done.run)
    assert labelled.images == 9
    assert set(labelled.classes) == set(KINDS)


def test_the_same_call_again_gives_the_same_run_at_once(finished: tuple[Path, TrainResult]):
    home, first = finished
    weights = (Path(first.folder) / BEST).stat().st_mtime_ns
    assert train("classify", data=home / "data", **TINY) == first
    assert (Path(first.folder) / BEST).stat().st_mtime_ns == weights


def test_killed_anywhere_it_goes_on_to_the_same_weights(home: Path):
    words = ["train", "classify", "--data", "data", "--json"]
    for name, value in {**TINY, "epochs": 30}.items():
        words += [f"--{name}", str(value)]
    warm = Warm(*HEAVY)
    whole = json.loads(warm.run([*words, "--catalog", "whole"], home))
    words += ["--catalog", "killed"]
    begun = lambda: any((home / "killed" / "runs").glob("*/plan.json"))  # noqa: E731
    kill_at_random(lambda: warm.start(words, home), home, times=2, seed=5, begun=begun, longest=3.0)
    again = json.loads(warm.run(words, home))
    ours, theirs = (checkpoint.load(Path(r["folder"]) / BEST)[0]["network"] for r in (whole, again))
    assert all(torch.equal(value, theirs[name]) for name, value in ours.items())
    assert {k: whole["metrics"][k] for k in whole["metrics"]} == again["metrics"]


@pytest.mark.usefixtures("unexported")
def test_a_probe_leaves_the_trunk_as_it_was(finished: tuple[Path, TrainResult]):
    home, first = finished
    start = checkpoint.load(Path(first.folder) / BEST)[0]["network"]
    probe = train("classify", data=home / "data", **{**TINY, "epochs": 2}, start=first.run, tune="probe")
    after = checkpoint.load(Path(probe.folder) / BEST)[0]["network"]
    for name, value in start.items():
        moved = not torch.equal(value, after[name])
        assert moved == name.startswith("head.") or "running" in name or "batches" in name


@pytest.mark.parametrize("model", ["test_vit", "test_resnet"])
def test_lora_is_folded_into_what_is_exported(home: Path, model: str):
    size = 160 if model == "test_vit" else 32
    done = train("classify", data=home / "data", **{**TINY, "model": model, "size": size, "epochs": 1}, tune="lora")
    spec = find(done.run, home / "lucida-catalog" / "models")
    logits = spec.load("fp32").logits(np.zeros((1, *spec.needs.shape), np.float32))
    assert logits.shape == (1, 3)
    assert "lora" not in (Path(done.folder) / "model" / "model.onnx").read_bytes().decode("latin1")


def test_the_network_of_a_run_is_built_again(finished: tuple[Path, TrainResult]):
    home, done = finished
    network = Trained.open(Path(done.folder)).network()
    spec = find(done.run, home / "lucida-catalog" / "models")
    batch = np.random.default_rng(0).standard_normal((2, *spec.needs.shape)).astype(np.float32)
    with torch.inference_mode():
        ours = network(torch.from_numpy(batch)).numpy()
    theirs = spec.load("fp32").logits(batch) * done.metrics["temperature"]
    assert np.allclose(ours, theirs, atol=1e-3)


def test_the_embedded_encoder_is_the_usual_model(home: Path):
    done = train("classify", data=home / "data", size=32, epochs=1, batch=12, rate=1e-3, workers=0)
    assert (done.model, done.start) == ("embedded", "embedded")
    assert done.metrics["accuracy"] > 0.5


def test_tags_are_learned(home: Path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    for split, seed in (("train", 0), ("validation", 500)):
        key = write_pictures(home / "flat" / split, 10, first_seed=seed)
        names = list(KINDS)
        rows = [
            {"image": {"bytes": (home / "flat" / split / file).read_bytes(), "path": file}, "tags": [kind, "any"]}
            for file, kind in key.items()
        ]
        pq.write_table(pa.Table.from_pylist(rows), home / f"{split}.parquet")
    (home / "tags").mkdir()
    for split in ("train", "validation"):
        (home / f"{split}.parquet").rename(home / "tags" / f"{split}.parquet")
    done = train("tag", data=home / "tags", **TINY)
    assert done.metrics["average_precision"] > 0.5
    spec = find(done.run, home / "lucida-catalog" / "models")
    assert set(spec.gives.classes) == {*names, "any"}
    assert "tag" in spec.tasks


def test_one_class_only_is_refused(home: Path):
    for kind in KINDS[1:]:
        for file in (home / "data").rglob(f"{kind}/*.png"):
            file.unlink()
    with pytest.raises(InputError, match=r"nothing to tell apart|labelled images"):
        train("classify", data=home / "data", **TINY)


@pytest.mark.usefixtures("unexported")
def test_a_class_with_one_image_is_said(home: Path):
    rare = sorted((home / "data" / "train" / "disc").glob("*.png"))
    for file in rare[1:]:
        file.unlink()
    done = train("classify", data=home / "data", **{**TINY, "epochs": 1})
    assert any("'disc' (1)" in note for note in done.notes)


def test_a_test_part_is_never_trained_on(home: Path):
    (home / "data" / "train").rename(home / "data" / "test")
    (home / "data" / "validation").rename(home / "elsewhere")
    with pytest.raises(InputError, match="test"):
        train("classify", data=home / "data", **TINY)


@pytest.mark.usefixtures("unexported")
def test_a_broken_image_is_counted_not_fatal(home: Path):
    file = next((home / "data" / "train" / "disc").glob("*.png"))
    file.write_bytes(file.read_bytes()[:60])
    stray = next((home / "data" / "validation" / "disc").glob("*.png"))
    stray.rename(home / "data" / "validation" / "stray.png")
    done = train("classify", data=home / "data", **{**TINY, "epochs": 1})
    assert done.skipped == 1
    # What reading the data left out is said at the end, beside what training found.
    assert any("1 left out" in note and "stray.png" in note for note in done.notes)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"model": "resnet5000"}, UnknownName, "resnet"),
        ({"task": "paint"}, UnknownName, "classify"),
        ({"epochs": 0}, InputError, "--epochs"),
        ({"rate": -1.0}, InputError, "--rate"),
        ({"start": "hub"}, InputError, "published weights"),
        ({"start": "nowhere"}, InputError, "no weights to begin from"),
        ({"augmentation": "wild"}, UnknownName, "medium"),
        ({"data": Path("nothing")}, InputError, "nothing there"),
        ({"wandb": True}, InputError, "pip install wandb"),
        ({"arithmetic": "fp16"}, InputError, "bf16"),
    ],
)
def test_what_cannot_be_is_refused(home: Path, monkeypatch, options, error, words):
    monkeypatch.setattr("lucida.train.need.find_spec", lambda name: name != "wandb" or None)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(error) as caught:
        train(**{"task": "classify", "data": home / "data", **TINY, **options})
    assert words in caught.value.message()


def test_a_checkpoint_of_another_architecture_is_refused(finished: tuple[Path, TrainResult]):
    home, first = finished
    with pytest.raises(InputError, match="another network"):
        train("classify", data=home / "data", **{**TINY, "model": "test_byobnet"}, start=first.run)


def test_an_unfinished_run_is_no_model(home: Path):
    with Catalog.open(create=True) as catalog:
        id = catalog.runs.start("train", question="label").id
        with pytest.raises(ModelError, match="has no model"):
            find(id, catalog.models)
