"""Names to models that draw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lucida.errors import UnknownName
from lucida.models import registry
from lucida.models.generator import GenerateNeeds, generate_needs

if TYPE_CHECKING:
    from pathlib import Path

    from lucida.models.spec import Spec

USUAL: Final = "embedded"
OWN: Final = "embedded-generator"


@dataclass(frozen=True)
class Choice:
    """A name for --model.

    Attributes:
        name: Of the model.
        note: What to know before relying on it.
        needs: What it can do.
        terms: What its licence asks of whoever uses it.
        licence: Licence of its weights.
        at_hand: Whether it works without bringing anything over the network.
    """

    name: str
    note: str
    needs: GenerateNeeds
    terms: str
    licence: str
    at_hand: bool


def find_generator(name: str, home: Path | None = None) -> Spec:
    """Return the spec of a model that draws.

    Args:
        name: "" or "embedded" for the one that comes with the package; or as for `lucida.models.registry.find`.
        home: Folder of the models of a catalog.

    Raises:
        UnknownName: There is no such model.
        ModelError: It does not draw, or its files are damaged.
    """
    if name in ("", USUAL):
        name = OWN
    try:
        spec = registry.find(name, home)
    except UnknownName as error:
        raise UnknownName("model", name, [USUAL, *suggestions()], hint="lucida models --task generate") from error
    if spec.generates is None and spec.aim is not None:
        spec = spec.aim("generate")
    generate_needs(spec)
    return spec


def suggestions() -> list[str]:
    """Return the names of models that draw, those at hand first."""
    here = [spec.name for spec in registry.specs() if spec.generates is not None]
    return [*here, *(choice.name for choice in _known() if choice.name not in here)]


def choices(home: Path | None = None) -> list[Choice]:
    """Return the models that draw: those of the package, runs of the catalog, those of the hub, those behind addresses.

    Args:
        home: Folder of the models of a catalog.
    """
    found = [_choice(spec, True) for spec in registry.specs() if spec.generates is not None]
    return [*found, *_runs(home), *_known()]


def _runs(home: Path | None) -> list[Choice]:
    from lucida.errors import LucidaError

    found = []
    folders = sorted((home.parent / "runs").glob("train-*"), reverse=True) if home else []
    for folder in folders:
        if not (folder / "model" / "model.toml").is_file():
            continue
        try:
            spec = registry.find(folder.name, home)
        except LucidaError:
            continue
        if spec.generates is not None:
            found.append(_choice(spec, True))
    return found


def _known() -> list[Choice]:
    """Return the models of the hub and behind addresses that have a name of ours; nothing is loaded for it."""
    from lucida.models.diffusers.family import DiffusersFamily
    from lucida.models.openai_api.family import OpenAiFamily

    hub, addresses = DiffusersFamily(), OpenAiFamily()
    specs = [*map(hub.spec, hub.suggestions()), *map(addresses.spec, addresses.drawers())]
    return [_choice(spec, False) for spec in specs]


def _choice(spec: Spec, here: bool) -> Choice:
    needs = generate_needs(spec)
    return Choice(spec.name, spec.note, needs, needs.terms, spec.licence, here)
