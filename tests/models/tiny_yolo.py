"""Tiny ONNX files whose outputs have the shapes of those of YOLO: fixed boxes, moved a little by the image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIDE = 64
PLACES = 8 * 8 + 4 * 4 + 2 * 2


def write(
    path: Path,
    outputs: dict[str, np.ndarray],
    metadata: dict[str, str] | None = None,
    *,
    size: tuple[int, int] = (SIDE, SIDE),
    free: bool = False,
) -> Path:
    """Write a file that gives these arrays, each plus a hundredth of the mean of its image's input.

    Args:
        outputs: Name to float32 without its first axis.
        metadata: What the exporting program leaves.
        size: Height and width of the input.
        free: Leave sizes open in what the file says of itself.
    """
    nodes = [helper.make_node("ReduceMean", ["images"], ["mean"], axes=[1, 2, 3], keepdims=0)]
    weights = [numpy_helper.from_array(np.array(0.01, np.float32), "share")]
    nodes.append(helper.make_node("Mul", ["mean", "share"], ["moved"]))
    infos = []
    for name, values in outputs.items():
        shape = np.array([-1, *[1] * values.ndim], np.int64)
        weights += [
            numpy_helper.from_array(values.astype(np.float32)[None], f"{name}_fixed"),
            numpy_helper.from_array(shape, f"{name}_shape"),
        ]
        nodes += [
            helper.make_node("Reshape", ["moved", f"{name}_shape"], [f"{name}_moved"]),
            helper.make_node("Add", [f"{name}_fixed", f"{name}_moved"], [name]),
        ]
        known = [f"{name}{k}" for k in range(values.ndim)] if free else list(values.shape)
        infos.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *known]))
    sides = ["height", "width"] if free else list(size)
    image = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", 3, *sides])
    graph = helper.make_graph(nodes, "tiny", [image], infos, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, metadata or {})
    onnx.save(model, path)
    return path


def candidates(seed: int, count: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return boxes (count, 4) as middle and extent in pixels, in groups that overlap, and scores (count, classes)."""
    draw = np.random.default_rng(seed)
    middles = draw.uniform(12, SIDE - 12, (6, 2))[draw.integers(0, 6, count)]
    boxes = np.concatenate([middles + draw.normal(0, 1.5, (count, 2)), draw.uniform(10, 20, (count, 2))], axis=1)
    scores = draw.uniform(0, 0.2, (count, classes))
    sure = draw.random(count) < 0.4
    scores[sure, draw.integers(0, classes, count)[sure]] = draw.uniform(0.3, 0.98, sure.sum())
    return boxes.astype(np.float32), scores.astype(np.float32)
