"""A training run by its id, or by its folder: its exported model is a model like any other."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lucida.errors import ModelError
from lucida.models.onnx.card import read_card
from lucida.models.onnx.family import card_spec
from lucida.models.onnx.generate import generate_spec, is_generator, read_generate_card
from lucida.models.onnx.restore import is_restorer, read_restore_card, restore_spec

if TYPE_CHECKING:
    from lucida.models.spec import Spec

CARD: Final = Path("model", "model.toml")
_RUN: Final = re.compile(r"(train|compress)-\d{8}-\d{6}-[0-9a-f]{4}")


class TrainedFamily:
    """Runs of `train` and `compress`."""

    name = "trained"

    def names(self) -> list[str]:
        """Return none: which there are depends on the catalog."""
        return []

    def suggestions(self) -> list[str]:
        """Return none."""
        return []

    def claims(self, name: str) -> bool:
        """Tell whether a name is that of a run, or its folder."""
        return bool(_RUN.fullmatch(name)) or (Path(name) / CARD).is_file()

    def spec(self, name: str, home: Path | None = None) -> Spec:
        """Return the spec of a run's model.

        Raises:
            ModelError: There is no such run, or it is not finished.
        """
        folder = run_folder(name, home)
        if not (folder / CARD).is_file():
            raise ModelError(
                f"The run {name} has no model.",
                expected=f"{folder / CARD}, which a finished training leaves",
                got="an unfinished run" if folder.is_dir() else "no such folder",
                hint="the same `lucida train` again goes on; or name the catalog with --catalog",
            )
        if is_restorer(folder / CARD):
            return restore_spec(read_restore_card(folder / CARD), name=name, family=self.name)
        if is_generator(folder / CARD):
            return generate_spec(read_generate_card(folder / CARD), name=name, family=self.name)
        return replace(card_spec(read_card(folder / CARD), name=name, family=self.name), name=name)

    def licence(self, name: str, home: Path | None = None) -> str:
        """Return the licence of a model's weights."""
        return self.spec(name, home).licence


def run_folder(name: str, home: Path | None = None) -> Path:
    """Return the folder of a run.

    Args:
        name: Its id, or its folder.
        home: Folder of the models of a catalog; None for the catalog that LUCIDA_CATALOG names, or ./lucida-catalog.
    """
    if not _RUN.fullmatch(name):
        return Path(name)
    import os

    place = home.parent if home else Path(os.environ.get("LUCIDA_CATALOG") or "lucida-catalog")
    return place / "runs" / name
