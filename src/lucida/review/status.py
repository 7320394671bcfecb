"""Where a review stands, and what is advised then."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from lucida.evidence.selection import Reason
from lucida.review.claim import percent


class Point(NamedTuple):
    """Hold one point of the curve: after `reviews` answers, `kept` labels were proven, up to `bound` wrong."""

    reviews: int
    kept: int
    bound: float


@dataclass(frozen=True)
class Status:
    """Say where a session stands.

    `kept` = the certified set, `accepted` = kept and not reviewed, `bound` = the proven rate of wrong labels
    in `kept`, `rate_left` = the same for `accepted` alone. `aim` is the size of the set that is tried for
    next and `aim_reviews` the answers this is thought to need (both None when nothing is tried). `reason`
    says why the session ended: "target" (everything certified), "no-gain", "max-reviews", "exhausted"
    (everything answered).
    """

    phase: Literal["pilot", "epoch-1", "epoch-2", "done"]
    total: int
    reviews: int
    errors_found: int
    kept: int
    accepted: int
    bound: float
    rate_left: float
    aim: int | None
    aim_reviews: int | None
    done: bool
    reason: Reason
    advice: str
    history: tuple[Point, ...]


def too_small(max_error: float, level: float) -> float:
    """Give the number of items below which labelling all of them is cheaper than any proof."""
    return 4 * math.log(1 / level) / max_error


def advise(
    groups: Sequence[tuple[str | None, int]],
    *,
    max_error: float,
    level: float,
    missed: tuple[int, int] | None,
    nothing: bool,
    unit: str = "labels",
) -> str:
    """Say in a sentence what a person had better do, "" where there is nothing to say.

    Args:
        groups: name and number of labels of each group with a promise of its own.
        max_error: the promised rate.
        level: the chance of a broken promise that each group may take.
        missed: (labels, reviews): a larger set that was out of reach, and the reviews it is thought to need.
        nothing: the review has ended and keeps nothing.
        unit: what is checked, in the plural.
    """
    if not sum(size for _, size in groups):
        return "There is nothing to check."
    needed = too_small(max_error, level)
    small = [name for name, size in groups if size < needed]
    if small == [None]:
        do = "Label" if unit == "labels" else "Check"
        return f"{do} them all: a promise of {percent(max_error)} pays from about {math.ceil(needed):,} {unit} on."
    if small:
        names = ", ".join(map(repr, small))
        do = "Label" if unit == "labels" else "Check"
        return f"{do} all of {names}: a promise for a class pays from about {math.ceil(needed):,} {unit} of it on."
    if missed:
        return f"About {missed[1]:,} more reviews are thought to prove {missed[0]:,} {unit}."
    if nothing:
        better = "teach the model more" if unit == "labels" else "use a better model"
        return f"Too many {unit} are wrong to keep any: {better}, or allow more errors."
    return ""
