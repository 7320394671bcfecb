"""The format that ONNX Runtime's small builds for phones read, written and checked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lucida.errors import ModelError
from lucida.models.onnx.model import run_batch
from lucida.models.precision import made_sample

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lucida.models.onnx.card import Card

NEAR = 0.02  # of probability


def write_ort(card: Card, target: Path) -> None:
    """Write a model in ORT format, its graph simplified in ways that hold on any processor.

    Args:
        card: The model.
        target: The file, "….ort".

    Raises:
        ModelError: What was written does not load, or gives something else.

    Source: ONNX Runtime's documentation, "ORT model format".
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    # Beyond this level come layouts of one kind of processor only.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(target)
    options.add_session_config_entry("session.save_model_format", "ORT")
    pictures = made_sample(card.needs, 8)
    # Folding would undo the casts of weights in 16 bits, and double the file.
    source = onnxruntime.InferenceSession(
        str(card.file), options, providers=["CPUExecutionProvider"], disabled_optimizers=["ConstantFolding"]
    )
    expected = _shares(source, card, pictures)
    try:
        session = onnxruntime.InferenceSession(str(target), providers=["CPUExecutionProvider"])
        off = float(np.abs(_shares(session, card, pictures) - expected).max())
    except Exception as error:  # ONNX Runtime raises a class of its own for every reason, without a common root
        raise _wrong(target, " ".join(str(error).split())[:200]) from error
    if off > NEAR:
        raise _wrong(target, f"probabilities that differ by {off:.3f}")


def _wrong(target: Path, got: str) -> ModelError:
    return ModelError(
        f"The model {target.name} is not what it was made from.",
        expected=f"the same probabilities within {NEAR}",
        got=got,
        hint="report it with the name of the model",
    )


class _Plain:
    """A session of ONNX Runtime, as `run_batch` takes one."""

    engine = "onnxruntime"

    def __init__(self, session: Any) -> None:
        self._session = session
        self.inputs = {
            one.name: tuple(n if isinstance(n, int) else None for n in one.shape) for one in session.get_inputs()
        }
        self.outputs = [one.name for one in session.get_outputs()]

    def __call__(self, feeds: Any, wanted: Any) -> list[NDArray[np.float32]]:
        return [np.asarray(value, np.float32) for value in self._session.run(list(wanted), dict(feeds))]


def _shares(session: Any, card: Card, pictures: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return probabilities of classes, or of tags, float32 (n, classes)."""
    return shares(card, run_batch(_Plain(session), card, pictures, (card.logits,))[0])


def shares(card: Card, logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return probabilities of classes, or of tags, float32 (n, classes), of logits."""
    if card.task == "tag":
        return np.asarray(1 / (1 + np.exp(-logits)), np.float32)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)
