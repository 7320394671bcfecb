"""`lucida train segment` as a person uses it: from a folder of images and masks to a run that is a model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("accelerate")
pytest.importorskip("torchvision")

from lucida.images import decode  # noqa: E402
from lucida.models.onnx import decoders  # noqa: E402
from lucida.models.registry import find  # noqa: E402
from lucida.train.trained import Trained  # noqa: E402
from lucida.train.verb import train  # noqa: E402

pytestmark = pytest.mark.torch


@pytest.fixture
def home(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(decoders.DECODERS, "masks", "lucida.models.onnx.masks:decode_masks")
    random = np.random.default_rng(0)
    for split, count in (("train", 10), ("validation", 3)):
        for part in ("images", "masks"):
            (tmp_path / "data" / part / split).mkdir(parents=True)
        for number in range(count):
            pixels = random.integers(0, 255, (48, 64, 3)).astype(np.uint8)
            mask = np.zeros((48, 64), np.uint8)
            mask[8 : 8 + 2 * number + 6, 10:40] = 1
            pixels[mask > 0] = 240
            PIL.Image.fromarray(pixels).save(tmp_path / "data" / "images" / split / f"{number}.png")
            PIL.Image.fromarray(mask).save(tmp_path / "data" / "masks" / split / f"{number}.png")
    (tmp_path / "data" / "classes.txt").write_text("background\nbox\n", encoding="utf-8")
    return tmp_path


def test_a_run_is_a_model_that_gives_masks(home: Path):
    done = train("segment", data=home / "data", size=64, epochs=2, workers=0)
    assert done.images == 10
    assert 0 <= done.metrics["foreground_mean_iou"] <= 1
    spec = find(done.run, home / "lucida-catalog" / "models")
    assert spec.gives.classes == ("background", "box")
    image = decode((home / "data" / "images" / "validation" / "0.png").read_bytes())
    (found,) = spec.load("fp32").predict([image])
    assert found.mask.shape == (48, 64)
    network = Trained.open(Path(done.folder)).network()
    assert network(torch.zeros(1, 3, 64, 64)).shape == (1, 2, 32, 32)
