"""Models by alias, URI or folder: "siglip2", "hf:org/name", "timm:name", "photos/my-model"."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from lucida.errors import ModelError
from lucida.models.hub.aliases import ALIASES, Alias, alias_of, limits_of
from lucida.models.hub.snapshot import UNSTATED, Snapshot, from_hub, local

if TYPE_CHECKING:
    from lucida.models.spec import Spec

HUB, TIMM = "hf:", "timm:"
_TOLD: set[str] = set()  # names of models whose limits were told by this process
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*(@[\w.-]+)?")


class Reader(Protocol):
    """Makes a spec of a snapshot of one kind."""

    name: str

    def reads(self, snapshot: Snapshot) -> bool:
        """Tell whether a snapshot is of this kind."""
        ...

    def spec(self, snapshot: Snapshot) -> Spec:
        """Return its spec; its model is converted here, the first time.

        Raises:
            ModelError: It is of a wrong task, in pickle, needs code of its own, or cannot be converted.
            MissingExtra: Converting it needs packages that are not installed.
        """
        ...


def readers() -> tuple[Reader, ...]:
    """Return all readers; the first that reads a snapshot takes it."""
    from lucida.models.onnx.pair import ExportedReader
    from lucida.models.timm.reader import TimmReader
    from lucida.models.transformers.reader import TransformersReader

    return TimmReader(), ExportedReader(), TransformersReader()


class HubFamily:
    """Whatever the hub, its cache, or a folder with a config.json holds."""

    name = "hub"

    def names(self) -> list[str]:
        """Return none: which of the aliases are at hand is not known without looking."""
        return []

    def suggestions(self) -> list[str]:
        """Return names that may be asked for."""
        return [alias.name for alias in ALIASES]

    def claims(self, name: str) -> bool:
        """Tell whether a name is a model of this family."""
        known = name.startswith((HUB, TIMM)) or alias_of(name) is not None or (Path(name) / "config.json").is_file()
        # "org/name", as people write models of the hub, unless something lies there on this disk.
        return known or (bool(_HUB_NAME.fullmatch(name)) and not Path(name).exists())

    def spec(self, name: str, home: Path | None = None) -> Spec:
        """Return the spec of a model.

        Raises:
            ModelError: It is not to be had, or cannot be used.
            MissingExtra: Converting it needs packages that are not installed.
        """
        limits = _warn(name)
        snapshot = locate(name)
        for reader in readers():
            if reader.reads(snapshot):
                spec, known = reader.spec(snapshot), _known(snapshot.name)
                note = f"{spec.note} Its weights are under {limits}.".strip() if limits else spec.note
                return replace(spec, licence=known.licence if known else spec.licence, note=note)
        raise ModelError(
            f"{snapshot.folder} is no model that is known here.",
            expected='a config.json with "model_type" (transformers) or "architecture" (timm)',
            got=f"keys {', '.join(list(snapshot.config)[:8]) or '(none)'}",
            hint="lucida models lists what works",
        )

    def licence(self, name: str, home: Path | None = None) -> str:
        """Return the licence that the table of aliases states."""
        known = alias_of(name) or _known(name)
        return known.licence if known else UNSTATED


def _warn(name: str) -> str:
    """Tell a person, before anything is downloaded or used, what a licence forbids; return it."""
    alias = alias_of(name)
    limits = limits_of(alias.uri if alias else name)
    if limits and name not in _TOLD:
        _TOLD.add(name)
        print(f"The weights of {name} are under {limits}.", file=sys.stderr)
    return limits


def _known(name: str) -> Alias | None:
    """Return the alias of a model named in full."""
    full = name.removeprefix(HUB).replace("timm/", TIMM, 1)
    return next((alias for alias in ALIASES if alias.uri.removeprefix(HUB) == full), None)


def locate(name: str) -> Snapshot:
    """Find the files of a model.

    Args:
        name: An alias, "[hf:]org/name[@revision]", "timm:name", or a folder with a config.json.

    Raises:
        ModelError: There is no such folder, or the hub cannot be reached and its cache does not hold the model.
    """
    if (Path(name) / "config.json").is_file():
        return local(Path(name))
    alias = alias_of(name)
    uri = alias.uri if alias else name
    return from_hub(f"timm/{uri.removeprefix(TIMM)}" if uri.startswith(TIMM) else uri.removeprefix(HUB))
