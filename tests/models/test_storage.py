"""Weights stored small: what they are worth afterwards, and how others take their place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from lucida.models.embedded import storage


def model(weights: dict[str, np.ndarray]) -> onnx.ModelProto:
    """Make y = flatten(conv(x, kernel)) @ matrix + bias."""
    nodes = [
        helper.make_node("Conv", ["x", "kernel"], ["maps"], pads=[1, 1, 1, 1]),
        helper.make_node("GlobalAveragePool", ["maps"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("Gemm", ["flat", "matrix", "bias"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 64, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 20])],
        [numpy_helper.from_array(values, name) for name, values in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


@pytest.fixture
def weights() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    scale = rng.uniform(0.01, 3, (300, 1, 1, 1))
    return {
        "kernel": (rng.normal(size=(300, 64, 3, 3)) * scale).astype(np.float32),
        "matrix": rng.normal(size=(300, 20)).astype(np.float32),
        "bias": rng.normal(size=20).astype(np.float32),
    }


def run(data: bytes, x: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    return session.run(["y"], {"x": x})[0]


def test_the_results_stay_and_the_file_shrinks(weights):
    plain = model(weights)
    before = plain.SerializeToString()
    x = np.random.default_rng(1).normal(size=(4, 64, 8, 8)).astype(np.float32)
    expected = run(before, x)
    storage.shrink(plain)
    after = plain.SerializeToString()
    assert len(after) < 0.3 * len(before)
    found = run(after, x)
    assert np.abs(found - expected).max() < 0.02 * np.abs(expected).max()


def test_weights_are_read_as_they_count(tmp_path: Path, weights):
    made = model(weights)
    storage.shrink(made)
    path = tmp_path / "small.onnx"
    onnx.save(made, path)
    found = storage.read_weights(path)
    assert set(found) == set(weights)
    for name, values in weights.items():
        step = np.abs(values).max(axis=tuple(range(1, values.ndim)), keepdims=True) / 127
        assert (np.abs(found[name] - values) <= 0.51 * step).all()
    # What was read and written again is the same file.
    assert storage.replace_weights(path, found) == path.read_bytes()


def test_other_weights_take_their_place(tmp_path: Path, weights):
    made = model(weights)
    storage.shrink(made)
    path = tmp_path / "small.onnx"
    onnx.save(made, path)
    others = {name: -2 * values for name, values in weights.items()}
    x = np.random.default_rng(2).normal(size=(2, 64, 8, 8)).astype(np.float32)
    expected = run(model(others).SerializeToString(), x)
    found = run(storage.replace_weights(path, others), x)
    np.testing.assert_allclose(found, expected, atol=0.02 * np.abs(expected).max())


def test_values_beyond_half_precision_are_refused(weights):
    weights["bias"][3] = 1e6
    with pytest.raises(ValueError, match="half precision"):
        storage.shrink(model(weights))
