"""A trained network becomes an ONNX file with a TOML beside it, checked against PyTorch."""

# Where PyTorch is not installed its classes are unknown to mypy.
# mypy: disallow_subclassing_any=False
from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from lucida.errors import MissingExtra, ModelError
from lucida.models.embedded.network import fold_batch_norm
from lucida.models.engine import open_session
from lucida.models.hub.convert import export_onnx
from lucida.models.onnx.card import write_card
from lucida.models.precision import made_sample

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lucida.models.needs import ImageNeeds
    from lucida.train.classify import ClassifyRecipe

CLOSE = 1e-3  # largest difference from PyTorch, relative to the largest output


class _Both(nn.Module):
    """Features and calibrated logits of one pass."""

    def __init__(self, model: Any, temperature: float) -> None:
        super().__init__()
        self.model, self.temperature = model, temperature

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        features = self.model.trunk(image)
        return features, self.model.head(features) / self.temperature


def export_classifier(recipe: ClassifyRecipe, folder: Path, temperature: float) -> None:
    """Write a classifier as a model.

    Args:
        recipe: With its trained network.
        folder: An existing folder.
        temperature: Divides the logits.

    Raises:
        ModelError: The ONNX file does not give what PyTorch gives.
    """
    module = _Both(copy.deepcopy(recipe.model).cpu().float().eval(), temperature)
    write_onnx(module, recipe.needs, ("embedding", "logits"), folder / "model.onnx")
    (folder / "classes.json").write_text(json.dumps(list(recipe.classes), ensure_ascii=False), encoding="utf-8")
    write_card(
        folder / "model.toml",
        {
            "name": recipe.backbone.name,
            "task": "tag" if recipe.several else "encode",
            "file": "model.onnx",
            "licence": recipe.backbone.licence or "yours: trained from nothing but your images",
            "source": f"lucida train, from {recipe.train.origin}",
        },
        recipe.needs,
        {
            "embedding": "embedding",
            "dimensions": recipe.backbone.width,
            "logits": "logits",
            "classes": "classes.json",
        },
    )


def write_onnx(module: nn.Module, needs: ImageNeeds, outputs: Sequence[str], path: Path) -> None:
    """Write a network as ONNX, for any number of images, and check it.

    Args:
        module: float32 (n, *needs.shape) to one tensor a name of `outputs`.
        needs: What it needs of an image.
        outputs: Names.
        path: The file.

    Raises:
        ModelError: The ONNX file does not give what PyTorch gives.
    """
    sample = torch.from_numpy(made_sample(needs, 3))
    with torch.inference_mode():
        found = module.eval()(sample)
    truth = [value.numpy() for value in (found if isinstance(found, tuple) else (found,))]
    # One file: what a card's digest covers is the weights as well.
    export_onnx(module, (sample,), ("image",), outputs, path, whole=True)
    rewrite(path, forget_origin)
    got = open_session(path, "fp32")({"image": sample.numpy()}, outputs)
    for name, expected, value in zip(outputs, truth, got, strict=True):
        largest = float(np.abs(expected).max()) or 1.0
        off = float(np.abs(expected - value).max()) / largest if expected.shape == value.shape else float("inf")
        if off > CLOSE:
            raise ModelError(
                f"Exporting the network changed what it gives ({name}).",
                expected=f"the outputs of PyTorch within {CLOSE:g} of the largest",
                got=f"{off:.2g}, shapes {expected.shape} and {value.shape}",
                hint="report it with the name of the model",
            )


def folded(network: nn.Module) -> nn.Module:
    """Return a copy for inference, its norms folded into its convolutions where that can be."""
    copied = copy.deepcopy(network).cpu().float().eval().requires_grad_(False)
    fold_batch_norm(copied)
    for module in copied.modules():
        # What was written apart for training alone says itself how it is joined.
        if callable(join := getattr(module, "fold", None)):
            join()
    return copied


def store_small(path: Path) -> None:
    """Store the weights of an ONNX file as int8 and half precision, in place.

    Raises:
        MissingExtra: The package `onnx` is not installed.
    """
    from lucida.models.embedded.storage import shrink

    rewrite(path, shrink)
    path.with_name(f"{path.name}.data").unlink(missing_ok=True)


def forget_origin(model: Any) -> None:
    """Drop from an `onnx.ModelProto` what the exporter notes of itself: stack traces hold paths of this machine."""
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.input, *graph.output, *graph.initializer, *graph.value_info):
        del part.metadata_props[:]
        part.doc_string = ""


def rewrite(path: Path, change: Callable[[Any], None]) -> None:
    """Change an ONNX file in place.

    Args:
        path: The file, with its weights.
        change: Called with the `onnx.ModelProto`.

    Raises:
        MissingExtra: The package `onnx` is not installed.
    """
    try:
        import onnx
    except ImportError as error:
        raise MissingExtra("onnx", "train", "Exporting a model") from error
    model = onnx.load(path)
    change(model)
    path.write_bytes(model.SerializeToString(deterministic=True))
