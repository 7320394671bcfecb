"""How each task is judged: a table of judges."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from lucida.data import Samples
    from lucida.evaluate.judged import Judged
    from lucida.models.spec import Precision, Spec


class Judge(Protocol):
    """Judges a model by labelled images of its task."""

    def __call__(self, spec: Spec, samples: Samples, precision: Precision = "fp32") -> Judged:
        """Run the model over the images and measure it.

        Raises:
            InputError: The images have labels that the model does not know, or nothing can be judged by them.
        """
        ...


JUDGES: dict[str, str] = {
    "classify": "lucida.evaluate.tasks.classify:judge",
    "tag": "lucida.evaluate.tasks.tag:judge",
    "detect": "lucida.evaluate.tasks.detect:judge",
    "segment": "lucida.evaluate.tasks.segment:judge",
    "anomaly": "lucida.evaluate.tasks.anomaly:judge",
}


def judge_of(task: str) -> Judge:
    """Return the judge of a task."""
    module, function = JUDGES[task].split(":")
    found: Judge = getattr(import_module(module), function)
    return found
