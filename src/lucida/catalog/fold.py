"""The fold: what all records of a question come to, for each image.

1. People. Each person's latest answer that was not taken back counts once; the majority wins, and the latest
   answer where the majority is split. Different answers are shown as disagreement. "unsure" gives no answer: an
   image with nothing else stays proposed and is not kept.
2. Certified. A certified record holds only while no label run was started, and no teach run finished, that is newer
   than the run whose proposals were frozen: a model that was run again has made other proposals. Of several reviews
   that hold only the latest counts: each promise holds for its own set, not for all of them together.
3. Proposed: the latest run that says anything of the image. If that run found the image among its own examples
   ("taught"), a person gave the label, and the image counts as reviewed; no certificate speaks of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, exists, func, or_, select

from lucida.catalog.records import MISSED, Current, State
from lucida.catalog.schema import images, notes, runs
from lucida.catalog.store import chunks, pairs


class Vote(NamedTuple):
    """One person's answer: `label` is None for "unsure", and for "wrong" without saying what is right."""

    time: float
    sequence: int
    actor: str
    verdict: str | None
    label: str | None
    run: int


def _order(vote: Vote) -> tuple[float, int, int, str]:
    return vote.time, vote.sequence, vote.run, vote.actor


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
    for vote in sorted(votes, key=_order):
        latest[vote.actor] = vote
    if not latest:
        return None
    given = [
        (vote, vote.label if vote.label is not None or vote.verdict != "right" else proposal)
        for vote in sorted(latest.values(), key=_order)
        if vote.verdict != "unsure"
    ]
    if not given:
        return Verdict(None, max(latest.values(), key=_order).run, sure=False, disagreement=False)
    # "Wrong" without saying what is right cannot outvote one who said it.
    labelled = [(vote, label) for vote, label in given if label is not None]
    counts = Counter(label for _, label in labelled)
    most = [(vote, label) for vote, label in labelled if counts[label] == max(counts.values())]
    deciding, label = (most or given)[-1]
    return Verdict(label, deciding.run, sure=True, disagreement=len({label for _, label in given}) > 1)


class Decision(NamedTuple):
    """What all records of one image come to; `said` is the record that decides."""

    state: State
    kept: bool
    said: Said
    disagreement: bool


def decide(votes: Sequence[Vote], certified: Said | None, said: Said | None) -> Decision | None:
    """Return what the records of one image come to; None if there are none.

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
        return Decision("reviewed", kept, Said(verdict.run, verdict.label, score), verdict.disagreement)
    if base is None:
        return None
    if verdict is not None:
        return Decision("proposed", False, said or base, False)
    if certified is not None:
        return Decision("accepted", True, certified, False)
    return Decision("reviewed" if base.taught else "proposed", False, base, False)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which answers are asked for.

    Args:
        states: States that count.
        label: The answer, or None for any.
        min_score: Least score, or None; an image without a score has none.
        max_score: Greatest score, or None.
    """

    states: Collection[State]
    label: str | None = None
    min_score: float | None = None
    max_score: float | None = None

    def takes(self, state: State, label: str | None, score: float | None) -> bool:
        """Return whether an answer is one of these."""
        if state not in self.states or (self.label is not None and label != self.label):
            return False
        if self.min_score is None and self.max_score is None:
            return True
        return (
            score is not None
            and (self.min_score is None or score >= self.min_score)
            and (self.max_score is None or score <= self.max_score)
        )


def current(connection: Connection, question: str, wanted: Wanted, limit: int | None = None) -> list[Current]:
    """Return today's answers of a question, in order of adding the images.

    The runs that speak of the question are read one after another, the latest first, and only until every image
    was spoken of: as a rule that is one pass over one run.
    """
    votes, certified = _votes(connection, question), _certified(connection, question)
    total = connection.execute(select(func.count()).select_from(images).where(images.c.placed)).scalar_one()
    run_ids: dict[int, str] = pairs(connection.execute(select(runs.c.number, runs.c.id)))
    found: list[tuple[int, Current]] = []
    seen: set[int] = set()

    def judge(number: int, id: str, said: Said | None) -> None:
        decision = decide(votes.get(number, ()), certified.get(number), said)
        if decision is not None and wanted.takes(decision.state, decision.said.label, decision.said.score):
            state, kept, (run, label, score, _), disagreement = decision
            found.append((number, Current(id, label, score, state, kept, run_ids[run], disagreement)))

    special = votes.keys() | certified.keys()
    for run in _speaking(connection, question):
        run_id, first = run_ids[run], not seen
        for number, id, label, score, kind in _said(connection, question, run):
            if not first and number in seen:
                continue
            if number in special or kind == "taught":
                judge(number, id, Said(run, label, score, kind == "taught"))
            elif wanted.takes("proposed", label, score):
                found.append((number, Current(id, label, score, "proposed", False, run_id, False)))
            seen.add(number)
        if len(seen) >= total:
            break
    for number, id in _named(connection, special - seen):
        judge(number, id, None)
    found.sort(key=lambda pair: pair[0])
    return [one for _, one in found[:limit]]


def of_image(connection: Connection, question: str, image: str) -> Current | None:
    """Return today's answer of one image, None where it has none; only its own records are read."""
    number = connection.execute(select(images.c.number).where(images.c.id == image, images.c.placed)).scalar()
    if number is None:
        return None
    n = notes.c
    spoken = (
        select(n.run, n.label, n.score, n.kind)
        .where(n.image == number, n.question == question, n.kind.in_(("proposal", "taught")), n.item == 0)
        .order_by(n.run.desc())
        .limit(1)
    )
    row = connection.execute(spoken).first()
    said = None if row is None else Said(row.run, row.label, row.score, row.kind == "taught")
    votes, certified = _votes(connection, question, number), _certified(connection, question, number)
    decision = decide(votes.get(number, ()), certified.get(number), said)
    if decision is None:
        return None
    state, kept, (run, label, score, _), disagreement = decision
    name = connection.execute(select(runs.c.id).where(runs.c.number == run)).scalar_one()
    return Current(image, label, score, state, kept, name, disagreement)


def answered(connection: Connection, question: str, ids: Iterable[str]) -> dict[str, str]:
    """Return what people say together of those of some images of which they say anything; only they are read."""
    found: dict[str, str] = {}
    for part in chunks(ids):
        named: dict[int, str] = pairs(
            connection.execute(select(images.c.number, images.c.id).where(images.c.id.in_(part)))
        )
        for number, votes in _votes(connection, question, list(named)).items():
            verdict = people(votes, None)
            if verdict is not None and verdict.label is not None:
                found[named[number]] = verdict.label
    return found


def _votes(connection: Connection, question: str, among: int | Sequence[int] | None = None) -> dict[int, list[Vote]]:
    """Return the answers that were not taken back, by the image's number; of one image or some where given."""
    n = notes.c
    # What was missed in an image says nothing of the image as a whole.
    of_whole = or_(n.detail.is_(None), ~n.detail.contains(f'"phase": "{MISSED}"', autoescape=True))
    query = select(n.image, n.run, n.actor, n.sequence, n.kind, n.verdict, n.label, n.undoes, n.time).where(
        n.question == question, n.kind.in_(("answer", "undo")), n.item == 0, of_whole
    )
    if among is not None:
        query = query.where(n.image == among if isinstance(among, int) else n.image.in_(among))
    rows: Sequence[Any] = connection.execute(query).all()
    undone = {(row.image, row.run, row.actor, row.undoes) for row in rows if row.kind == "undo"}
    votes: dict[int, list[Vote]] = {}
    for row in rows:
        if row.kind == "answer" and (row.image, row.run, row.actor, row.sequence) not in undone:
            vote = Vote(row.time, row.sequence, row.actor, row.verdict, row.label, row.run)
            votes.setdefault(row.image, []).append(vote)
    return votes


def holding(connection: Connection, question: str, *, objects: bool = False) -> int | None:
    """Return the number of the latest review whose certificate holds; None where there is none.

    Args:
        connection: To the catalog.
        question: What was asked.
        objects: Of certificates about objects, rather than about images.
    """
    n = notes.c
    proposing = or_(runs.c.verb == "label", and_(runs.c.verb == "teach", runs.c.finished.is_not(None)))
    newest = connection.execute(select(func.max(runs.c.number)).where(runs.c.question == question, proposing)).scalar()
    of_run = and_(n.run == runs.c.number, n.question == question, n.kind == "certified", n.source >= (newest or 0))
    keeps = exists().where(of_run, n.item > 0 if objects else n.item == 0)
    # Run after run, the latest first: all certified records together may be as many as there are images.
    latest = select(runs.c.number).where(keeps).order_by(runs.c.number.desc()).limit(1)
    return connection.execute(latest).scalar()


def _certified(connection: Connection, question: str, image: int | None = None) -> dict[int, Said]:
    """Return the latest certified record that holds, by the image's number; of one image where it is given."""
    n, review = notes.c, holding(connection, question)
    if review is None:
        return {}
    query = select(n.image, n.run, n.label, n.score).where(
        n.run == review, n.question == question, n.kind == "certified", n.item == 0
    )
    query = query if image is None else query.where(n.image == image)
    return {image: Said(run, label, score) for image, run, label, score in connection.execute(query)}


def _speaking(connection: Connection, question: str) -> Sequence[int]:
    """Return the numbers of the runs that made proposals or found examples, the latest first."""
    speaks = exists().where(
        notes.c.run == runs.c.number, notes.c.question == question, notes.c.kind.in_(("proposal", "taught"))
    )
    return connection.execute(select(runs.c.number).where(speaks).order_by(runs.c.number.desc())).scalars().all()


def _said(connection: Connection, question: str, run: int) -> Iterable[Any]:
    """Yield number, id, label, score and kind of what one run says, in order of adding the images."""
    n = notes.c
    query = (
        select(n.image, images.c.id, n.label, n.score, n.kind)
        .join(images, images.c.number == n.image)
        .where(n.run == run, n.question == question, n.kind.in_(("proposal", "taught")), n.item == 0, images.c.placed)
        .order_by(n.image)
    )
    return connection.execute(query)


def _named(connection: Connection, numbers: set[int]) -> Iterator[tuple[int, str]]:
    """Yield number and id of the images among these that still count."""
    for part in chunks(sorted(numbers)):
        query = select(images.c.number, images.c.id).where(images.c.number.in_(part), images.c.placed)
        yield from ((number, id) for number, id in connection.execute(query))
