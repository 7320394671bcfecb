"""Weights stored in 16 bits: half the file, the same arithmetic.

Every large weight becomes a 16-bit one and a cast, which all engines know; they undo it once, when the file is loaded.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np

from lucida.errors import MissingExtra

Half = Literal["fp16", "bf16"]
SMALL = 256  # numbers below which a weight is not worth a cast


def store_halves(source: Path, target: Path, kind: Half) -> int:
    """Write an ONNX file with its weights in 16 bits.

    Args:
        source: The file, weights in float32.
        target: The new one; weights lie within it.
        kind: "fp16" has the finer steps, "bf16" the range of float32.

    Returns:
        How many weights were left as they are, since 16 bits cannot hold their values.
    """
    onnx = need_onnx()
    from onnx import TensorProto, helper, numpy_helper

    model = onnx.load(source)
    graph, casts, left = model.graph, [], 0
    kept: list[Any] = []
    for weight in graph.initializer:
        values = numpy_helper.to_array(weight)
        if weight.data_type != TensorProto.FLOAT or values.size < SMALL:
            kept.append(weight)
            continue
        half = _fp16(weight.name, values) if kind == "fp16" else _bf16(weight.name, values)
        if half is None:
            left += 1
            kept.append(weight)
            continue
        casts.append(helper.make_node("Cast", [half.name], [weight.name], to=TensorProto.FLOAT, name=f"{half.name}_up"))
        kept.append(half)
    nodes = [*casts, *graph.node]
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(kept)
    graph.node.extend(nodes)
    onnx.save(model, target, save_as_external_data=False)
    return left


def _fp16(name: str, values: Any) -> Any:
    from onnx import numpy_helper

    with np.errstate(over="ignore"):
        half = values.astype(np.float16)
    return numpy_helper.from_array(half, f"{name}_fp16") if np.isfinite(half).all() else None


def _bf16(name: str, values: Any) -> Any:
    from onnx import TensorProto

    if not np.isfinite(values).all():
        return None
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    # To the nearest, ties to even.
    rounded = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")
    half = TensorProto(name=f"{name}_bf16", data_type=TensorProto.BFLOAT16, dims=values.shape)
    half.raw_data = rounded.tobytes()
    return half


def one_file(source: Path, target: Path) -> None:
    """Write an ONNX file with its weights within it, wherever they lay."""
    onnx = need_onnx()
    onnx.save(onnx.load(source), target, save_as_external_data=False)


def need_onnx() -> Any:
    """Return the package `onnx`, which changes models; running them does not need it.

    Raises:
        MissingExtra: It is not installed.
    """
    try:
        import onnx
    except ImportError as error:
        raise MissingExtra("onnx", "train", "Compressing a model") from error
    return onnx
