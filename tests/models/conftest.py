"""Tiny ONNX models made on the spot: an encoder, a classifier, and a CLIP-like pair that knows three colours."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, pre_tokenizers

SIDE = 16
COLOURS = ("red", "green", "blue")
CONTEXT = 8
HEAD = 'name = "tiny"\nfile = "model.onnx"\nlicence = "none"\nsource = "made by a test"\n'
INPUT = f'[input]\nname = "pixels"\nsize = {SIDE}\n'


def _save(path: Path, nodes, inputs, outputs, weights) -> None:
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in inputs],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def _image_model(path: Path, output: str, *, batch: int | str = "n", layout: str = "NCHW", dims: int = 3) -> None:
    """Mean colour of the image for 3 dimensions, any linear mixture of a convolution for others."""
    shape = [batch, 3, SIDE, SIDE] if layout == "NCHW" else [batch, SIDE, SIDE, 3]
    nodes = [] if layout == "NCHW" else [helper.make_node("Transpose", ["pixels"], ["planes"], perm=[0, 3, 1, 2])]
    planes = "planes" if nodes else "pixels"
    weights = {}
    if dims != 3:
        draw = np.random.default_rng(1)
        weights["kernel"] = draw.normal(size=(dims, 3, 3, 3)).astype(np.float32)
        nodes += [helper.make_node("Conv", [planes, "kernel"], ["c"]), helper.make_node("Relu", ["c"], ["r"])]
        planes = "r"
    nodes += [helper.make_node("GlobalAveragePool", [planes], ["g"]), helper.make_node("Flatten", ["g"], [output])]
    _save(path, nodes, [("pixels", TensorProto.FLOAT, shape)], [(output, [batch, dims])], weights)


def _text_model(path: Path) -> None:
    """The mean of the words' vectors: each colour is an axis, other words are nothing."""
    table = np.zeros((len(COLOURS) + 2, 3), np.float32)
    table[2:] = np.eye(3)
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["words"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["mask3"]),
        helper.make_node("Mul", ["words", "mask3"], ["seen"]),
        helper.make_node("ReduceMean", ["seen"], ["text_embeds"], axes=[1], keepdims=0),
    ]
    inputs = [(name, TensorProto.INT64, [1, CONTEXT]) for name in ("input_ids", "attention_mask")]
    _save(path, nodes, inputs, [("text_embeds", [1, 3])], {"table": table, "last": np.array([2])})


def _write_encoder(folder: Path) -> None:
    _image_model(folder / "model.onnx", "vector", dims=5)
    card = f'task = "encode"\n{HEAD}{INPUT}resize = "crop"\nmean = [0.5, 0.4, 0.3]\nstd = [0.2, 0.3, 0.4]\n'
    (folder / "model.toml").write_text(card + '[output]\nembedding = "vector"\n')


def _write_classifier(folder: Path) -> None:
    # A fixed batch and the other layout: both are common in exported files.
    _image_model(folder / "model.onnx", "scores", batch=2, layout="NHWC")
    card = f'task = "classify"\n{HEAD}{INPUT}resize = "pad"\nlayout = "NHWC"\nscale = 10.0\n'
    (folder / "model.toml").write_text(card + '[output]\nlogits = "scores"\nclasses = "classes.txt"\n')
    (folder / "classes.txt").write_text("\n".join(COLOURS))


def _write_clip(folder: Path) -> None:
    _image_model(folder / "model.onnx", "image_embeds")
    _text_model(folder / "text.onnx")
    words = {"[UNK]": 0, "[PAD]": 1, **{word: i + 2 for i, word in enumerate(COLOURS)}}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.enable_padding(pad_id=1)
    tokenizer.save(str(folder / "tokenizer.json"))
    card = f'task = "clip"\n{HEAD}{INPUT}[output]\nembedding = "image_embeds"\n[text]\nfile = "text.onnx"\n'
    (folder / "model.toml").write_text(
        card + f'tokenizer = "tokenizer.json"\ncontext = {CONTEXT}\nmask = "attention_mask"\nlogit_scale = 20.0\n'
    )


WRITERS = {"encoder": _write_encoder, "classifier": _write_classifier, "clip": _write_clip}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Choices of precision are kept in a folder of the test's own."""
    monkeypatch.setenv("LUCIDA_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("LUCIDA_ENGINE", raising=False)


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one folder a model: encoder, classifier, clip. Never changed by a test."""
    home = tmp_path_factory.mktemp("models")
    for name, write in WRITERS.items():
        (home / name).mkdir()
        write(home / name)
    return home


@pytest.fixture
def copy(written: Path, tmp_path: Path) -> Callable[[str], Path]:
    """A function that gives a copy of a model's folder, to be changed."""

    def make(name: str) -> Path:
        return Path(shutil.copytree(written / name, tmp_path / name))

    return make
