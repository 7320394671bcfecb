"""Models as their files are now, loaded beside those that are served; in any thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lucida.errors import InputError, ModelError, UnknownName
from lucida.models.registry import find
from lucida.serve.served import open_one, open_shelf

if TYPE_CHECKING:
    from lucida.serve.desk import Desk
    from lucida.serve.served import Served


def renewed(desk: Desk, old: Served) -> Served:
    """Return a model as it is now, loaded; the old one where it is the same.

    Raises:
        LucidaError: It cannot be served.
    """
    home = _home(desk)
    with old.unnamed(*_paths(home)):
        new = open_one(old.name, old.given, home)
        if new.spec.key == old.spec.key:
            return old
        _load(desk, new)
        return new


def all_models(desk: Desk, names: Callable[[], Sequence[str]] | None = None) -> dict[str, Served]:
    """Return the models that are to be served, loaded; those that did not change are the same as before.

    Args:
        desk: What is served.
        names: Gives them, as `open_shelf` takes them; None for those that are served.

    Raises:
        LucidaError: One of them cannot be served.
    """
    before, home = desk.shelf.models, _home(desk)
    if names is not None:
        found = open_shelf(names(), home).models
    else:
        found = {one.name: open_one(one.name, one.given, home) for one in before.values()}
    _check_routes(desk, found)
    for name, one in found.items():
        old = before.get(name)
        if old is not None and (old.given, old.spec.key) == (one.given, one.spec.key):
            found[name] = old
        else:
            _load(desk, one)
    return found


def _check_routes(desk: Desk, found: Mapping[str, Served]) -> None:
    """Refuse models that leave a route without one of its own; routes stay as they were at the start.

    Raises:
        UnknownName: One is not there.
        InputError: One has the name of a route.
    """
    for name, route in desk.router.routes.items():
        for one in route.plan.models:
            if one not in found:
                raise UnknownName(f"model of the route {name!r}", one, found, hint="serve it as well")
        if name in found:
            raise InputError(
                f"A route and a model have the name {name!r}.",
                expected="a name for each",
                got=name,
                hint="serve the model under another one: NAME=MODEL",
            )


def _load(desk: Desk, one: Served) -> None:
    """Load a model.

    Raises:
        ModelError: It cannot be, or its files changed meanwhile.
    """
    home = _home(desk)
    with one.unnamed(*_paths(home)):
        desk.prepare(one)
        if find(one.given, home).revision != one.spec.revision:
            raise ModelError(
                f"The files of {one.name} changed while they were loaded.",
                expected="files that are whole",
                got="others at the end than at the beginning",
                hint="reload it again once whatever writes them is done",
            )


def _home(desk: Desk) -> Path | None:
    return desk.catalog.models if desk.catalog is not None else None


def _paths(home: Path | None) -> tuple[str, ...]:
    """Return what is said of no file in a catalog."""
    return () if home is None else (f"{home.parent}/",)
