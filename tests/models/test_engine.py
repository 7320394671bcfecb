"""Engines: the same file gives the same numbers on each, and the environment chooses."""

from __future__ import annotations

import importlib.util
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from lucida.errors import InputError, ModelError, UnknownName
from lucida.models import engine, find
from lucida.models.precision import made_sample
from lucida.models.threads import available_cores

both = pytest.mark.skipif(not importlib.util.find_spec("openvino"), reason="OpenVINO is not installed")


@pytest.fixture(params=["openvino", "onnxruntime"])
def chosen(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if not importlib.util.find_spec(request.param):
        pytest.skip(f"{request.param} is not installed")
    monkeypatch.setenv("LUCIDA_ENGINE", request.param)
    return request.param


@both
@pytest.mark.parametrize("name", ["embedded", "encoder", "clip"])
def test_the_engines_agree(written: Path, monkeypatch: pytest.MonkeyPatch, name: str):
    spec = find(name if name == "embedded" else str(written / name))
    images = made_sample(spec.needs, 6)
    found = {}
    for wanted in ("openvino", "onnxruntime"):
        monkeypatch.setenv("LUCIDA_ENGINE", wanted)
        model = spec.load("fp32")
        assert model.engine == f"{wanted} fp32"
        found[wanted] = model.embed(images)
    np.testing.assert_allclose(found["openvino"], found["onnxruntime"], rtol=1e-3, atol=1e-3)


def test_an_engine_that_nobody_knows(written: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LUCIDA_ENGINE", "openvin")
    with pytest.raises(UnknownName) as caught:
        find(str(written / "encoder"))
    assert caught.value.what == "Unknown engine 'openvin'."
    assert "did you mean 'openvino'" in caught.value.hint
    assert "LUCIDA_ENGINE" in caught.value.hint


def test_an_engine_that_is_not_installed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LUCIDA_ENGINE", "openvino")
    monkeypatch.setattr(engine.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModelError) as caught:
        engine.engine_name()
    assert "not installed" in caught.value.what
    assert "pip install openvino" in caught.value.hint
    monkeypatch.delenv("LUCIDA_ENGINE")
    assert engine.engine_name() == "onnxruntime"


def test_other_processors_have_onnx_runtime(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(engine.platform, "machine", lambda: "arm64")
    assert engine.engine_name() == "onnxruntime"
    assert not engine.has_bf16()


def test_a_damaged_file(chosen: str, tmp_path: Path):
    broken = tmp_path / "broken.onnx"
    with pytest.raises(ModelError, match="missing"):
        engine.open_session(broken, "fp32")
    broken.write_bytes(b"not an ONNX file at all" * 10)
    with pytest.raises(ModelError) as caught:
        engine.open_session(broken, "fp32")
    assert "cannot be loaded" in caught.value.what
    assert all((caught.value.expected, caught.value.got, caught.value.hint))


def test_names_and_shapes_of_a_file(chosen: str, written: Path):
    free = engine.open_session(written / "encoder" / "model.onnx", "fp32")
    assert free.inputs == {"pixels": (None, 3, 16, 16)}
    assert free.outputs == ["vector"]
    fixed = engine.open_session(written / "classifier" / "model.onnx", "fp32")
    assert fixed.inputs == {"pixels": (2, 16, 16, 3)}


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_a_file_of_a_fixed_batch_takes_any_number(chosen: str, written: Path, n: int):
    spec = find(str(written / "classifier"))
    images = made_sample(spec.needs, n)
    np.testing.assert_allclose(spec.load("fp32").logits(images), images.mean(axis=(2, 3)), rtol=1e-3)


def test_threads_do_not_mix_their_images(chosen: str, written: Path):
    spec = find(str(written / "clip"))
    model = spec.load("fp32")
    batches = [made_sample(spec.needs, 4) * np.float32(k / 16) for k in range(16)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(model.embed, batches))
    for batch, vectors in zip(batches, found, strict=True):
        np.testing.assert_allclose(vectors, batch.mean(axis=(2, 3)), rtol=1e-3, atol=1e-5)


def test_a_choice_of_precision_is_remembered(written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    spec = find(str(written / "encoder"))
    opened = []
    real = engine.open_session
    monkeypatch.setattr(engine, "has_bf16", lambda: True)
    # bf16 is played by fp32 where the processor has none.
    monkeypatch.setattr(engine, "open_session", lambda path, p: opened.append(p) or real(path, "fp32"))
    spec.load("auto")
    assert sorted(opened) == ["bf16", "fp32"]
    (kept,) = json.loads((tmp_path / "cache" / "precision.json").read_text()).values()
    cosine, agreement, seconds = kept
    assert (cosine, agreement) == (pytest.approx(1, abs=1e-3), 1)
    assert seconds > 0
    spec.load("auto")
    assert opened[2:] == ["bf16"], "measured once"


def test_an_unfaithful_precision_is_not_taken(written: Path, monkeypatch: pytest.MonkeyPatch):
    spec = find(str(written / "encoder"))
    real = engine.open_session
    draw = np.random.default_rng(0)

    def opened(path, precision):
        session = real(path, "fp32")
        if precision == "fp32":
            return session

        class Noisy:
            engine, inputs, outputs = "openvino bf16", session.inputs, session.outputs

            def __call__(self, feeds, wanted):
                return [draw.normal(size=value.shape).astype(np.float32) for value in session(feeds, wanted)]

        return Noisy()

    monkeypatch.setattr(engine, "has_bf16", lambda: True)
    monkeypatch.setattr(engine, "open_session", opened)
    assert spec.load("auto").engine.endswith("fp32")


def test_a_cache_that_cannot_be_read_or_written_stops_nothing(written: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(engine, "has_bf16", lambda: True)
    real = engine.open_session
    monkeypatch.setattr(engine, "open_session", lambda path, precision: real(path, "fp32"))
    spec = find(str(written / "encoder"))
    cache = tmp_path / "cache" / "precision.json"
    cache.parent.mkdir()
    cache.write_text("{ damaged")
    assert spec.load("auto").engine
    assert len(json.loads(cache.read_text())) == 1
    monkeypatch.setenv("LUCIDA_CACHE", str(cache / "below a file"))
    assert spec.load("auto").engine


def test_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LUCIDA_THREADS", "3")
    assert available_cores() == 3
    for wrong in ("0", "-1", "two", "1.5", " "):
        monkeypatch.setenv("LUCIDA_THREADS", wrong)
        with pytest.raises(InputError, match="LUCIDA_THREADS"):
            available_cores()
    monkeypatch.delenv("LUCIDA_THREADS")
    free = available_cores(tmp_path)
    assert free >= 1
    (tmp_path / "cpu.max").write_text("100000 100000\n")
    assert available_cores(tmp_path) == 1
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert available_cores(tmp_path) == free


def test_a_model_that_is_told_how_many_images_come_says_the_same(written: Path, chosen: str):
    model = find(str(written / "encoder")).load("fp32")
    images = made_sample(model.spec.needs, 7)
    free = model.embed(images)
    assert model.settle((1, 2, 4)) == (chosen == "openvino")
    np.testing.assert_allclose(model.embed(images), free, rtol=1e-4, atol=1e-4)
    assert model.embed(images[:0]).shape[0] == 0
    assert not model.settle((2, 4)), "one image must be possible"
    assert not model.settle(())
