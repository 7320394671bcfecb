"""What is asked of a model, and what comes of one image."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lucida.models.chat import Usage

if TYPE_CHECKING:
    from lucida.models.spec import Hint
    from lucida.results import Result


@dataclass(frozen=True)
class Wish:
    """What is asked of a model beside the image.

    Attributes:
        task: One of `TASKS`; "" for the first that the model has.
        classes: What to look for, or to tell apart; empty for the model's own classes.
        questions: In words, one after the other: each is asked with what was said before.
        schema: JSON schema that an answer must follow; None for free text.
        reason: Whether a reason is asked for.
        least: Leave out objects and tags that are less probable; None for what is usual.
        hints: Points and boxes to outline.
    """

    task: str = ""
    classes: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()
    schema: dict[str, Any] | None = None
    reason: bool = False
    least: float | None = None
    hints: tuple[Hint, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return what decides the results, as plain values; what is not asked for is left out."""
        found = {
            "task": self.task,
            "classes": list(self.classes),
            "questions": list(self.questions),
            "schema": self.schema,
            "reason": self.reason,
            "least": self.least,
            "hints": [hint.__dict__ for hint in self.hints],
        }
        return {name: value for name, value in found.items() if value not in (None, "", [], False)}


@dataclass(frozen=True)
class Seen:
    """What came of one image.

    Attributes:
        result: What the model says; None where it says nothing.
        problem: Why; "" where there is a result.
        usage: What it took, of a model that is paid for.
        size: Width and height in pixels; (0, 0) where it could not be read.
    """

    result: Result | None = None
    problem: str = ""
    usage: Usage = field(default_factory=Usage)
    size: tuple[int, int] = (0, 0)
