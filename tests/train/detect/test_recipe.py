"""A detector is trained, measured as the field does, and runs without PyTorch as it did with it."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision")
pytest.importorskip("torchmetrics")
pytest.importorskip("faster_coco_eval")

sys.path.insert(0, str(Path(__file__).parent))
from discs import discs  # noqa: E402

from lucida.errors import MissingExtra, UnknownName  # noqa: E402
from lucida.images import decode  # noqa: E402
from lucida.models.onnx import decoders  # noqa: E402
from lucida.models.onnx.card import read_card  # noqa: E402
from lucida.models.onnx.family import card_spec  # noqa: E402
from lucida.results import Detections  # noqa: E402
from lucida.train.detect import measure  # noqa: E402
from lucida.train.detect.recipe import DetectRecipe, detect  # noqa: E402
from lucida.train.loop import fit  # noqa: E402
from lucida.train.request import Request  # noqa: E402
from lucida.train.settings import Settings  # noqa: E402

pytestmark = pytest.mark.torch
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> tuple[DetectRecipe, dict[str, float], Path]:
    folder = tmp_path_factory.mktemp("run")
    recipe = detect(Request(discs(24, 8), size=64, augmentation="light"))
    state = fit(recipe, Settings(epochs=12, batch=8, rate=3e-3, rounds=3, workers=0, arithmetic="fp32"), folder)
    model = folder / "model"
    model.mkdir()
    recipe.export(model)
    return recipe, state.metrics, model


def test_it_learns_to_find_discs_and_squares(trained):
    _, metrics, _ = trained
    assert metrics["map_50"] > 0.5
    assert set(metrics) == {"map_50", "map", "map_50_disc", "map_50_square"}


def test_the_exported_model_finds_the_same_without_pytorch(trained, monkeypatch):
    monkeypatch.setitem(decoders.DECODERS, "boxes", "lucida.models.onnx.boxes:decode_boxes")
    recipe, metrics, folder = trained
    card = read_card(folder / "model.toml")
    spec = card_spec(card, name="trained", family="onnx")
    assert spec.tasks == ("detect",)
    assert spec.gives.classes == ("disc", "square")
    images = [decode(sample.read()) for sample in discs(24, 8).of("validation")]
    found = spec.load().predict(images)
    again = measure.average_precision(found, recipe.validation.truth, recipe.classes)
    # Weights are stored as int8, and boxes of small scores are left out.
    assert again["map_50"] == pytest.approx(metrics["map_50"], abs=0.1)
    assert all(isinstance(one, Detections) for one in found)


def test_the_exported_model_is_small_and_whole(trained):
    _, _, folder = trained
    assert sorted(path.name for path in folder.iterdir()) == ["classes.json", "model.onnx", "model.toml"]
    assert (folder / "model.onnx").stat().st_size <= 3_000_000


def test_what_was_trained_before_learns_more_slowly():
    recipe = detect(Request(discs(4, 2), size=64))
    scales = [group["scale"] for group in recipe.groups()]
    assert scales == [0.3, 1.0]
    counted = sum(p.numel() for group in recipe.groups() for p in group["params"])
    assert counted == sum(p.numel() for p in recipe.network.parameters())
    assert [group["scale"] for group in detect(Request(discs(4, 2), size=64, start="nothing")).groups()] == [1.0]


def test_an_example_is_the_same_for_the_same_seed():
    recipe = detect(Request(discs(6, 2), size=64))

    def draw(seed: int):
        torch.manual_seed(seed)
        return recipe.example(1).image

    assert torch.equal(draw(5), draw(5))


def test_amounts_of_augmentation_that_nobody_knows_are_refused():
    with pytest.raises(UnknownName, match="strong"):
        detect(Request(discs(4, 2), size=64, augmentation="stronger"))


def test_packages_that_are_missing_are_said_before_anything_is_read(monkeypatch):
    monkeypatch.setattr(measure, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match="torchmetrics"):
        detect(Request(replace(discs(2, 1), items=()), size=64))


def test_average_precision_is_that_of_hand_made_cases(monkeypatch):
    # As in the first of several processes, which judges alone.
    monkeypatch.setattr("torchmetrics.metric.jit_distributed_available", lambda: True)
    truth = [{"boxes": torch.tensor([[0.0, 0, 10, 10], [20, 20, 40, 40]]), "labels": torch.tensor([0, 0])}]

    def found(*rows: tuple[list[float], float]) -> list[Detections]:
        xyxy, scores = zip(*rows, strict=True)
        numbers = np.zeros(len(rows), np.int64)
        return [Detections(np.array(xyxy, np.float32), np.array(scores, np.float32), numbers, ("disc",))]

    def score(*rows):
        return measure.average_precision(found(*rows), truth, ("disc",))["map_50"]

    both = ([0.0, 0, 10, 10], 0.9), ([20.0, 20, 40, 40], 0.8)
    assert score(*both) == pytest.approx(1.0)
    # Half of the objects, without a mistake: precision 1 up to a recall of 0.5, on COCO's 101 points.
    assert score(both[0]) == pytest.approx(51 / 101)
    # A better box that is wrong halves the precision.
    assert score(([60.0, 60, 70, 70], 0.95), *both) == pytest.approx(2 / 3, abs=0.01)
