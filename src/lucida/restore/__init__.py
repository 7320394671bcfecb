"""Better images: larger, with less noise, with holes filled."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lucida.restore.plan import Choice, Plan, Stage, Wish, choices
    from lucida.restore.restorer import Restored, Restorer
    from lucida.restore.verb import RestoreResult, restore

_HOMES = {
    "Choice": "plan",
    "Plan": "plan",
    "Restored": "restorer",
    "RestoreResult": "verb",
    "Restorer": "restorer",
    "Stage": "plan",
    "Wish": "plan",
    "choices": "plan",
    "restore": "verb",
}

__all__ = ["Choice", "Plan", "RestoreResult", "Restored", "Restorer", "Stage", "Wish", "choices", "restore"]


def __getattr__(name: str) -> Any:
    # Loaded on first use, as everywhere: importing a package of the library costs nothing.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
