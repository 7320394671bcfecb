"""What is to be proven of labels and what it may cost, and where that cannot pay."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING

from lucida.errors import PopulationTooSmall
from lucida.review.session import Session, too_small

if TYPE_CHECKING:
    from lucida.review.population import Population


@dataclass(frozen=True)
class Terms:
    """What is to be proven, and what it may cost. See `Session` for the meaning of each."""

    max_error: float = 0.05
    confidence: float = 0.95
    per_class: bool = False
    max_reviews: int | None = None
    worth: float = 1.0
    reviewer_error: float = 0.0

    def session(self, population: Population, *, seed: int | str, drawn: bool, unit: str = "labels") -> Session:
        """Return the evidence on a population, with nothing answered yet.

        Args:
            population: What is checked.
            seed: Of the orders.
            drawn: Whether it was drawn, so that this is no simulation.
            unit: What is checked, in the plural.

        Raises:
            InputError: If one of the terms is out of range.
        """
        rows = (population.ids, population.predicted, population.scores)
        return Session(*rows, **asdict(self), seed=seed, drawn=drawn, unit=unit)

    def check(self) -> None:
        """Refuse terms that are out of range, before anybody is asked anything."""
        values = {field.name: getattr(self, field.name) for field in fields(Terms)}
        Session([], [], [], **values, seed=0, drawn=False)


def refuse_too_small(total: int, taught: int, terms: Terms, unit: str = "labels") -> None:
    """Refuse a population on which checking cannot pay.

    Args:
        total: Images in it.
        taught: Images taught already.
        terms: What is to be proven.
        unit: What is reviewed.

    Raises:
        PopulationTooSmall: If labelling every image costs less than proving anything.
    """
    needed = images_needed(terms)
    if total >= needed:
        return
    others = f"lucida review --teach {total + taught} to label every one, or " if unit == "labels" else ""
    raise PopulationTooSmall(
        f"{total:,} images are too few to prove at most {100 * terms.max_error:g} % wrong"
        f" at {100 * terms.confidence:g} % confidence: label them all.",
        expected=f"about {needed:,} images or more",
        got=f"{total:,} images to check, {taught:,} taught",
        hint=f"{others}a larger --max-error",
    )


def images_needed(terms: Terms) -> int:
    """Return how many images there must be for a check to pay."""
    return math.ceil(too_small(terms.max_error, 1 - terms.confidence))
