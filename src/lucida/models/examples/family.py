"""Is this name one of the shipped examples, and how is it built?"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from lucida.models.onnx.card import read_card
from lucida.models.onnx.family import card_spec

if TYPE_CHECKING:
    from lucida.models.spec import Spec

CARD = "model.toml"
EXAMPLE = "An example, good for the one kind of image that it was trained on; see card.md beside it."


def folder() -> Path:
    """Return the folder of the examples: one each, with its model, its TOML and its card."""
    return Path(str(resources.files(__package__)))


class ExamplesFamily:
    """Each is found by the name of its folder: "blood-cells"."""

    name = "examples"

    def names(self) -> list[str]:
        return sorted(path.parent.name for path in folder().glob(f"*/{CARD}"))

    def suggestions(self) -> list[str]:
        """Return none."""
        return []

    def claims(self, name: str) -> bool:
        return name in self.names()

    def spec(self, name: str, home: Path | None = None) -> Spec:
        return _spec(name)

    def licence(self, name: str, home: Path | None = None) -> str:
        """Return the licence of a model's weights."""
        return self.spec(name, home).licence


@cache
def _spec(name: str) -> Spec:
    card = read_card(folder() / name / CARD)
    return replace(card_spec(card, name=name, family=ExamplesFamily.name), note=f"{EXAMPLE} {card.note}".strip())
