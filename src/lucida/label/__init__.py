"""Label every image of a catalog: by examples, by words, by earlier answers, or by a model's own classes."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lucida.label.head import Head
    from lucida.label.verb import LabelResult, label

__all__ = ["Head", "LabelResult", "label"]

_HOMES = {"Head": "head", "LabelResult": "verb", "label": "verb"}


def __getattr__(name: str) -> Any:
    # Loaded on first use: the command line's help must not wait for SciPy.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
