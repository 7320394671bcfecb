"""A trained generator becomes ONNX files with a TOML beside them, checked against PyTorch, and judged once more."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

from lucida.errors import ModelError
from lucida.evaluate.metrics.generation import frechet_distance, kernel_metric
from lucida.models.engine import open_session
from lucida.models.hub.convert import export_onnx
from lucida.train.export import forget_origin, rewrite
from lucida.train.generative.judge import FEATURES, copies
from lucida.train.generative.normal import Placed, fit_normal
from lucida.train.generative.sheets import write_sheet
from lucida.train.generative.space import MEASURED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

    from lucida.train.generative.recipe import GenerateRecipe

CLOSE: Final = 2e-3  # largest difference from PyTorch, relative to the largest value
FILE, DECODER, ENCODER = "model.onnx", "decoder.onnx", "encoder.onnx"
JUDGED: Final = 1000  # pictures that the final distance is of, at most
BESIDE: Final = 16  # pictures shown beside the training image nearest to them
HALF: Final = ".half"
TINY: Final = 16  # values up to which nothing is gained


def export_generator(recipe: GenerateRecipe, folder: Path, top: dict[str, str] | None = None) -> dict[str, Any]:
    """Write a generator as a model, and say how near its pictures come to held-out images.

    Args:
        recipe: With its trained network.
        folder: An existing folder.
        top: name, licence, source, revision, note, where they are not those of an own run.

    Returns:
        Its figures, the number of its weights, and the size of its files.

    Raises:
        ModelError: An ONNX file does not give what PyTorch gives.
        MissingExtra: The package `onnx` is not installed.
    """
    network = copy.deepcopy(recipe.network).cpu().float().eval().requires_grad_(False)
    for weights in network.parameters():
        weights.data = weights.data.half().float()
    drawing = recipe.method.drawing(network, recipe.known.pixels)
    write(drawing, _inputs(recipe), "output", folder / FILE)
    latent, found = _write_latent(recipe, network, folder)
    measured = judge(recipe, network) | found
    (folder / "model.toml").write_text(card(recipe, top or own(recipe), latent, measured), encoding="utf-8")
    size = sum(path.stat().st_size for path in folder.iterdir())
    return {**measured, "weights": sum(value.numel() for value in drawing.parameters()), "bytes": size}


def own(recipe: GenerateRecipe) -> dict[str, str]:
    """Return name, licence and source of a generator that a person trained."""
    return {
        "name": f"own-{recipe.name}",
        "licence": "yours: trained from nothing but your images",
        "source": f"lucida train generator --model {recipe.name}, from {recipe.origin}",
    }


def _inputs(recipe: GenerateRecipe) -> dict[str, torch.Tensor]:
    """Return made inputs of the part that draws, by the names that they have in the file."""
    random, count = torch.Generator().manual_seed(0), 3
    method, classes = recipe.method, len(recipe.classes)
    found = {"x": torch.randn((count, *method.noise), generator=random)}
    if method.name in ("flow", "diffusion"):
        found["time"] = torch.rand(count, generator=random)
    if classes and method.name != "vae":
        found["class"] = torch.arange(count) % (classes + 1)
    return found


def _write_latent(recipe: GenerateRecipe, network: Any, folder: Path) -> tuple[dict[str, Any], dict[str, float]]:
    """Write what goes between pixels and latents; return what the TOML says of it, and what is measured of it."""
    side = recipe.known.pixels.shape[1]
    image = {"image": torch.rand((3, 3, side, side), generator=torch.Generator().manual_seed(0)) * 2 - 1}
    if recipe.method.name == "vae":
        normal = fit_normal(network, recipe.known.pixels)
        write(Placed(network.encoder, normal), image, "mean", folder / ENCODER)
        return {"encoder": ENCODER}, dict(zip(MEASURED, (normal.scale, normal.shift), strict=True))
    space = recipe.space
    if space.latent is None:
        return {}, {}
    coder: Any = copy.deepcopy(space.network).cpu().float().eval()
    write(coder.decoder, {"latent": torch.randn((3, *recipe.method.noise))}, "image", folder / DECODER)
    write(Placed(coder.encoder), image, "mean", folder / ENCODER)
    return {"decoder": DECODER, "encoder": ENCODER, "scale": space.scale, "shift": space.shift}, {}


def judge(recipe: GenerateRecipe, network: nn.Module) -> dict[str, float]:
    """Return distances with the interval of one, and the share of near copies; write the nearest training images."""
    pixels = recipe.pictures(network, torch.device("cpu"), range(min(JUDGED, len(recipe.held_out))))
    drawn, truth = recipe.judge.features(pixels), recipe.truth()
    figure = kernel_metric(truth, drawn).figure()
    known = recipe.judge.features(recipe.known.pixels, "Looking for the nearest training images")
    share, rows, cosines = copies(drawn, truth, known)
    if recipe.folder is not None:
        # The likest first: what was learned by heart is seen at once.
        order = np.argsort(-cosines)[:BESIDE]
        pairs = [("drawn", pixels[order]), ("nearest", recipe.known.pixels[rows[order]])]
        write_sheet(recipe.folder / "samples" / "nearest.png", pairs)
    recipe.notes.append(
        f"{share:.1%} of {len(drawn):,} pictures are nearer to a training image than 99 % of held-out images are:"
        f" {'more than chance gives; look at' if share > 0.05 else 'about what chance gives;'} samples/nearest.png."
    )
    found = {"frechet_distance": frechet_distance(truth, drawn), "near_copies": share, "drawn": float(len(drawn))}
    if figure is not None:
        found |= {"kernel_distance": figure.value, "kernel_low": figure.low, "kernel_high": figure.high}
    named = ("frechet_distance", "kernel_distance", "kernel_low", "kernel_high")
    return {f"{name}_{FEATURES}" if name in named else name: round(value, 6) for name, value in found.items()}


def write(module: nn.Module, inputs: dict[str, torch.Tensor], output: str, path: Path) -> None:
    """Write a network as ONNX with its weights in half precision, for any number of rows, and check it.

    Args:
        module: Its weights fit half precision.
        inputs: By name.
        output: Name of what it gives.
        path: The file.

    Raises:
        ModelError: The file does not give what PyTorch gives.
    """
    with torch.inference_mode():
        expected = module.eval()(*inputs.values()).numpy()
    export_onnx(module, tuple(inputs.values()), tuple(inputs), (output,), path, whole=True)
    rewrite(path, _tidy)
    found = open_session(path, "fp32")({name: value.numpy() for name, value in inputs.items()}, (output,))[0]
    largest = float(np.abs(expected).max()) or 1.0
    off = float(np.abs(found - expected).max()) / largest if found.shape == expected.shape else float("inf")
    if off > CLOSE:
        raise ModelError(
            f"Exporting the generator changed what it gives ({path.name}).",
            expected=f"the values of PyTorch within {CLOSE:g} of the largest",
            got=f"{off:.2g}, shapes {expected.shape} and {found.shape}",
            hint="report it with the versions that `lucida env` prints",
        )


def _tidy(model: Any) -> None:
    """Store weights in half precision, and drop what tells of the machine that exported."""
    from onnx import TensorProto, helper, numpy_helper

    forget_origin(model)
    del model.graph.value_info[:]
    nodes = []
    for tensor in list(model.graph.initializer):
        values = numpy_helper.to_array(tensor)
        if tensor.data_type != TensorProto.FLOAT or values.size <= TINY:
            continue
        model.graph.initializer.remove(tensor)
        model.graph.initializer.append(numpy_helper.from_array(values.astype(np.float16), tensor.name + HALF))
        nodes.append(helper.make_node("Cast", [tensor.name + HALF], [tensor.name], to=TensorProto.FLOAT))
    nodes.extend(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def card(recipe: GenerateRecipe, top: dict[str, str], latent: dict[str, Any], measured: dict[str, float]) -> str:
    """Return the TOML of a generator; `lucida.models.onnx.generate` says what its keys mean."""
    method, own_sampling = recipe.method, recipe.method.sampling
    side = recipe.known.pixels.shape[1]
    inputs = _inputs(recipe)
    channels, height, width = (*method.noise, 1, 1)[:3]
    first = {"name": top["name"], "task": "generate", "method": method.name}
    first |= {key: value for key, value in top.items() if key != "name"}
    classes: Sequence[str] = recipe.classes if "class" in inputs else ()
    tables: dict[str, dict[str, Any]] = {
        "": {**first, "classes": list(classes), "size": [side, side]},
        "network": {
            "file": FILE, "image": "x", "time": "time" if "time" in inputs else "",
            "class": "class" if "class" in inputs else "", "output": "output",
            "channels": channels, "height": height, "width": width,
        },
    }  # fmt: skip
    if "time" in inputs:
        names = ["steps", "guidance", "sampler"]
        names += ["sigma_data", "sigma_least", "sigma_most", "rho"] if method.name == "diffusion" else []
        tables["sampler"] = {name: getattr(own_sampling, name) for name in names}
    tables |= {"latent": latent} if latent else {}
    tables["measured"] = dict(measured)
    return "\n".join(line for name, table in tables.items() for line in _table(name, table)) + "\n"


def _table(name: str, table: dict[str, Any]) -> list[str]:
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in table.items()]
    return ["", f"[{name}]", *lines] if name else lines
