"""int8: files that both engines run, chosen by measurement."""

from __future__ import annotations

import pytest

from lucida.compress import int8
from lucida.compress.int8 import Candidate, quantise
from lucida.errors import MissingExtra, ModelError
from lucida.models.engine import ENGINES, OpenVinoSession
from lucida.models.needs import ImageNeeds
from lucida.models.precision import made_sample

onnx = pytest.importorskip("onnx")


def test_it_answers_as_float32_does_on_every_engine(classifier, tmp_path):
    card = classifier()
    (best, *others), failed = quantise(card.file, card, made_sample(card.needs, 60), tmp_path)
    assert best.faithful
    assert not failed
    assert best.cosine > 0.99
    assert best.agreement > 0.9
    kinds = [node.op_type for node in onnx.load(best.file).graph.node]
    assert "QuantizeLinear" in kinds
    for engine in ENGINES.values():
        found = engine(best.file, "fp32")({"image": made_sample(card.needs, 2)}, ["logits", "embedding"])
        assert [one.shape for one in found] == [(2, 3), (2, 24)]
    assert all(one.seconds >= best.seconds or not one.faithful for one in others)


def test_images_are_given_in_the_layout_of_the_file(classifier, tmp_path):
    card = classifier(needs=ImageNeeds(32, mean=(0.5,), std=(0.5,), channels="L"))
    assert quantise(card.file, card, made_sample(card.needs, 40), tmp_path)[0][0].cosine > 0.98


def test_a_way_that_fails_leaves_the_others(classifier, tmp_path, monkeypatch):
    def broken(*_) -> None:
        raise RuntimeError("no such layer")

    card = classifier()
    images = made_sample(card.needs, 30)
    monkeypatch.setattr(int8, "WAYS", {"broken": ("onnx", broken), **int8.WAYS})
    found, failed = quantise(card.file, card, images, tmp_path)
    assert "broken" not in [one.way for one in found]
    assert failed == ["broken failed: RuntimeError: no such layer"]
    monkeypatch.setattr(int8, "WAYS", {"broken": ("onnx", broken)})
    with pytest.raises(ModelError, match="no such layer"):
        quantise(card.file, card, images, tmp_path)
    monkeypatch.setattr(int8, "WAYS", {"missing": ("no_such_package", broken)})
    with pytest.raises(MissingExtra):
        quantise(card.file, card, images, tmp_path)


def test_a_file_that_one_engine_refuses_is_no_candidate(classifier, tmp_path, monkeypatch):
    card = classifier()

    class Picky(OpenVinoSession):
        def __init__(self, path, precision):
            if path.name != "model.onnx":
                raise ModelError("This engine cannot run it.")
            super().__init__(path, precision)

    monkeypatch.setattr(int8, "ENGINES", {**ENGINES, "openvino": Picky})
    with pytest.raises(ModelError, match="cannot be made int8"):
        quantise(card.file, card, made_sample(card.needs, 30), tmp_path)


def test_faithful_comes_before_fast(tmp_path):
    assert not Candidate("a", tmp_path, 0.9, 1.0, 0.001).faithful
    assert Candidate("b", tmp_path, 0.995, 1.0, 0.1).faithful
