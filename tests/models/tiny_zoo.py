"""Tiny ONNX files with random weights and the outputs of YuNet, LPD-YuNet and SFace."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

STRIDES = (8, 16, 32)
GROUPS = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}


def _save(path: Path, nodes, inputs, outputs, weights) -> Path:
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)
    return path


def write_yunet(path: Path, *, side: int = 128, seed: int = 0, keypoints: int = 10) -> Path:
    """Write a file that finds something wherever an image is neither black nor flat; it knows no faces."""
    draw = np.random.default_rng(seed)
    nodes, outputs, weights = [], {}, {}
    for stride in STRIDES:
        nodes.append(
            helper.make_node(
                "AveragePool", ["input"], [f"pool{stride}"], kernel_shape=[stride] * 2, strides=[stride] * 2
            )
        )
        for group, values in {**GROUPS, "kps": keypoints}.items():
            name = f"{group}_{stride}"
            sure = group in ("cls", "obj")
            weights[f"{name}_w"] = draw.normal(0, 0.02 if sure else 0.004, (values, 3, 1, 1)).astype(np.float32)
            shift = draw.normal(0.3, 0.3, values) if group == "bbox" else np.full(values, -1.0 if sure else 0.5)
            weights[f"{name}_b"] = shift.astype(np.float32)
            weights[f"{name}_shape"] = np.array([1, -1, values], np.int64)
            nodes += [
                helper.make_node("Conv", [f"pool{stride}", f"{name}_w", f"{name}_b"], [f"{name}_map"]),
                helper.make_node("Transpose", [f"{name}_map"], [f"{name}_last"], perm=[0, 2, 3, 1]),
                helper.make_node("Reshape", [f"{name}_last", f"{name}_shape"], [f"{name}_flat" if sure else name]),
            ]
            if sure:
                nodes.append(helper.make_node("Sigmoid", [f"{name}_flat"], [name]))
            outputs[name] = [1, (side // stride) ** 2, values]
    return _save(path, nodes, {"input": [1, 3, side, side]}, outputs, weights)


def write_plates(path: Path, *, seed: int = 0) -> Path:
    """Write a file with the outputs of LPD-YuNet, moved a little by the image."""
    draw, count = np.random.default_rng(seed), 4385
    weights = {
        "loc_w": draw.normal(0, 3, (count, 14)).astype(np.float32),
        "conf_w": draw.uniform(0, 1, (count, 2)).astype(np.float32) ** 4,
        "iou_w": draw.uniform(-0.2, 1.2, (count, 1)).astype(np.float32),
        "axes": np.array([0], np.int64),
        "share": np.array(0.001, np.float32),
    }
    nodes = [
        helper.make_node("ReduceMean", ["input"], ["mean"], axes=[0, 1, 2, 3], keepdims=0),
        helper.make_node("Mul", ["mean", "share"], ["moved"]),
        *(helper.make_node("Add", [f"{name}_w", "moved"], [name]) for name in ("loc", "conf", "iou")),
    ]
    del weights["axes"]
    outputs = {"loc": [count, 14], "conf": [count, 2], "iou": [count, 1]}
    return _save(path, nodes, {"input": [1, 3, 240, 320]}, outputs, weights)


def write_sface(path: Path, *, seed: int = 0, dimensions: int = 64) -> Path:
    """Write a file that mixes the mean greens and blues of 7 x 7 parts of a face."""
    draw = np.random.default_rng(seed)
    weights = {
        "middle": np.array([250, 127.5, 127.5], np.float32).reshape(1, 3, 1, 1),
        "mix": draw.normal(0, 1, (147, dimensions)).astype(np.float32),
        "shape": np.array([1, -1], np.int64),
    }
    nodes = [
        helper.make_node("Sub", ["data", "middle"], ["centred"]),
        helper.make_node("AveragePool", ["centred"], ["pool"], kernel_shape=[16, 16], strides=[16, 16]),
        helper.make_node("Reshape", ["pool", "shape"], ["flat"]),
        helper.make_node("MatMul", ["flat", "mix"], ["fc1"]),
    ]
    return _save(path, nodes, {"data": [1, 3, 112, 112]}, {"fc1": [1, dimensions]}, weights)


def write_red_finder(path: Path, side: int = 128) -> Path:
    """Write a file with the outputs of YuNet that takes each red square of 32 pixels on its grid for a face."""
    nodes, outputs, weights = [], {}, {}
    places = np.array(
        [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
    )
    fixed = {"bbox": np.array([0.5, 0.5, np.log(1.1), np.log(1.1)]), "kps": (places / 112).ravel()}
    for stride in STRIDES:
        nodes.append(
            helper.make_node(
                "AveragePool", ["input"], [f"pool{stride}"], kernel_shape=[stride] * 2, strides=[stride] * 2
            )
        )
        for group, values in GROUPS.items():
            name, sure = f"{group}_{stride}", group in ("cls", "obj")
            weight = np.zeros((values, 3, 1, 1), np.float32)
            weight[:, 2] = 0.2 if sure and stride == 32 else 0
            weights[f"{name}_w"] = weight
            weights[f"{name}_b"] = np.asarray(fixed.get(group, np.full(values, -35.0)), np.float32)
            weights[f"{name}_shape"] = np.array([1, -1, values], np.int64)
            nodes += [
                helper.make_node("Conv", [f"pool{stride}", f"{name}_w", f"{name}_b"], [f"{name}_map"]),
                helper.make_node("Transpose", [f"{name}_map"], [f"{name}_last"], perm=[0, 2, 3, 1]),
                helper.make_node("Reshape", [f"{name}_last", f"{name}_shape"], [f"{name}_flat" if sure else name]),
            ]
            if sure:
                nodes.append(helper.make_node("Sigmoid", [f"{name}_flat"], [name]))
            outputs[name] = [1, (side // stride) ** 2, values]
    return _save(path, nodes, {"input": [1, 3, side, side]}, outputs, weights)
