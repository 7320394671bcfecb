"""Pictures of what is asked for: from words, images, masks, edges, sketches."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lucida.generate.choice import Choice, choices, find_generator
    from lucida.generate.generator import Drawn, Generator
    from lucida.generate.order import Order
    from lucida.generate.verb import GenerateResult, generate

_HOMES = {
    "Choice": "choice",
    "Drawn": "generator",
    "GenerateResult": "verb",
    "Generator": "generator",
    "Order": "order",
    "choices": "choice",
    "find_generator": "choice",
    "generate": "verb",
}

__all__ = ["Choice", "Drawn", "GenerateResult", "Generator", "Order", "choices", "find_generator", "generate"]


def __getattr__(name: str) -> Any:
    # Loaded on first use, as everywhere: importing a package of the library costs nothing.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
