"""ONNX files as the hub has them run without PyTorch and without a TOML of ours."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from lucida.errors import ModelError
from lucida.images import Image
from lucida.models import find

CONFIG = {"model_type": "clip", "architectures": ["CLIPModel"], "text_config": {"max_position_embeddings": 8}}
PROCESSOR = {
    "image_processor_type": "CLIPImageProcessor",
    "size": {"shortest_edge": 16},
    "crop_size": {"height": 16, "width": 16},
    "image_mean": [0, 0, 0],
    "image_std": [1, 1, 1],
}


def renamed(source: Path, target: Path, names: dict[str, str]) -> None:
    """Copy an ONNX file with other names of inputs and outputs."""
    model = onnx.load(source)
    for value in (*model.graph.input, *model.graph.output):
        value.name = names.get(value.name, value.name)
    for node in model.graph.node:
        for kept in (node.input, node.output):
            for i, name in enumerate(kept):
                kept[i] = names.get(name, name)
    target.parent.mkdir(exist_ok=True, parents=True)
    onnx.save(model, target)


@pytest.fixture
def pair(written: Path, tmp_path: Path) -> Path:
    """The pair of the tests, which knows three colours, as Transformers.js lays files out."""
    folder = tmp_path / "pair"
    renamed(written / "clip/model.onnx", folder / "onnx/vision_model.onnx", {"pixels": "pixel_values"})
    renamed(written / "clip/text.onnx", folder / "onnx/text_model.onnx", {})
    (folder / "tokenizer.json").write_bytes((written / "clip/tokenizer.json").read_bytes())
    (folder / "config.json").write_text(json.dumps(CONFIG))
    (folder / "preprocessor_config.json").write_text(json.dumps(PROCESSOR))
    return folder


@pytest.mark.parametrize("prefix", ["", "onnx:"])
def test_a_pair_names_the_colour(pair, prefix):
    spec = find(f"{prefix}{pair}")
    assert (spec.family, spec.tasks) == ("onnx", ("encode", "words"))
    model = spec.load("fp32")
    colours = [Image(np.full((20, 30, 3), np.eye(3, dtype=np.uint8)[i] * 200 + 20, np.uint8), "RGB") for i in range(3)]
    vectors = model.embed(np.stack([spec.needs.prepare(colour) for colour in colours]))
    scores = spec.matcher([["blue"], ["red"], ["green"]]).logits(vectors)
    assert scores.argmax(axis=1).tolist() == [1, 2, 0]
    assert find(spec.name).key == spec.key, "a run finds it again"


def test_a_classifier(written, tmp_path):
    folder = tmp_path / "classifier"
    renamed(written / "clip/model.onnx", folder / "model.onnx", {"pixels": "pixel_values", "image_embeds": "logits"})
    config = {"model_type": "vit", "architectures": ["ViTForImageClassification"], "id2label": {}}
    config["id2label"] = {"0": "red, scarlet", "1": "green", "2": "blue"}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "preprocessor_config.json").write_text(json.dumps(PROCESSOR))
    spec = find(str(folder))
    assert spec.tasks == ("classify",)
    assert spec.gives.classes == ("red", "green", "blue")


def test_a_file_of_another_kind_says_what_it_lacks(written, tmp_path):
    folder = tmp_path / "odd"
    renamed(written / "clip/model.onnx", folder / "model.onnx", {})
    (folder / "config.json").write_text(json.dumps(CONFIG))
    (folder / "preprocessor_config.json").write_text(json.dumps(PROCESSOR))
    with pytest.raises(ModelError) as caught:
        find(str(folder))
    assert "pixel_values" in caught.value.expected
    assert "pixels" in caught.value.got
    assert "TOML" in caught.value.hint
