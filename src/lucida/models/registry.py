"""Names to specs: each family is asked whether the name is its own."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from lucida.errors import UnknownName
from lucida.models.embedded.family import EmbeddedFamily
from lucida.models.hub import hub_hint
from lucida.models.onnx.family import OnnxFamily
from lucida.models.spec import Spec


class Family(Protocol):
    """A folder of models of one kind."""

    name: str

    def names(self) -> list[str]:
        """Return the names of the models that are at hand by name."""
        ...

    def claims(self, name: str) -> bool:
        """Tell whether a name is a model of this family."""
        ...

    def spec(self, name: str, home: Path | None = None) -> Spec:
        """Return the spec of a model of this family; `home` is where a catalog keeps models of its own."""
        ...


FAMILIES: tuple[Family, ...] = (EmbeddedFamily(), OnnxFamily())


def find(name: str, home: Path | None = None) -> Spec:
    """Return the spec of a model.

    Args:
        name: "embedded", or "onnx:PATH" for a TOML beside an ONNX file (or its folder, or the ONNX file).
        home: Folder of the models of a catalog (`catalog.models`), so that a run's model is found wherever the
            catalog lies now; None where only models of the machine are meant.

    Raises:
        UnknownName: No family knows it; the nearest names are given.
        ModelError: Its files are missing or damaged.
    """
    for family in FAMILIES:
        if family.claims(name):
            return family.spec(name, home)
    known = [known for family in FAMILIES for known in family.names()]
    raise UnknownName("model", name, [*known, "onnx:PATH"], hint=hub_hint(name))


def specs() -> list[Spec]:
    """Return the specs of all models that are at hand by name."""
    return [family.spec(name) for family in FAMILIES for name in family.names()]
