"""What cannot be learned, and which checkpoint is proposed."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("diffusers")
pytest.importorskip("peft")
pytestmark = pytest.mark.torch

from lucida.errors import InputError, LucidaError, ModelError  # noqa: E402
from lucida.train.personalise.likeness import Figures, Judge, proposed  # noqa: E402
from lucida.train.personalise.token import class_word, remarks  # noqa: E402
from lucida.train.verb import train  # noqa: E402
from pictures import picture, scene  # noqa: E402
from pipelines import tiny  # noqa: E402


@pytest.mark.parametrize(
    ("kind", "extra", "what"),
    [
        ("sd", {"token": " "}, "no token"),
        ("sd", {"rank": 1000}, "rank"),
        ("sd", {"size": 51}, "51 pixels"),
        ("embedded", {}, "no model that can be taught"),
        ("sd-inpainting", {}, "under a mask|not taught"),
        ("qwen-image", {}, "not taught"),
    ],
)
def test_what_cannot_be_taught(made, photos: Path, kind: str, extra: dict, what: str):
    from lucida.train.personalise.recipe import LoraRecipe
    from train.personalise.conftest import request

    with pytest.raises(LucidaError, match=what) as caught:
        LoraRecipe(request(photos, kind, None, **extra))
    assert all((caught.value.expected, caught.value.got))


def test_pickle_is_refused(made, tmp_path: Path):
    folder = tmp_path / "pickled"
    shutil.copytree(tiny("sd"), folder)
    (folder / "unet" / "diffusion_pytorch_model.safetensors").rename(folder / "unet" / "diffusion_pytorch_model.bin")
    with pytest.raises(ModelError, match="pickle"):
        made(str(folder))


def test_photos_are_needed(tmp_path: Path):
    words = {"token": "sks bag", "model": str(tiny("sd")), "catalog": tmp_path / "catalog"}
    with pytest.raises(InputError, match="which photos"):
        train("lora", **words)
    with pytest.raises(InputError, match="no images"):
        train("lora", data=tmp_path, **words)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40))
    with pytest.raises(InputError, match="None of the photos"):
        train("lora", data=tmp_path / "photos", **words)
    with pytest.raises(InputError, match="--tune is not for"):
        train("lora", data=tmp_path, tune="probe", **words)


def test_an_ordinary_word_is_remarked_on():
    assert "ordinary" in remarks("dog toy")[0]
    assert "ordinary" in remarks("my bag")[0]
    assert remarks("sks bag") == remarks("zwx") == []
    assert (class_word("sks red bag"), class_word("sks")) == ("red bag", "sks")


def test_pictures_are_compared_with_the_photos():
    photos = [np.asarray(picture("disc", seed, 64)) for seed in range(3)]
    others = [np.asarray(scene(seed, 64)) for seed in (10, 11)]
    judge = Judge(photos, others)
    near = judge.figures(5, [np.asarray(picture("disc", seed, 64)) for seed in (20, 21)], others)
    far = judge.figures(5, others, others)
    learned = judge.figures(5, photos[:2], photos[1:])
    assert near.likeness > far.likeness + 0.1
    assert (near.copies, far.copies, learned.copies) == (0, 0, 1)
    assert near.drift == pytest.approx(0, abs=1e-5)
    assert learned.drift > 0.1
    assert near.score > learned.score
    assert judge.figures(5, [photos[0]] * 2, others).variety == pytest.approx(0, abs=1e-5)


def test_the_earliest_of_the_best_is_proposed():
    rows = [Figures(step, 0.5, 0.1, 0.0, 0.0, score) for step, score in ((10, 0.2), (20, 0.5), (30, 0.5))]
    assert proposed(rows) == rows[1]
    assert proposed([]) is None
