"""Tiny ONNX networks that restore, with weights from a seed: a residual to repeated pixels, and a blur by the noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def _save(file: Path, nodes: list[onnx.NodeProto], weights: dict[str, np.ndarray], inputs: dict[str, list]) -> None:
    graph = helper.make_graph(
        nodes,
        "restorer",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", inputs["pixels"][1], "H", "W"])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, file)


def _card(folder: Path, task: str, scale: int, **more: object) -> Path:
    lines = [
        f'name = "{folder.name}"',
        f'task = "{task}"',
        'file = "model.onnx"',
        'licence = "CC0"',
        'source = "tests"',
    ]
    lines += ["[input]", 'name = "pixels"', *(f"{key} = {value!r}" for key, value in more.items())]
    lines += ["[output]", f"scale = {scale}"]
    card = folder / "model.toml"
    card.write_text("\n".join(lines).replace("'", '"') + "\n")
    return card


def upscaler(folder: Path, scale: int, *, channels: str = "RGB", tile: int = 32) -> Path:
    """Write an upscaler that sees two pixels far, and return its card."""
    folder.mkdir(parents=True)
    planes, draw = 3 if channels == "RGB" else 1, np.random.default_rng(scale)
    repeat = np.repeat(np.eye(planes), scale**2, axis=0)[..., None, None]
    weights = {
        "repeat": repeat,
        "first": draw.normal(0, 0.3, (8, planes, 3, 3)),
        "second": draw.normal(0, 0.05, (planes * scale**2, 8, 3, 3)),
    }
    nodes = [
        helper.make_node("Conv", ["pixels", "repeat"], ["same"]),
        helper.make_node("Conv", ["pixels", "first"], ["a"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "second"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("Add", ["same", "c"], ["d"]),
        helper.make_node("DepthToSpace", ["d"], ["image"], blocksize=scale, mode="CRD"),
    ]
    _save(folder / "model.onnx", nodes, weights, {"pixels": ["n", planes, "h", "w"]})
    return _card(folder, "upscale", scale, channels=channels, halo=2, tile=tile)


def denoiser(folder: Path, *, tile: int = 32) -> Path:
    """Write a denoiser that lays a blur over the image, wholly at a level of 25.5, and return its card."""
    folder.mkdir(parents=True)
    weights = {"mean": np.full((3, 1, 3, 3), 1 / 9), "ten": np.array(10.0)}
    nodes = [
        helper.make_node("Conv", ["pixels", "mean"], ["soft"], pads=[1, 1, 1, 1], group=3),
        helper.make_node("Sub", ["soft", "pixels"], ["change"]),
        helper.make_node("Mul", ["noise", "ten"], ["share"]),
        helper.make_node("Mul", ["change", "share"], ["part"]),
        helper.make_node("Add", ["pixels", "part"], ["image"]),
    ]
    _save(folder / "model.onnx", nodes, weights, {"pixels": ["n", 3, "h", "w"], "noise": ["n", 1, 1, 1]})
    return _card(folder, "denoise", 1, noise="noise", halo=1, tile=tile, multiple=2, least=2)


def shipped(folder: Path) -> Path:
    """Write a set of models as the package ships one, and return their folder."""
    upscaler(folder / "embedded-x2", 2)
    upscaler(folder / "embedded-x4", 4)
    denoiser(folder / "embedded-denoise")
    return folder
