"""Train a small model of one's own. What trains needs PyTorch; what only reads, such as plans, does not."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lucida.train.job import TrainResult
    from lucida.train.plan import TrainPlan
    from lucida.train.verb import train

__all__ = ["TrainPlan", "TrainResult", "train"]

_HOMES = {"TrainPlan": "plan", "TrainResult": "job", "train": "verb"}


def __getattr__(name: str) -> Any:
    # Loaded on first use: the command line's help must not wait for it.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
