"""The shipped examples: small, whole, found by name, and said to be examples."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from lucida.images import decode
from lucida.models.examples.family import EXAMPLE, ExamplesFamily, folder
from lucida.models.onnx.decoders import DECODERS
from pictures import scene

FAMILY = ExamplesFamily()
LIMIT = 3_000_000  # bytes of a model


@pytest.fixture(autouse=True)
def known(monkeypatch):
    monkeypatch.setitem(DECODERS, "boxes", "lucida.models.onnx.boxes:decode_boxes")
    monkeypatch.setitem(DECODERS, "masks", "lucida.models.onnx.masks:decode_masks")


@pytest.fixture(params=FAMILY.names())
def name(request) -> str:
    return request.param


def test_there_is_an_example_of_detection():
    assert any("detect" in FAMILY.spec(name).tasks for name in FAMILY.names())


def test_it_is_found_by_its_name_alone(name: str):
    assert FAMILY.claims(name)
    assert not FAMILY.claims(f"{name}-2")
    assert FAMILY.spec(name).name == name


def test_it_says_that_it_is_an_example_and_under_which_licence(name: str):
    spec = FAMILY.spec(name)
    assert spec.note.startswith(EXAMPLE)
    assert FAMILY.licence(name) == spec.licence != "not stated"
    assert (folder() / name / "card.md").read_text(encoding="utf-8").startswith("# Card of")


def test_it_is_small(name: str):
    files = [path for path in (folder() / name).iterdir() if path.suffix == ".onnx"]
    assert sum(path.stat().st_size for path in files) <= LIMIT


def test_it_runs_on_images_of_any_size_and_mode(name: str):
    pictures = [scene(1, 96).convert("L"), scene(2, 200).resize((320, 90)), scene(3, 64).convert("RGBA")]
    images = []
    for picture in pictures:
        out = io.BytesIO()
        picture.save(out, "PNG")
        images.append(decode(out.getvalue()))
    model = FAMILY.spec(name).load()
    together = model.predict(images)
    assert [one.to_json() for one in together] == [model.predict([image])[0].to_json() for image in images]


def test_a_detector_finds_nothing_sure_in_a_blank_image(tmp_path: Path):
    from PIL import Image

    path = tmp_path / "blank.png"
    Image.fromarray(np.full((480, 640, 3), 200, np.uint8)).save(path)
    for name in FAMILY.names():
        spec = FAMILY.spec(name)
        if "detect" in spec.tasks:
            assert len(spec.load().predict([decode(path)])[0].above(0.5)) == 0
