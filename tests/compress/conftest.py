"""A tiny classifier as an ONNX file with its TOML, made without PyTorch; outcomes of two models."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from lucida.compress.claim import Outcome
from lucida.models.needs import ImageNeeds
from lucida.models.onnx.card import Card, read_card, write_card

CLASSES = ("disc", "square", "stripes")
NEEDS = ImageNeeds(32, "squash", "bilinear", mean=(0.5, 0.45, 0.4), std=(0.25, 0.25, 0.25))


@pytest.fixture
def classifier(tmp_path: Path) -> Callable[..., Card]:
    """Write a network of two convolutions with random weights: `classifier(needs=…, task=…, seed=…)`."""
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    def write(*, needs: ImageNeeds = NEEDS, task: str = "encode", seed: int = 0) -> Card:
        rng = np.random.default_rng(seed)
        shapes = {"w1": (16, needs.depth, 3, 3), "w2": (24, 16, 3, 3), "head": (24, 3), "bias": (3,)}
        numbers = {n: rng.normal(0, 1 / np.sqrt(np.prod(s[1:]) or 1), s).astype(np.float32) for n, s in shapes.items()}
        numbers["head"] = (numbers["head"] * 12).astype(np.float32)
        nodes = [
            helper.make_node("Conv", ["image", "w1"], ["a"], strides=[2, 2], pads=[1, 1, 1, 1]),
            helper.make_node("Relu", ["a"], ["b"]),
            helper.make_node("Conv", ["b", "w2"], ["c"], strides=[2, 2], pads=[1, 1, 1, 1]),
            helper.make_node("Relu", ["c"], ["d"]),
            helper.make_node("GlobalAveragePool", ["d"], ["e"]),
            helper.make_node("Flatten", ["e"], ["embedding"]),
            helper.make_node("Gemm", ["embedding", "head", "bias"], ["logits"]),
        ]
        graph = helper.make_graph(
            nodes,
            "tiny",
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", *needs.shape])],
            [
                helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n", w])
                for n, w in (("embedding", 24), ("logits", 3))
            ],
            [numpy_helper.from_array(values, name) for name, values in numbers.items()],
        )
        folder = tmp_path / f"model {seed}"
        folder.mkdir()
        opset = [helper.make_opsetid("", 17)]
        onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), folder / "model.onnx")
        (folder / "classes.json").write_text(json.dumps(CLASSES))
        output = {"logits": "logits", "classes": "classes.json"}
        output |= {"embedding": "embedding", "dimensions": 24} if task == "encode" else {}
        write_card(folder / "model.toml", {"name": "tiny", "task": task, "file": "model.onnx"}, needs, output)
        return read_card(folder / "model.toml")

    return write


@pytest.fixture
def outcomes() -> Callable[[int, int, int, int], list[Outcome]]:
    """Make outcomes of so many images: both right, A alone, B alone, neither."""

    def make(both: int, only_a: int, only_b: int, neither: int) -> list[Outcome]:
        said = [("x", "x")] * both + [("x", "y")] * only_a + [("y", "x")] * only_b + [("y", "y")] * neither
        return [Outcome(sha256(str(i).encode()).hexdigest(), "x", *pair) for i, pair in enumerate(said)]

    return make
