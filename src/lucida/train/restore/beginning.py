"""What a restorer begins from: the shipped one of its scale, nothing, or an earlier run."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

from lucida.errors import InputError
from lucida.models.embedded.storage import HALF
from lucida.train.beginning import Built, load_matching
from lucida.train.restore.network import Convolution, Restorer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lucida.train.restore.network import Shape

# Which shipped restorer a training begins from.
NEAREST: Final = {"bicubic": "embedded-{}", "real": "embedded-real-{}"}


def begin(shape: Shape, start: str, degradation: str) -> Built:
    """Build a restorer with the weights that it begins from.

    Args:
        shape: How large it is.
        start: "auto" (the shipped one where there is one), "embedded", "nothing", or the folder of a run.
        degradation: What it will undo.

    Raises:
        InputError: The weights are not to be had, or are of another network.
    """
    network = Restorer(shape)
    if start == "nothing":
        return Built(network, start)
    if start not in ("auto", "embedded"):
        load_matching(network, Path(start))
        return Built(network, start)
    path = shipped(NEAREST[degradation].format(f"x{shape.scale}" if shape.scale > 1 else "denoise"))
    if path.is_file():
        load_folded(network, path)
        return Built(network, "embedded", licence_of(path))
    if start == "embedded":
        raise InputError(
            "No restorer of this kind comes with the package.",
            expected='"auto", "nothing", or a training run',
            got=f"--start embedded for scale {shape.scale}",
        )
    return Built(network, "nothing")


def shipped(name: str) -> Path:
    """Return where the ONNX file of a shipped restorer lies."""
    return Path(str(resources.files("lucida.models.restorers"))) / name / "model.onnx"


def licence_of(path: Path) -> str:
    """Return what the TOML beside an ONNX file says of its weights."""
    import tomllib

    return str(tomllib.loads(path.with_name("model.toml").read_text(encoding="utf-8"))["licence"])


def load_folded(network: Restorer, path: Path) -> None:
    """Put the weights of an exported restorer into one that still has its branches.

    Args:
        network: Changed in place: it then gives what the file gives.
        path: The ONNX file.

    Raises:
        InputError: They are of another network.
    """
    stored = _stored(path)
    own: dict[str, Any] = network.state_dict()
    for module_name, module in network.named_modules():
        if not isinstance(module, Convolution):
            continue
        kernel, bias = f"{module_name}.full", f"{module_name}.bias"
        if kernel not in stored or stored[kernel].shape != tuple(own[kernel].shape):
            raise InputError(
                f"{path} holds the weights of another network.",
                expected=f"{kernel} of shape {tuple(own[kernel].shape)}",
                got=str(stored[kernel].shape) if kernel in stored else "no such weights",
            )
        own[kernel] = torch.from_numpy(stored[kernel])
        # A bias of nothing but zeros is not written.
        own[bias] = torch.from_numpy(stored[bias]) if bias in stored else torch.zeros_like(own[bias])
        if module.branches:
            # What the branches would add is in the one kernel already.
            own[f"{module_name}.out"] = torch.zeros_like(module.out)
            own[f"{module_name}.centre"] = torch.zeros_like(module.centre)
    network.load_state_dict(own)


def _stored(path: Path) -> dict[str, NDArray[np.float32]]:
    """Return all weights of a file, those in half precision and the few that are too small for it."""
    import onnx

    tensors = onnx.load(path).graph.initializer
    return {one.name.removesuffix(HALF): onnx.numpy_helper.to_array(one).astype(np.float32) for one in tensors}
