"""Weights in 16 bits: half the file, nearly the same answers, on both engines."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from lucida.compress.halves import one_file, store_halves
from lucida.errors import MissingExtra
from lucida.models.engine import ENGINES
from lucida.models.precision import made_sample

onnx = pytest.importorskip("onnx")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("kind", "close"), [("fp16", 2e-3), ("bf16", 2e-2)])
def test_the_engines_undo_it(classifier, tmp_path, engine, kind, close):
    pytest.importorskip(engine)
    card, file = classifier(), tmp_path / "half.onnx"
    assert store_halves(card.file, file, kind) == 0
    pictures = {"image": made_sample(card.needs, 5)}
    before, after = (ENGINES[engine](path, "fp32")(pictures, ["logits"])[0] for path in (card.file, file))
    assert np.abs(before - after).max() <= close * np.abs(before).max()
    assert np.abs(before - after).max() > 0
    sizes = [sum(len(weight.raw_data) for weight in onnx.load(path).graph.initializer) for path in (card.file, file)]
    assert sizes[1] < 0.55 * sizes[0]


def test_what_16_bits_cannot_hold_stays(classifier, tmp_path):
    card = classifier()
    model = onnx.load(card.file)
    large = next(weight for weight in model.graph.initializer if weight.name == "w2")
    large.raw_data = (onnx.numpy_helper.to_array(large) * 1e6).astype(np.float32).tobytes()
    onnx.save(model, card.file)
    assert store_halves(card.file, tmp_path / "half.onnx", "fp16") == 1
    assert store_halves(card.file, tmp_path / "brain.onnx", "bf16") == 0


def test_without_onnx_the_extra_is_named(classifier, tmp_path, monkeypatch):
    card = classifier()
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtra, match="train"):
        one_file(card.file, tmp_path / "one.onnx")


def test_bf16_rounds_to_the_nearest(classifier, tmp_path):
    torch = pytest.importorskip("torch")
    card = classifier()
    store_halves(card.file, tmp_path / "half.onnx", "bf16")
    weights = {one.name: one for one in onnx.load(tmp_path / "half.onnx").graph.initializer}
    before = {one.name: one for one in onnx.load(card.file).graph.initializer}
    ours = np.frombuffer(weights["w2_bf16"].raw_data, "<u2").astype(np.uint32) << 16
    theirs = torch.from_numpy(onnx.numpy_helper.to_array(before["w2"]).copy()).to(torch.bfloat16).float().numpy()
    assert np.array_equal(ours.view(np.float32), theirs.ravel())
