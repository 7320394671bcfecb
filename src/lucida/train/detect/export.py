"""A trained detector becomes an ONNX file with a TOML beside it, checked against PyTorch."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stderr
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from lucida.errors import ModelError
from lucida.models.engine import open_session
from lucida.models.hub.convert import export_onnx
from lucida.models.onnx.boxes import intersection_over_union
from lucida.models.onnx.card import write_card
from lucida.models.precision import made_sample
from lucida.models.quiet import quiet
from lucida.train.export import CLOSE, folded, forget_origin, rewrite, store_small

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import nn

    from lucida.train.detect.recipe import DetectRecipe

    Floats = NDArray[np.float32]

OUTPUTS = ("scores", "boxes")
# Scores from which boxes are given, and how many of an image: what the curve of precision and recall is measured on.
LEAST, MOST = 0.01, 100
BEST, AGAIN = 50, 0.8  # boxes of an image that a network which picks them must find again, and how many of them


def export_detector(recipe: DetectRecipe, folder: Path) -> None:
    """Write a detector as a model.

    Args:
        recipe: With its trained network.
        folder: An existing folder.

    Raises:
        ModelError: The ONNX file does not give what PyTorch gives.
    """
    network = folded(recipe.network)
    single = recipe.architecture.single
    images = torch.from_numpy(made_sample(recipe.needs, 1 if single else 3))
    with torch.inference_mode():
        truth = [value.numpy() for value in network(images)]
    write = export_single if single else partial(export_onnx, whole=True)
    write(network, (images,), ("image",), OUTPUTS, folder / "model.onnx")
    rewrite(folder / "model.onnx", forget_origin)
    found = open_session(folder / "model.onnx", "fp32")({"image": images.numpy()}, OUTPUTS)
    check_same(truth, found, picks=recipe.architecture.picks)
    if recipe.architecture.small:
        store_small(folder / "model.onnx")
    (folder / "classes.json").write_text(json.dumps(list(recipe.classes), ensure_ascii=False), encoding="utf-8")
    write_card(
        folder / "model.toml",
        {
            "name": recipe.name,
            "task": "detect",
            "file": "model.onnx",
            "licence": recipe.built.licence or "yours: trained from nothing but your images",
            "source": f"lucida train detect, from {recipe.place}",
        },
        recipe.needs,
        {"raw": list(OUTPUTS), "classes": "classes.json"},
        decode={"kind": "boxes", "overlap": recipe.architecture.overlap, "least": LEAST, "most": MOST},
    )


def export_single(
    network: nn.Module, sample: tuple[torch.Tensor, ...], inputs: Sequence[str], outputs: Sequence[str], path: Path
) -> None:
    """Write a network as ONNX for the number of images of the sample: some fix it while they are traced."""
    with quiet(), torch.inference_mode(), redirect_stderr(io.StringIO()):
        torch.onnx.export(
            network,
            sample,
            path,
            input_names=list(inputs),
            output_names=list(outputs),
            dynamo=True,
            external_data=False,
            verbose=False,
        )


def check_same(truth: Sequence[Floats], found: Sequence[Floats], *, picks: bool) -> None:
    """Refuse scores and boxes that are others than PyTorch's.

    Args:
        truth: What PyTorch gives: scores (n, places, classes) and boxes (n, places, 4).
        found: What the exported file gives.
        picks: Whether the network chooses its places, and may choose others where it hardly prefers any.

    Raises:
        ModelError: They differ.
    """
    off = float("inf")
    if all(one.shape == other.shape for one, other in zip(truth, found, strict=True)):
        off = max(
            float(np.abs(one - other).max()) / (float(np.abs(one).max()) or 1.0)
            for one, other in zip(truth, found, strict=True)
        )
    if off <= CLOSE or (picks and np.isfinite(off) and again(truth, found) >= AGAIN):
        return
    raise ModelError(
        "Exporting the network changed what it gives.",
        expected=f"the outputs of PyTorch within {CLOSE:g} of the largest",
        got=f"{off:.2g}, shapes {[part.shape for part in truth]} and {[part.shape for part in found]}",
        hint="report it with the name of the model",
    )


def again(truth: Sequence[Floats], found: Sequence[Floats]) -> float:
    """Return the share of the best boxes of `truth` that are among those of `found`, with nearly the same score."""
    shares = []
    for scores, boxes, other_scores, other_boxes in zip(*truth, *found, strict=True):
        best = np.argsort(-scores.max(axis=1), kind="stable")[:BEST]
        near = intersection_over_union(boxes[best], other_boxes) > 0.95
        alike = np.abs(scores[best][:, None] - other_scores).max(axis=2) < 0.02
        shares.append(float((near & alike).any(axis=1).mean()))
    return float(np.mean(shares))
