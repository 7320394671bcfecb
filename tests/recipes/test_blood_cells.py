"""The recipe of the shipped detector writes a model that says where it comes from and what it reaches."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")
pytest.importorskip("torchvision")
pytest.importorskip("accelerate")

from recipes.blood_cells.train import NAME, write

from lucida.models.examples.family import folder
from lucida.models.onnx.card import read_card

pytestmark = pytest.mark.torch


def test_what_is_shipped_says_where_it_comes_from_and_what_it_reaches(tmp_path):
    shipped = folder() / NAME
    write(shipped, tmp_path / "out", "later.1", {"map_50": 0.5})
    before, after = read_card(shipped / "model.toml"), read_card(tmp_path / "out" / "model.toml")
    assert (after.name, after.task, after.revision) == (NAME, "detect", "later.1")
    assert after.measured == {"map_50": 0.5}
    assert (after.needs, after.decode, after.classes) == (before.needs, before.decode, before.classes)
    assert "BCCD" in after.source
    assert (tmp_path / "out" / "model.onnx").read_bytes() == (shipped / "model.onnx").read_bytes()
