"""What a review is about: labels, texts, or the objects of images. One table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from lucida.errors import InputError
from lucida.review.material import label_run

if TYPE_CHECKING:
    from lucida.catalog import Catalog, Run

Kind = Literal["labels", "texts", "objects"]

# Task of a run, and what its certificate speaks of.
UNITS: Final[dict[str, str]] = {
    "classify": "labels",
    "anomaly": "labels",
    "caption": "captions",
    "answer": "answers",
    "read": "readings",
    "describe": "descriptions",
    "detect": "boxes",
    "segment": "masks",
    "outline": "masks",
}
KINDS: Final[dict[str, Kind]] = {"labels": "labels", "boxes": "objects", "masks": "objects"}


def unit_of(catalog: Catalog, source: Run) -> str:
    """Return what a review of this run is about, in the plural.

    Raises:
        InputError: Nobody knows how to review this task.
    """
    task = str(label_run(catalog, source).parameters.get("task", "") or "classify")
    if task not in UNITS:
        raise InputError(
            f"The task {task!r} cannot be reviewed.",
            expected=f"a run of one of {', '.join(UNITS)}",
            got=f"the run {source.id} of {task}",
            hint="name another question with --question",
        )
    return UNITS[task]


def kind_of(unit: str) -> Kind:
    """Return the kind of review for what `unit_of` gave: an image's label, a text of an image, objects in it."""
    return KINDS.get(unit, "texts")


def asked_of(catalog: Catalog, source: Run) -> str:
    """Return the question in words that a run answers; "" where it answers none."""
    questions = label_run(catalog, source).parameters.get("questions") or [""]
    return str(questions[-1])
