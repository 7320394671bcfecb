"""Int8 by NNCF: made once from an ONNX file, on images, and kept beside the choices of precision."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lucida.errors import MissingExtra
from lucida.models.cache import cache_folder
from lucida.models.engine import openvino_core
from lucida.models.quiet import quiet
from lucida.progress import track

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lucida.models.precision import Weights

CALIBRATION = 96  # images that the ranges of activations are read off


def can_quantise() -> bool:
    """Tell whether NNCF is installed."""
    return importlib.util.find_spec("nncf") is not None


def quantised_file(weights: Weights) -> Path:
    """Return where the int8 model of some weights lies, or would."""
    name = hashlib.sha256(f"{weights.identity} {weights.path.name}".encode()).hexdigest()[:16]
    return cache_folder() / "int8" / f"{name}.xml"


def is_quantised(weights: Weights) -> bool:
    """Tell whether the int8 model has been made."""
    return quantised_file(weights).is_file()


def is_transformer(path: Path) -> bool:
    """Tell whether most of a model's products are of matrices, rather than convolutions."""
    kinds = [operation.get_type_name() for operation in openvino_core().read_model(path).get_ops()]
    return kinds.count("MatMul") > kinds.count("Convolution") + kinds.count("GroupConvolution")


def quantised(weights: Weights, images: Callable[[int], NDArray[np.float32]]) -> Path:
    """Return the int8 model, made now where it is not there yet.

    Weights and activations of products are int8, their ranges read off images; source: NNCF's post-training
    quantisation with the transformer's scheme (SmoothQuant).

    Args:
        weights: The model in float32.
        images: Gives prepared images, float32 (n, channels, height, width).

    Raises:
        MissingExtra: It has to be made, and NNCF is not installed.
    """
    file = quantised_file(weights)
    if file.is_file():
        return file
    if not can_quantise():
        raise MissingExtra("nncf", "hub", "Making an int8 model")
    core = openvino_core()
    with track("Making int8", 1, unit="models") as step, quiet():
        # Nothing may leave the machine, what is quantised least of all.
        os.environ.setdefault("NNCF_CI", "1")
        import nncf
        import openvino

        pictures = images(CALIBRATION)
        if weights.needs.layout == "NHWC":
            pictures = np.ascontiguousarray(pictures.transpose(0, 2, 3, 1))
        feeds = [{weights.input: picture[None]} for picture in pictures]
        made = nncf.quantize(
            core.read_model(weights.path),
            nncf.Dataset(feeds),
            model_type=nncf.ModelType.TRANSFORMER if is_transformer(weights.path) else None,
            subset_size=len(feeds),
        )
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=file.parent) as partial:
            openvino.save_model(made, Path(partial) / file.name, compress_to_fp16=False)
            # The description comes last: with it the model is whole.
            (Path(partial) / f"{file.stem}.bin").replace(file.with_suffix(".bin"))
            (Path(partial) / file.name).replace(file)
        step(1)
    return file
