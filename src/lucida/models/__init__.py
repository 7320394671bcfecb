"""Models: a model is a spec that says its task, what it needs, what it gives, its licence and its source.

A family is a folder that answers two questions about a name, "is this mine?" and "build it".
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lucida.models.needs import ImageNeeds
    from lucida.models.registry import find, specs
    from lucida.models.spec import Gives, Model, Precision, Spec

__all__ = ["Gives", "ImageNeeds", "Model", "Precision", "Spec", "find", "specs"]

_HOMES = {
    "Gives": "spec",
    "ImageNeeds": "needs",
    "Model": "spec",
    "Precision": "spec",
    "Spec": "spec",
    "find": "registry",
    "specs": "registry",
}


def __getattr__(name: str) -> Any:
    # Loaded on first use: the command line's help must not wait for NumPy.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
