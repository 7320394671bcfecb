"""A trained restorer becomes an ONNX file for images of any size, with a TOML beside it, checked against PyTorch."""

from __future__ import annotations

import contextlib
import io
import json
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

from lucida.errors import ModelError
from lucida.models.engine import open_session
from lucida.models.quiet import quiet
from lucida.train.export import folded, forget_origin, rewrite, store_small

if TYPE_CHECKING:
    from pathlib import Path

    from lucida.train.restore.network import Restorer, Shape

CLOSE: Final = 1e-4  # largest difference from PyTorch, of images on 0..1
FILE: Final = "model.onnx"
# Two sizes, neither square: what was traced for one size only is seen.
SIZES: Final = ((2, 24, 34), (1, 58, 40))


def export_restorer(network: Restorer, folder: Path, top: dict[str, str]) -> dict[str, Any]:
    """Write a network as a model, its weights in half precision.

    Args:
        network: With or without its branches.
        folder: An existing folder.
        top: name, licence, source and revision.

    Returns:
        How many weights it has, and the size of its file.

    Raises:
        ModelError: The ONNX file does not give what PyTorch gives.
        MissingExtra: The package `onnx` is not installed.
    """
    plain: Any = folded(network)
    for weights in plain.parameters():
        weights.data = weights.data.half().float()
    path = folder / FILE
    _write(plain, path)
    store_small(path)
    _check(plain, path)
    (folder / "model.toml").write_text(card(network.shape, top), encoding="utf-8")
    return {"weights": sum(weights.numel() for weights in plain.parameters()), "bytes": path.stat().st_size}


def card(shape: Shape, top: dict[str, str], measured: dict[str, float] | None = None) -> str:
    """Return the TOML of a restorer; `lucida.models.onnx.restore` says what its keys mean."""
    task = "upscale" if shape.scale > 1 else "denoise"
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in _first(top, task).items()]
    lines += ["", "[input]", 'name = "image"', 'channels = "RGB"']
    if task == "denoise":
        lines += ['noise = "noise"']
    lines += [f"multiple = {shape.folded}", f"halo = {shape.halo}", f"least = {shape.folded}"]
    lines += ["", "[output]", 'name = "restored"', f"scale = {shape.scale}"]
    if measured:
        lines += ["", "[measured]", *(f"{key} = {value}" for key, value in measured.items())]
    return "\n".join(lines) + "\n"


def _first(top: dict[str, str], task: str) -> dict[str, str]:
    return {"name": top["name"], "task": task, "file": FILE, **{k: v for k, v in top.items() if k != "name"}}


def _write(network: Restorer, path: Path) -> None:
    inputs = _sample(network.shape, *SIZES[0])
    side = network.shape.folded
    free: dict[int, Any] = {0: torch.export.Dim("n", min=1, max=4096)}
    for axis, name in ((2, "height"), (3, "width")):
        free[axis] = side * torch.export.Dim(name, min=1, max=1 << 16)
    shapes = (free, {0: free[0]})[: len(inputs)]
    with quiet(), torch.inference_mode(), contextlib.redirect_stderr(io.StringIO()):
        torch.onnx.export(
            network, inputs, path, input_names=["image", "noise"][: len(inputs)], output_names=["restored"],
            dynamic_shapes=shapes, dynamo=True, external_data=False, verbose=False,
        )  # fmt: skip
    rewrite(path, _tidy)


def _tidy(model: Any) -> None:
    """Keep bicubic enlargement exact, and drop stack traces, which hold the paths of the machine that exported."""
    import onnx

    model.producer_name, model.producer_version = "lucida train restorer", ""
    model.graph.name = "restorer"
    forget_origin(model)
    del model.graph.value_info[:]
    for tensor in [tensor for tensor in model.graph.initializer if tensor.name == "base"]:
        # What is a constant of the graph is not stored in half precision.
        model.graph.initializer.remove(tensor)
        model.graph.node.insert(0, onnx.helper.make_node("Constant", [], ["base"], name="base", value=tensor))


def _sample(shape: Shape, count: int, height: int, width: int) -> tuple[torch.Tensor, ...]:
    random = np.random.default_rng(0)
    image = torch.from_numpy(random.random((count, 3, height, width), dtype=np.float32))
    return (image,) if shape.scale > 1 else (image, torch.full((count, 1, 1, 1), 0.1))


def _check(network: Restorer, path: Path) -> None:
    session = open_session(path, "fp32")
    for size in SIZES:
        inputs = _sample(network.shape, *size)
        with torch.inference_mode():
            expected = network(*inputs).numpy()
        feeds = {name: value.numpy() for name, value in zip(("image", "noise"), inputs, strict=False)}
        found = session(feeds, ("restored",))[0]
        off = float(np.abs(found - expected).max()) if found.shape == expected.shape else float("inf")
        if off > CLOSE:
            raise ModelError(
                "Exporting the restorer changed what it gives.",
                expected=f"the image of PyTorch within {CLOSE:g}",
                got=f"{off:.2g}, shapes {expected.shape} and {found.shape}",
                hint="report it with the versions that `lucida env` prints",
            )
