"""What is to be proven of objects, and what it may cost."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from lucida.errors import InputError
from lucida.review.claim import percent
from lucida.review.objects.claim import SHARES
from lucida.review.objects.missed import Looks
from lucida.review.population import in_range
from lucida.review.session import Session, too_small
from lucida.review.terms import Terms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lucida.review.population import Population

ALL = 1e6  # answers that one more object is worth, where there are too few to save any


@dataclass(frozen=True)
class ObjectTerms(Terms):
    """Add to the terms of a review what is asked about objects that were missed.

    `max_missed`: the second stage ends when in at most this share of the images something is missed; `cap`: an image
    counts for at most so many missed objects.
    """

    max_missed: float = 0.1
    cap: int = 10

    def found(self, population: Population, *, seed: int | str, drawn: bool, unit: str = "boxes") -> Session:
        """Return the evidence of the first stage, with nothing answered yet.

        Where there are too few objects for a proof to save answers, it asks for all of them: a person wants them right.
        """
        level = SHARES["found"] * (1 - self.confidence)
        few = self.needed(len(population)) > 0
        values = asdict(replace(self, confidence=1 - level, worth=ALL if few else self.worth))
        del values["max_missed"], values["cap"]
        rows = (population.ids, population.predicted, population.scores)
        return Session(*rows, **values, seed=seed, drawn=drawn, unit=unit)

    def needed(self, total: int) -> int:
        """Return from how many objects on a proof saves answers, where these are fewer; 0 where they are enough."""
        least = too_small(self.max_error, SHARES["found"] * (1 - self.confidence))
        return math.ceil(least) if total < least else 0

    def too_few(self, total: int, unit: str) -> str:
        """Say what happens where there are too few objects for a proof to save answers; "" where there are enough."""
        needed = self.needed(total)
        if not needed:
            return ""
        return (
            f"Only {total:,} {unit}: a promise that at most {percent(self.max_error)} are wrong saves answers from"
            f" about {needed:,} on. So you are asked until all of them are checked or proven; each that you confirm or"
            " correct is kept as your answer."
        )

    def missed(self, images: Sequence[str], *, seed: int | str) -> Looks:
        """Return the evidence of the second stage, with nothing answered yet."""
        level = SHARES["missed"] * (1 - self.confidence)
        return Looks(images, seed, level=level, cap=self.cap, max_missed=self.max_missed, max_looks=self.max_reviews)

    def check(self) -> None:
        """Refuse terms that are out of range, before anybody is asked anything."""
        super().check()
        in_range("max_missed", self.max_missed, low=0, high=1, hint="one image in ten is written 0.1")
        if isinstance(self.cap, bool) or not isinstance(self.cap, int) or self.cap < 1:
            raise InputError(
                "The number of missed objects that an image counts for is out of range.",
                expected="a whole number from 1 on",
                got=repr(self.cap),
                hint="10 is usual",
            )
