"""The models that are served: which there are, under which names, and which of them is asked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lucida.errors import InputError, UnknownName
from lucida.models.registry import find
from lucida.serve.services import MAKERS, SERVICES
from lucida.serve.sharing import Served as Served

if TYPE_CHECKING:
    from lucida.runs.seeing import Wish
    from lucida.serve.services import Service

_NAMED: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,99})=(.+)")


class Shelf:
    """The models that are served, in the order in which they were named.

    Args:
        models: At least one, each under a name of its own.
    """

    def __init__(self, models: Sequence[Served]) -> None:
        self.models = {one.name: one for one in models}

    def choose(self, service: Service, wish: Wish, name: str | None) -> Served:
        """Return the model that is asked.

        Args:
            service: What it must do.
            wish: What is asked.
            name: Of the model; None for the first that can.

        Raises:
            UnknownName: No such model is served.
            ModelError: It, or all of them, cannot.
        """
        if name is not None:
            if name not in self.models:
                raise UnknownName("model", name, self.models, hint="GET /v1/models lists what is served")
            return self.models[name]
        can = [one for one in self.models.values() if service.can(one.spec)]
        if not can:
            tasks = sorted({other.name for one in self.models.values() for other in one.services})
            raise UnknownName("task of the served models", service.name, tasks, hint="serve a model that can as well")
        return next((one for one in can if service.fits(one.spec, wish)), can[0])

    def maker(self, task: str, name: str | None) -> Served:
        """Return the model that makes pictures.

        Args:
            task: One of `MAKERS`.
            name: Of the model; None for the first that can.

        Raises:
            UnknownName: No such model is served, or it cannot.
            InputError: None can.
        """
        can = {one.name: one for one in self.models.values() if task in one.makes}
        if name is None and can:
            return next(iter(can.values()))
        if not can:
            raise InputError(
                f"None of the served models can {task}.",
                expected=f"a model with one of the tasks {', '.join(MAKERS[task])}",
                got=", ".join(self.models),
                hint=f"serve one that can as well: lucida models --task {MAKERS[task][0]} lists them",
            )
        if name not in can:
            raise UnknownName(f"model to {task}", str(name), can, hint="GET /v1/models lists what is served")
        return can[name]


def open_shelf(names: Sequence[str], home: Path | None = None) -> Shelf:
    """Find models by name; none is loaded yet.

    Args:
        names: As `lucida models` takes them, or a run; with "NAME=" before it, clients call it NAME.
        home: Where a catalog keeps models of its own.

    Raises:
        InputError: There is none, two have one name, or one can be asked nothing.
        UnknownName: There is no such model.
        ModelError: Its files are missing or damaged.
    """
    found: dict[str, Served] = {}
    for given in names:
        named = None if Path(given).exists() else _NAMED.fullmatch(given)
        one = open_one(named[1], named[2], home) if named else open_one(_short(given), given, home)
        if one.name in found:
            raise InputError(
                f"Two models would be served as {one.name!r}.",
                expected="a name for each",
                got=" and ".join(names),
                hint=f"name one of them: NAME={given}",
            )
        found[one.name] = one
    if not found:
        raise InputError(
            "There is no model to serve.", expected="names of models", got="none", hint="lucida serve embedded"
        )
    return Shelf(list(found.values()))


def open_one(name: str, given: str, home: Path | None = None) -> Served:
    """Find one model; it is not loaded yet.

    Args:
        name: What clients call it.
        given: As `lucida models` takes it, or a run.
        home: Where a catalog keeps models of its own.

    Raises:
        InputError: It can be asked nothing.
        UnknownName: There is no such model.
        ModelError: Its files are missing or damaged.
    """
    one = Served(name, find(given, home), given)
    if not (one.services or one.makes):
        raise InputError(
            f"The model {given!r} cannot be served.",
            expected=f"one that can {', '.join([*SERVICES, *MAKERS])}",
            got=f"tasks {', '.join(one.spec.tasks)}",
            hint="lucida models",
        )
    return one


def _short(given: str) -> str:
    """Return what clients call a model: no path of this machine."""
    path = Path(given.removeprefix("onnx:"))
    if not (given.startswith("onnx:") or path.is_absolute() or path.exists()):
        return given
    path = path.resolve()
    # An exported model is "model.onnx" in a folder that says more.
    return path.parent.name if path.stem == "model" else path.stem
