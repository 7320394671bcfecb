"""Int8 weights and activations, their ranges read off images: two ways, and the better one by measurement.

The file that comes out is ONNX with quantising nodes, which ONNX Runtime and OpenVINO both run in int8.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lucida.errors import MissingExtra, ModelError
from lucida.models import engine
from lucida.models.engine import ENGINES
from lucida.models.onnx.model import run_batch
from lucida.models.precision import FAITHFUL, TIMES, agreement, centred_cosine
from lucida.models.quiet import quiet
from lucida.progress import track

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lucida.models.engine import Session
    from lucida.models.onnx.card import Card

CALIBRATION = 160  # images that ranges are read off
TRIAL = 96  # other images that faithfulness is measured on

Way = Callable[[Path, "Card", "NDArray[np.float32]", Path], None]


@dataclass(frozen=True)
class Candidate:
    """One int8 file, and how it did beside float32.

    Attributes:
        way: What made it.
        file: Where it lies.
        cosine: Centred cosine of its logits: the lowest of all engines of this machine.
        agreement: Share of images with the same answer, likewise.
        seconds: Time of one image with this machine's engine.
    """

    way: str
    file: Path
    cosine: float
    agreement: float
    seconds: float

    @property
    def faithful(self) -> bool:
        """Tell whether it answers as float32 does."""
        return self.cosine >= FAITHFUL


def quantise(source: Path, card: Card, images: NDArray[np.float32], folder: Path) -> tuple[list[Candidate], list[str]]:
    """Make int8 files in every way that is installed.

    Args:
        source: The ONNX file in float32, weights within it.
        card: How it is used.
        images: Prepared images, float32 (n, channels, size, size): ranges are read off the first `CALIBRATION` (at
            most two thirds), and the others measure.
        folder: Where files are written.

    Returns:
        What came out, the best first: the fastest that is faithful; and which ways failed, and why.

    Raises:
        MissingExtra: No package that can do it is installed.
        ModelError: No file came out that all engines of this machine run.
    """
    cut = min(CALIBRATION, max(1, len(images) * 2 // 3))
    ranges, trial = images[:cut], images[cut:][:TRIAL] if len(images) > cut else images
    ways = {name: way for name, (package, way) in WAYS.items() if find_spec(package)}
    if not ways:
        raise MissingExtra("nncf", "train", "Making an int8 model")
    reference = _logits(engine.open_session(source, "fp32"), card, trial)
    found, failed = [], []
    with track("Making int8", len(ways), unit="models") as step:
        for name, way in ways.items():
            file = folder / f"{name}.onnx"
            try:
                with quiet():
                    way(source, card, ranges, file)
                found.append(_measured(name, file, card, trial, reference))
            except Exception as error:  # either library has errors of its own for layers it cannot do
                failed.append(f"{name} failed: {type(error).__name__}: {' '.join(str(error).split())[:120]}")
            step()
    if not found:
        raise ModelError(
            "This network cannot be made int8.",
            expected="an int8 file that every engine of this machine runs",
            got="; ".join(failed),
            hint="--bf16 or --fp16",
        )
    return sorted(found, key=lambda one: (not one.faithful, one.seconds if one.faithful else -one.cosine)), failed


def _measured(
    way: str, file: Path, card: Card, trial: NDArray[np.float32], reference: NDArray[np.float32]
) -> Candidate:
    found = {name: _logits(session, card, trial) for name, session in _sessions(file)}
    session = engine.open_session(file, "int8")
    times = []
    for _ in range(TIMES + 1):
        began = time.perf_counter()
        _logits(session, card, trial)
        times.append(time.perf_counter() - began)
    return Candidate(
        way,
        file,
        min(centred_cosine(logits, reference) for logits in found.values()),
        min(agreement(_shares(logits), _shares(reference)) for logits in found.values()),
        min(times) / len(trial),
    )


def _sessions(file: Path) -> Iterator[tuple[str, Session]]:
    """Open a file with every engine of this machine, at every precision it may later be run at."""
    for name, kind in ENGINES.items():
        if find_spec(name):
            bf16 = name == "openvino" and "BF16" in engine.openvino_core().get_property(
                "CPU", "OPTIMIZATION_CAPABILITIES"
            )
            for precision in ("fp32", "bf16") if bf16 else ("fp32",):
                yield f"{name} {precision}", kind(file, precision)


def _logits(session: Session, card: Card, batch: NDArray[np.float32]) -> NDArray[np.float32]:
    return run_batch(session, card, batch, (card.logits,))[0]


def _shares(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)


def _feeds(card: Card, images: NDArray[np.float32]) -> Iterator[dict[str, NDArray[np.float32]]]:
    turned = images if card.needs.layout == "NCHW" else np.ascontiguousarray(images.transpose(0, 2, 3, 1))
    for picture in turned:
        yield {card.input: picture[None]}


def _nncf(source: Path, card: Card, images: NDArray[np.float32], target: Path) -> None:
    """Quantise by NNCF, with the transformer's scheme where most products are of matrices."""
    # Nothing may leave the machine, what is quantised least of all.
    os.environ.setdefault("NNCF_CI", "1")
    engine.openvino_core()
    import nncf
    import onnx

    from lucida.models.quantise import is_transformer

    made = nncf.quantize(
        onnx.load(source),
        nncf.Dataset(list(_feeds(card, images))),
        model_type=nncf.ModelType.TRANSFORMER if is_transformer(source) else None,
        subset_size=len(images),
    )
    onnx.save(made, target)


def _onnxruntime(source: Path, card: Card, images: NDArray[np.float32], target: Path) -> None:
    """Quantise by ONNX Runtime: activations unsigned, weights signed and a scale a channel, as VNNI and AMX want it."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._feeds = _feeds(card, images)

        def get_next(self) -> Any:
            return next(self._feeds, None)

    ready, root = target.with_suffix(".ready"), logging.getLogger()
    level = root.level
    try:
        # It warns by the root logger of every norm that has one axis only.
        root.setLevel(logging.ERROR)
        quant_pre_process(source, ready, skip_symbolic_shape=True)
        quantize_static(
            ready,
            target,
            Reader(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
    finally:
        root.setLevel(level)
        ready.unlink(missing_ok=True)


# What makes it, and the package that it needs.
WAYS: dict[str, tuple[str, Way]] = {"onnxruntime": ("onnx", _onnxruntime), "nncf": ("nncf", _nncf)}
