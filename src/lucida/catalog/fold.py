"""The fold: what all records of a question come to, for each image.

1. People. Each person's latest answer that was not taken back counts once; the majority wins, and the latest
   answer where the majority is split. Different answers are shown as disagreement. "unsure" gives no answer: an
   image with nothing else stays proposed and is not kept.
2. Certified. A certified record holds only while no label or teach run of the question was started after the run
   whose proposals were frozen: a model that was run again has made other proposals.
3. Proposed: the latest run that says anything of the image. If that run found the image among its own examples
   ("taught"), a person gave the label, and the image counts as reviewed; no certificate speaks of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, func, select

from lucida.catalog.records import Current, State
from lucida.catalog.schema import images, notes, runs
from lucida.catalog.store import pairs

# Runs of these verbs make proposals, and so end what was certified on earlier ones.
PROPOSING: Final = ("label", "teach")


class Vote(NamedTuple):
    """One person's answer: `label` is None for "unsure", and for "wrong" without saying what is right."""

    time: float
    sequence: int
    actor: str
    verdict: str | None
    label: str | None
    run: int


class Said(NamedTuple):
    """What one run says of one image: its label, the score of that, and whether it was an example."""

    run: int
    label: str | None
    score: float | None
    taught: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What people say together: None as label if they only say that the proposal is wrong."""

    label: str | None
    run: int
    sure: bool
    disagreement: bool


def people(votes: Sequence[Vote], proposal: str | None) -> Verdict | None:
    """Return what people say together, or None if nobody answered.

    Args:
        votes: Answers that were not taken back, in any order.
        proposal: The label that was asked about: what "right" without a label means.
    """
    latest: dict[str, Vote] = {}
    for vote in sorted(votes):
        latest[vote.actor] = vote
    if not latest:
        return None
    given = [
        (vote, vote.label if vote.label is not None or vote.verdict != "right" else proposal)
        for vote in sorted(latest.values())
        if vote.verdict != "unsure"
    ]
    if not given:
        return Verdict(None, max(latest.values()).run, sure=False, disagreement=False)
    counts = Counter(label for _, label in given if label is not None)
    most = max(counts.values(), default=0)
    deciding, label = [(v, label) for v, label in given if label is None or counts[label] == most][-1]
    if label is None and counts:
        # "Wrong" without the right answer cannot outvote one who gave it.
        deciding, label = [(v, label) for v, label in given if label is not None and counts[label] == most][-1]
    return Verdict(label, deciding.run, sure=True, disagreement=len({label for _, label in given}) > 1)


def decide(votes: Sequence[Vote], certified: Said | None, said: Said | None) -> tuple[State, bool, Said, bool] | None:
    """Return state, whether kept, the record that decides, and disagreement; None if nothing was said.

    Args:
        votes: People's answers that were not taken back.
        certified: The certified record that holds, if any.
        said: What the latest run says, if any.
    """
    base = certified or said
    verdict = people(votes, base.label if base else None)
    if verdict is not None and verdict.sure:
        score = base.score if base is not None and base.label == verdict.label else None
        kept = certified is not None and verdict.label is not None
        return "reviewed", kept, Said(verdict.run, verdict.label, score), verdict.disagreement
    if base is None:
        return None
    if verdict is not None:
        return "proposed", False, said or base, False
    if certified is not None:
        return "accepted", True, certified, False
    return ("reviewed" if base.taught else "proposed"), False, base, False


def current(connection: Connection, question: str) -> Iterator[Current]:
    """Yield today's answer of every image that has one, in order of adding."""
    run_ids: dict[int, str] = pairs(connection.execute(select(runs.c.number, runs.c.id)))
    votes = _votes(connection, question)
    certified = _certified(connection, question)
    total = connection.execute(select(func.count()).select_from(images).where(images.c.placed)).scalar_one()
    said = _said(connection, question, total)
    query = select(images.c.number, images.c.id).where(images.c.placed).order_by(images.c.number)
    for number, id in connection.execute(query):
        if number not in votes and number not in certified and number not in said:
            continue
        decided = decide(votes.get(number, ()), certified.get(number), said.get(number))
        if decided is None:
            continue
        state, kept, record, disagreement = decided
        yield Current(id, record.label, record.score, state, kept, run_ids[record.run], disagreement)


def _votes(connection: Connection, question: str) -> dict[int, list[Vote]]:
    """Return the answers that were not taken back, by the image's number."""
    a = notes.c
    query = select(
        a.image, a.run, a.actor, a.sequence, a.kind, a.verdict, a.label, a.undoes, a.time
    ).where(a.question == question, a.kind.in_(("answer", "undo")), a.item == 0)  # fmt: skip
    rows: Sequence[Any] = connection.execute(query).all()
    undone = {(row.image, row.run, row.actor, row.undoes) for row in rows if row.kind == "undo"}
    votes: dict[int, list[Vote]] = {}
    for row in rows:
        if row.kind == "answer" and (row.image, row.run, row.actor, row.sequence) not in undone:
            vote = Vote(row.time, row.sequence, row.actor, row.verdict, row.label, row.run)
            votes.setdefault(row.image, []).append(vote)
    return votes


def _certified(connection: Connection, question: str) -> dict[int, Said]:
    """Return the latest certified record that holds, by the image's number."""
    a = notes.c
    newest = connection.execute(
        select(func.max(runs.c.number)).where(runs.c.question == question, runs.c.verb.in_(PROPOSING))
    ).scalar()
    query = (
        select(a.image, a.run, a.label, a.score)
        .where(a.question == question, a.kind == "certified", a.item == 0, a.source >= (newest or 0))
        .order_by(a.run)
    )
    return {image: Said(run, label, score) for image, run, label, score in connection.execute(query)}


def _said(connection: Connection, question: str, total: int) -> dict[int, Said]:
    """Return what the latest run that speaks of an image says, by the image's number."""
    a = notes.c
    speaking = (
        select(a.run)
        .where(a.question == question, a.kind.in_(("proposal", "taught")))
        .group_by(a.run)
        .order_by(a.run.desc())
    )
    said: dict[int, Said] = {}
    for run in connection.execute(speaking).scalars().all():
        query = select(a.image, a.label, a.score, a.kind).where(
            a.run == run, a.question == question, a.kind.in_(("proposal", "taught")), a.item == 0
        )
        _keep_first(said, run, connection.execute(query))
        # The latest run speaks of all images as a rule, and then no other has to be read.
        if len(said) >= total:
            break
    return said


def _keep_first(said: dict[int, Said], run: int, rows: Iterable[Any]) -> None:
    for image, label, score, kind in rows:
        if image not in said:
            said[image] = Said(run, label, score, kind == "taught")
