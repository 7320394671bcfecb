"""A trained segmenter becomes an ONNX file with a TOML beside it, checked against PyTorch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from lucida.models.onnx.card import write_card
from lucida.train.export import folded, store_small, write_onnx

if TYPE_CHECKING:
    from lucida.train.segment.recipe import SegmentRecipe

OUTPUT = "logits"


def export_segmenter(recipe: SegmentRecipe, folder: Path) -> None:
    """Write a segmenter as a model.

    Args:
        recipe: With its trained network.
        folder: An existing folder.

    Raises:
        ModelError: The ONNX file does not give what PyTorch gives.
    """
    write_onnx(folded(recipe.network), recipe.needs, (OUTPUT,), folder / "model.onnx")
    if recipe.architecture.small:
        store_small(folder / "model.onnx")
    (folder / "classes.json").write_text(json.dumps(list(recipe.classes), ensure_ascii=False), encoding="utf-8")
    write_card(
        folder / "model.toml",
        {
            "name": recipe.name,
            "task": "segment",
            "file": "model.onnx",
            "licence": recipe.built.licence or "yours: trained from nothing but your images",
            "source": f"lucida train segment, from {recipe.place}",
        },
        recipe.needs,
        {"raw": [OUTPUT], "classes": "classes.json"},
        decode={"kind": "masks"},
    )
