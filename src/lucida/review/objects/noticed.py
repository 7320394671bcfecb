"""Objects that turn out wrong while whole images are looked at: answers that nobody drew.

They are no part of any sample, so they prove nothing. They can only take away: each is one of the wrong ones that the
kept set may hold, so it leaves the accepted, and the number that may still be wrong among these falls by one. Should
the answers of both stages together no longer prove the set, because more of it is wrong than was promised or because a
person has changed an answer of the sample, nothing is kept.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lucida.evidence.order import Ints
from lucida.review.certificate import Certificate
from lucida.review.log import Answer, Log
from lucida.review.objects.missed import Looks
from lucida.review.replay import still_proven


@dataclass(frozen=True)
class After:
    """What is left of the kept set once images were looked at.

    Attributes:
        wrong: Objects that were called wrong there.
        withdrawn: Whether the set is not proven any more.
        kept: Rows of the kept set, ascending; none where it is withdrawn.
        accepted: Those that nobody has answered, in either stage.
        max_wrong_left: So many of the accepted are wrong at most.
    """

    wrong: int
    withdrawn: bool
    kept: Ints
    accepted: Ints
    max_wrong_left: int

    @property
    def rate_left(self) -> float:
        """At most this share of the accepted is wrong."""
        return self.max_wrong_left / len(self.accepted) if len(self.accepted) else 0.0


def after_looking(found: Certificate, looks: Looks | None) -> After:
    """Return what is left of what the first stage has proven."""
    struck = looks.struck if looks is not None else []
    if not struck:
        return After(0, False, found.kept, found.accepted, found.max_wrong_left)
    if not still_proven(found, [Answer(one.id, "wrong", one.label, "") for one in struck]):
        nothing = np.empty(0, np.int64)
        return After(len(struck), True, nothing, nothing, 0)
    assert found.population is not None, "a certificate with its population"
    row = {id: number for number, id in enumerate(found.population.ids)}
    rows = np.array(sorted({row[one.id] for one in struck}), np.int64)
    answers = Log.of_lines(found.answers).standing
    new = [one for one in struck if one.id not in answers or answers[one.id].verdict == "right"]
    lost = int(np.isin(found.kept, [row[one.id] for one in new]).sum())
    accepted = np.setdiff1d(found.accepted, rows)
    return After(len(struck), False, found.kept, accepted, found.max_wrong_left - lost)
