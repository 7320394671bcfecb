"""Weights inside an ONNX file: stored small, widened by nodes that engines fold when they load it.

The large kernels are stored as int8 with a scale a channel, everything else as half precision. The computation is in
float32, or bfloat16 where the engine is told so.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lucida.errors import MissingExtra

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Weights = dict[str, NDArray[np.float32]]

LARGE = 150_000  # values from which a kernel is stored as int8
TINY = 16  # values up to which nothing is gained
WHOLE, SCALE, HALF = ".int8", ".scale", ".half"


def shrink(model: Any) -> None:
    """Store the float32 weights of a model small, in place.

    Args:
        model: An `onnx.ModelProto` whose weights are plain initializers.
    """
    from onnx import TensorProto, checker, numpy_helper

    nodes: list[Any] = []
    for tensor in list(model.graph.initializer):
        values = numpy_helper.to_array(tensor)
        if tensor.data_type != TensorProto.FLOAT or values.size <= TINY:
            continue
        model.graph.initializer.remove(tensor)
        stored, widened = _stored(tensor.name, values)
        model.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in stored.items())
        nodes.extend(widened)
    nodes.extend(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    checker.check_model(model, full_check=True)


def read_weights(path: Path) -> Weights:
    """Return the weights of a file that `shrink` made, by name, as float32.

    Raises:
        MissingExtra: The package `onnx` is not installed.
    """
    from onnx import numpy_helper

    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in _load(path).graph.initializer}
    found: Weights = {}
    for name, values in stored.items():
        if name.endswith(HALF):
            found[name.removesuffix(HALF)] = values.astype(np.float32)
        elif name.endswith(WHOLE):
            plain = name.removesuffix(WHOLE)
            found[plain] = values.astype(np.float32) * stored[plain + SCALE]
    return found


def replace_weights(path: Path, weights: Mapping[str, NDArray[np.float32]]) -> bytes:
    """Return the file with other weights of the same names and shapes, as bytes.

    Raises:
        MissingExtra: The package `onnx` is not installed.
    """
    from onnx import numpy_helper

    model = _load(path)
    stored = {key: value for name, values in weights.items() for key, value in _stored(name, values)[0].items()}
    for tensor in model.graph.initializer:
        if tensor.name in stored:
            tensor.CopyFrom(numpy_helper.from_array(stored[tensor.name], tensor.name))
    return bytes(model.SerializeToString(deterministic=True))


def _load(path: Path) -> Any:
    try:
        import onnx
    except ImportError as error:
        raise MissingExtra("onnx", "torch", "Reading the weights of a model") from error
    return onnx.load(path)


def _stored(name: str, values: NDArray[np.float32]) -> tuple[dict[str, NDArray[Any]], list[Any]]:
    """Return what is stored for a weight, and the nodes that widen it."""
    from onnx import TensorProto, helper

    if values.ndim > 1 and values.size >= LARGE:
        axes = tuple(range(1, values.ndim))
        scale = np.maximum(np.abs(values).max(axis=axes, keepdims=True), 1e-12) / np.float32(127)
        stored = {
            name + WHOLE: np.rint(values / scale).astype(np.int8),
            name + SCALE: np.asarray(scale, np.float32),
        }
        nodes = [
            helper.make_node("Cast", [name + WHOLE], [name + ".wide"], name=f"{name}.cast", to=TensorProto.FLOAT),
            helper.make_node("Mul", [name + ".wide", name + SCALE], [name], name=f"{name}.mul"),
        ]
        return stored, nodes
    if np.abs(values).max() > np.finfo(np.float16).max:
        raise ValueError(f"{name} exceeds the range of half precision.")
    cast = helper.make_node("Cast", [name + HALF], [name], name=f"{name}.cast", to=TensorProto.FLOAT)
    return {name + HALF: values.astype(np.float16)}, [cast]
