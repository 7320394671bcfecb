"""The models that restore and come with the package, one by one and as sets: "embedded", "embedded-real"."""

from __future__ import annotations

from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lucida.models.onnx.restore import read_restore_card, restore_spec
from lucida.models.opencv.family import filler_spec

if TYPE_CHECKING:
    from lucida.models.spec import Spec

CARD: Final = "model.toml"
FILLER: Final = "embedded-fill"
USUAL: Final = "embedded"  # the set that others take what they lack from


def folder() -> Path:
    """Return the folder of the models: one each, with its ONNX file, its TOML and its card."""
    return Path(str(resources.files(__package__)))


class RestorersFamily:
    """Each is found by the name of its folder: "embedded-x4"; the filler has none."""

    name = "restorers"

    def names(self) -> list[str]:
        return [*sorted(path.parent.name for path in folder().glob(f"*/{CARD}")), FILLER]

    def suggestions(self) -> list[str]:
        """Return none."""
        return []

    def claims(self, name: str) -> bool:
        return name == FILLER or (name.startswith(USUAL) and name in self.names())

    def spec(self, name: str, home: Path | None = None) -> Spec:
        return filler_spec(FILLER, self.name) if name == FILLER else _spec(folder() / name / CARD)

    def licence(self, name: str, home: Path | None = None) -> str:
        """Return the licence of a model's weights."""
        return self.spec(name, home).licence


@cache
def _spec(card: Path) -> Spec:
    return restore_spec(read_restore_card(card), name=card.parent.name, family=RestorersFamily.name)


def sets() -> dict[str, tuple[str, ...]]:
    """Return the names that stand for several models: what comes before the last "-" of theirs."""
    found: dict[str, list[str]] = {USUAL: []}
    for name in RestorersFamily().names():
        found.setdefault(name.rpartition("-")[0], []).append(name)
    return {name: tuple(members) for name, members in found.items()}
