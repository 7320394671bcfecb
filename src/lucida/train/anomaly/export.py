"""What was learned of normal images becomes an ONNX file with a TOML beside it, checked against PyTorch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lucida.models.onnx.card import write_card
from lucida.train.export import folded, store_small, write_onnx

if TYPE_CHECKING:
    from lucida.train.anomaly.recipe import AnomalyRecipe

OUTPUT = "heat"


def export_oddness(recipe: AnomalyRecipe, folder: Path) -> None:
    """Write a model of oddities.

    Args:
        recipe: That has looked at its images.
        folder: An existing folder.

    Raises:
        ModelError: The ONNX file does not give what PyTorch gives.
    """
    write_onnx(folded(recipe.model), recipe.needs, (OUTPUT,), folder / "model.onnx")
    if recipe.backbone.small:
        store_small(folder / "model.onnx")
    write_card(
        folder / "model.toml",
        {
            "name": recipe.backbone.name,
            "task": "anomaly",
            "file": "model.onnx",
            "licence": recipe.backbone.licence or "yours: made from nothing but your images",
            "source": f"lucida train anomaly, from {recipe.place}",
        },
        recipe.needs,
        {"raw": [OUTPUT]},
        decode={"kind": "heat", "top": recipe.decode.top},
    )
