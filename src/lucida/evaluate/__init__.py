"""Say how good a model is, with intervals."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lucida.evaluate.against import Against, compare_answers
    from lucida.evaluate.evaluation import Evaluation, compare_judged, evaluate_model
    from lucida.evaluate.figure import Figure
    from lucida.evaluate.predict import Predicted, predict_samples

_WHERE = {
    "Against": "against",
    "compare_answers": "against",
    "Evaluation": "evaluation",
    "compare_judged": "evaluation",
    "evaluate_model": "evaluation",
    "Figure": "figure",
    "Predicted": "predict",
    "predict_samples": "predict",
}

__all__ = [
    "Against",
    "Evaluation",
    "Figure",
    "Predicted",
    "compare_answers",
    "compare_judged",
    "evaluate_model",
    "predict_samples",
]


def __getattr__(name: str) -> Any:
    # Loaded on first use, as everywhere: importing a package of the library costs nothing.
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
