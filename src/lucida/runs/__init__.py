"""Runs: a model mapped over the images of a catalog, planned, resumable, with progress."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lucida.runs.vectors import Computed, compute, embed

__all__ = ["Computed", "compute", "embed"]


def __getattr__(name: str) -> Any:
    # Loaded on first use, as everywhere: importing a package of the library costs nothing.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("lucida.runs.vectors"), name)
