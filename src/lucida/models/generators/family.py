"""The models that draw and come with the package."""

from __future__ import annotations

from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lucida.models.onnx.generate import generate_spec, read_generate_card

if TYPE_CHECKING:
    from lucida.models.spec import Spec

CARD: Final = "model.toml"
USUAL: Final = "embedded-generator"  # what draws where no model is named, or "embedded"


def folder() -> Path:
    """Return the folder of the models: one each, with its ONNX file, its TOML and its card."""
    return Path(str(resources.files(__package__)))


class GeneratorsFamily:
    """Each is found by the name of its folder: "embedded-generator"."""

    name = "generators"

    def names(self) -> list[str]:
        return sorted(path.parent.name for path in folder().glob(f"*/{CARD}"))

    def suggestions(self) -> list[str]:
        """Return none."""
        return []

    def claims(self, name: str) -> bool:
        return name.startswith("embedded") and name in self.names()

    def spec(self, name: str, home: Path | None = None) -> Spec:
        return _spec(folder() / name / CARD)

    def licence(self, name: str, home: Path | None = None) -> str:
        """Return the licence of a model's weights."""
        return self.spec(name, home).licence


@cache
def _spec(card: Path) -> Spec:
    return generate_spec(read_generate_card(card), name=card.parent.name, family=GeneratorsFamily.name)
