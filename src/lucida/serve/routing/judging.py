"""What feedback says of the arms of a route.

*Paired*: images that two arms answered, one of them perhaps in the shadow, or for another request. If both said the
same, neither is better. Else what is right says which: a label, or that one of the answers is right. Where all that is
known is that one answer is wrong, the other may be either, and counts for neither side.
*Unpaired*: all feedback on answers that were given, each arm's matched with the other's as they came.

Each of the two may be wrong half as often as both together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from sqlalchemy import Connection, select

from lucida.evidence.arms import Difference, Matcher, bound_difference, count
from lucida.evidence.paired import Pairs
from lucida.serve.routing.said import WORDS
from lucida.serve.routing.tables import ANSWERS, FEEDBACK

MOST: Final = 200_000  # pieces of feedback that are looked at: the latest


class Judged(NamedTuple):
    """One piece of feedback: what was said of an image, whether it is right, and what would be."""

    key: tuple[str, str]  # image, and what was asked of it
    model: str
    said: str | None
    right: bool
    label: str | None
    given: bool  # as the answer of the arm; else as a fallback
    alone: bool  # whether one answer at most can be right


@dataclass(frozen=True)
class Heard:
    """All feedback on a route, in the order in which it came, and what was said of the same images."""

    judged: Sequence[Judged]
    said: dict[tuple[str, str], dict[str, str | None]]


@dataclass(frozen=True)
class Verdict:
    """What is known of two arms.

    Attributes:
        a, b: The arms.
        difference: Of the shares that they have right, b - a, by all evidence.
        paired, unpaired: The same, by each kind.
        pairs: Images that both answered, as far as it is known who was right.
        unclear: Images on which they differ, and of which only a wrong answer is known.
        matches: Of feedback on one arm with feedback on the other.
        right, judged: Of each arm: answers that were right, of those that were judged.
    """

    a: str
    b: str
    difference: Difference
    paired: Difference
    unpaired: Difference
    pairs: Pairs
    unclear: int
    matches: int
    right: tuple[int, int]
    judged: tuple[int, int]

    @property
    def better(self) -> str | None:
        """The arm that is better; None where that is not known yet."""
        return {"A better": self.a, "B better": self.b}.get(self.difference.verdict)


def hear(connection: Connection, route: str, versions: dict[str, str]) -> Heard:
    """Read the feedback on a route.

    Args:
        connection: To the records.
        route: Its name.
        versions: Of its models: what was said of others, or of earlier versions, does not count.
    """
    of = FEEDBACK.c
    rows = connection.execute(
        select(of.image, of.asked, of.model, of.version, of.said, of.right, of.label, of.role, of.task)
        .where(of.route == route)
        .order_by(of.id.desc())
        .limit(MOST)
    ).all()
    judged = [
        Judged(
            (row.image, row.asked),
            row.model,
            row.said,
            row.right,
            row.label,
            row.role == "answer",
            row.task not in WORDS,
        )
        for row in reversed(rows)
        if versions.get(row.model) == row.version
    ]
    ours = ANSWERS.c
    images = select(of.image).where(of.route == route)
    answers = connection.execute(
        select(ours.image, ours.asked, ours.model, ours.version, ours.label)
        .where(ours.route == route, ours.image.in_(images))
        .order_by(ours.id)
    ).all()
    said: dict[tuple[str, str], dict[str, str | None]] = defaultdict(dict)
    for row in answers:
        if versions.get(row.model) == row.version:
            said[row.image, row.asked][row.model] = row.label
    return Heard(judged, said)


def compare(heard: Heard, a: str, b: str, *, confidence: float, others: int = 1) -> Verdict:
    """Say which of two arms is better.

    Args:
        heard: The feedback.
        a: One arm.
        b: The other.
        confidence: Of all comparisons of a route together.
        others: How many comparisons there are.
    """
    each = 1 - (1 - confidence) / (2 * others)
    rows = _last(one for one in heard.judged if one.given and one.model in (a, b))
    matcher, matched = Matcher(), list[float]()
    for one in rows:
        if (value := matcher.add(0 if one.model == a else 1, float(one.right))) is not None:
            matched.append(value)
    values = _paired(heard, a, b)
    low, high = count(low for low, _ in values), count(high for _, high in values)
    paired = bound_difference(low, most=high, confidence=each)
    unpaired = bound_difference(count(matched), confidence=each)
    clear = count(low for low, high in values if low == high)
    right = [sum(one.right for one in rows if one.model == arm) for arm in (a, b)]
    total = [sum(one.model == arm for one in rows) for arm in (a, b)]
    # Of those that both have right or both have wrong, neither is told apart here: they count the same.
    return Verdict(
        a, b, paired.and_also(unpaired), paired, unpaired,
        Pairs(clear.get(0.0, 0), clear.get(-1.0, 0), clear.get(1.0, 0), 0), len(values) - sum(clear.values()),
        len(matched), (right[0], right[1]), (total[0], total[1]),
    )  # fmt: skip


def _paired(heard: Heard, a: str, b: str) -> list[tuple[float, float]]:
    """Return the least and the most that each image counts which both arms answered."""
    pieces: dict[tuple[str, str], list[Judged]] = defaultdict(list)
    for one in heard.judged:
        if one.model in (a, b) and {a, b} <= heard.said.get(one.key, {}).keys():
            pieces[one.key].append(one)
    return [_value(heard.said[key][a], heard.said[key][b], ones, a) for key, ones in pieces.items()]


def _value(by_a: str | None, by_b: str | None, ones: Sequence[Judged], a: str) -> tuple[float, float]:
    if by_a is not None and by_a == by_b:
        return 0.0, 0.0
    rights: list[bool | None] = [None, None]
    for one in ones:
        ours, theirs = (0, 1) if one.model == a else (1, 0)
        rights[ours] = one.right
        if one.label is not None:
            rights[theirs] = one.label == (by_a, by_b)[theirs]
        elif one.right and one.alone and rights[theirs] is None:
            rights[theirs] = False
    (least_a, most_a), (least_b, most_b) = ((0, 1) if known is None else (known, known) for known in rights)
    return float(least_b - most_a), float(most_b - least_a)


def _last(rows: Iterable[Judged]) -> list[Judged]:
    """Return the last row of each image and arm, at the place of the first: who is asked twice is judged once."""
    found: dict[tuple[tuple[str, str], str], Judged] = {}
    for row in rows:
        found[row.key, row.model] = row
    return list(found.values())
