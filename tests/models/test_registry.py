"""Names of models: what is found, and what to do about a name that is not."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from lucida.errors import InputError, ModelError, UnknownName
from lucida.models import find, specs
from lucida.models.embedded.family import weights
from lucida.models.verb import models


def test_the_embedded_model_is_at_hand():
    assert "embedded" in [spec.name for spec in specs()]
    spec = find("embedded")
    assert set(spec.tasks) == {"encode", "words"}
    assert len(spec.gives.parts) >= 2


@pytest.mark.parametrize("name", ["embeded", "Embedded", "embedded "])
def test_an_unknown_name_is_answered_with_the_nearest(name):
    with pytest.raises(UnknownName) as caught:
        find(name)
    assert "'embedded'" in caught.value.hint
    assert all((caught.value.what, caught.value.expected, caught.value.got))


def test_a_model_is_found_by_toml_onnx_and_folder(written: Path, monkeypatch: pytest.MonkeyPatch):
    home = written / "encoder"
    monkeypatch.chdir(written)
    names = [f"onnx:{home}", f"onnx:{home / 'model.toml'}", f"onnx:{home / 'model.onnx'}", str(home), "encoder"]
    names += ["onnx:encoder", "encoder/model.onnx", "./encoder/model.toml"]
    found = {find(name).key for name in names}
    assert len(found) == 1, "however a model is named, its vectors are the same"
    assert next(iter(found)).startswith(f"onnx:{home.resolve() / 'model.toml'}@")


def test_tasks_of_each_kind(written: Path):
    tasks = {name: find(str(written / name)).tasks for name in ("encoder", "classifier", "clip")}
    assert tasks == {"encoder": ("encode",), "classifier": ("classify",), "clip": ("encode", "words")}


def test_nothing_there(tmp_path: Path, copy, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    for name in ("onnx:", "onnx:nowhere", f"onnx:{tmp_path / 'model.onnx'}", f"onnx:{tmp_path}", "gone.toml"):
        with pytest.raises(ModelError) as caught:
            find(name)
        assert "There is no model" in caught.value.what
        assert all((caught.value.expected, caught.value.got, caught.value.hint))
    with pytest.raises(UnknownName):
        find(str(tmp_path))
    folder = copy("encoder")
    (folder / "other.toml").write_text("")
    with pytest.raises(ModelError, match="several models") as caught:
        find(str(folder))
    assert caught.value.got == "model.toml, other.toml"


def test_an_output_that_the_file_lacks(copy):
    folder = copy("encoder")
    card = folder / "model.toml"
    card.write_text(card.read_text().replace('"vector"', '"vectors"'))
    with pytest.raises(ModelError) as caught:
        find(str(folder)).load("fp32")
    assert "no output named 'vectors'" in caught.value.what
    assert "vector" in caught.value.expected
    card.write_text(card.read_text().replace('"vectors"', '"vector"').replace('"pixels"', '"image"'))
    with pytest.raises(ModelError, match="no input named 'image'"):
        find(str(folder)).load("fp32")


def test_a_size_that_the_file_does_not_take(copy):
    folder = copy("classifier")
    card = folder / "model.toml"
    card.write_text(card.read_text().replace("size = 16", "size = 20"))
    spec = find(str(folder))
    with pytest.raises(ModelError, match="refuses the images") as caught:
        spec.load("fp32").logits(np.zeros((1, 3, 20, 20), np.float32))
    assert "correct [input] in model.toml" in caught.value.hint


def test_the_list_of_models():
    listed = models()
    (embedded,) = (m for m in listed.to_json()["models"] if m["name"] == "embedded")
    assert set(embedded) == {"name", "family", "tasks", "licence", "source", "revision", "note"}
    assert "embedded" in str(listed)
    assert "onnx:PATH" in str(listed)


def test_the_list_says_what_is_to_be_had_and_what_it_costs(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    listed = models(task="ask").to_json()
    assert not listed["models"], "nothing at hand answers questions"
    assert {"smolvlm", "qwen-vl"} <= {model["name"] for model in listed["hub"]}
    answering = models(task="answer")
    assert {"blip-vqa", "blip2", "smolvlm"} <= {model.name for model in answering.hub}
    assert answering.offered == models(task="caption").offered == models(task="ask").offered
    (gpt,) = (model for model in listed["addresses"] if model["name"] == "openai:gpt-4o")
    assert (gpt["ready"], gpt["key"], gpt["host"]) == (False, "OPENAI_API_KEY", "api.openai.com")
    assert 0 < gpt["thousand"] < 100
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    ready = models(task="ask")
    assert "secret" not in str(ready) + str(ready.to_json())
    assert next(model for model in ready.offered if model.name == "openai:gpt-4o").ready
    words = models(task="words").to_json()
    assert {"clip", "siglip2", "chinese-clip"} <= {model["name"] for model in words["hub"]}
    assert not words["addresses"]


def test_a_precision_that_the_machine_lacks(written: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LUCIDA_ENGINE", "onnxruntime")
    with pytest.raises(ModelError, match="cannot run bf16") as caught:
        find(str(written / "encoder")).load("bf16")
    assert "--precision auto" in caught.value.hint
    assert not isinstance(caught.value, InputError)


def test_parts_of_an_embedding_are_named_by_its_card(copy):
    folder = copy("encoder")
    whole = find(str(folder)).gives
    assert whole.parts == {"embedding": slice(0, whole.dimensions)}
    card = folder / "model.toml"
    plain = card.read_text()
    card.write_text(f"{plain}\n[parts]\nwhat = 1\nwhere = {whole.dimensions - 1}\n")
    assert find(str(folder)).gives.parts == {"what": slice(0, 1), "where": slice(1, whole.dimensions)}
    card.write_text(f"{plain}\n[parts]\nwhat = 1\nwhere = {whole.dimensions}\n")
    with pytest.raises(InputError, match="do not add up") as caught:
        find(str(folder))
    assert all((caught.value.expected, caught.value.got, caught.value.hint))
    card.write_text(f"{plain}\n[parts]\nwhat = 0\n")
    with pytest.raises(InputError, match="'what'"):
        find(str(folder))


def test_a_tuned_encoder_is_found_by_its_folder(tmp_path: Path):
    folder = tmp_path / "tuned"
    shutil.copytree(weights(), folder, ignore=shutil.ignore_patterns("words"))
    tuned, shipped = find(f"embedded:{folder}"), find("embedded")
    assert tuned.name == f"embedded:{folder}"
    assert (tuned.family, tuned.tasks, tuned.gives) == (shipped.family, shipped.tasks, shipped.gives)
    batch = np.zeros((1, *tuned.needs.shape), np.float32)
    np.testing.assert_allclose(tuned.load("fp32").embed(batch), shipped.load("fp32").embed(batch), atol=1e-5)
    assert tuned.matcher([["dog"], ["cat"]]).logits(np.zeros((1, len(tuned.gives.classes)), np.float32)).size
    with pytest.raises(ModelError):
        find(f"embedded:{tmp_path / 'gone'}")


def test_the_shipped_encoder_keeps_its_budget():
    file = weights() / "encoder.onnx"
    assert file.stat().st_size < 6_000_000
    spec = find("embedded")
    assert list(spec.gives.parts) == ["shape", "layout", "edges", "pixels"]
    assert {"airplane", "frog", "goldfish"} <= set(spec.gives.classes)
    assert "research" in spec.licence
