"""The fold of objects: what all records of a question come to, for each object within an image.

For each image the latest run that says anything of it speaks, and people's answers on that run's objects. What people
called wrong is gone, or stands as they corrected it; what they added stands beside the run's own. Answers on objects of
an earlier run do not carry over, since its numbers name other objects. For people, and for certificates, the rules are
those of `lucida.catalog.fold`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, func, select

from lucida.catalog import fold
from lucida.catalog.records import MISSED, CurrentObject
from lucida.catalog.schema import images, notes, runs
from lucida.catalog.store import pairs

Key = tuple[int, int]  # number of the image, number of the object in it


class _Said(NamedTuple):
    """What a person says of an object: the fold compares what is said as one text."""

    label: str | None
    detail: dict[str, Any]

    @property
    def text(self) -> str | None:
        place = [self.detail.get("box"), self.detail.get("mask")]
        return None if self.label is None else json.dumps([self.label, *place], sort_keys=True)


def current(connection: Connection, question: str, image: str | None = None) -> list[CurrentObject]:
    """Return today's objects of a question, in order of adding the images; those of one image where it is given."""
    n = notes.c
    about = [n.question == question]
    if image is not None:
        number = connection.execute(select(images.c.number).where(images.c.id == image)).scalar()
        # As a bare column SQLite would take the index of questions, and read what was said of every image.
        about = [n.image == number, func.coalesce(n.question, "") == question]
    latest = (
        select(n.image, func.max(n.run).label("run")).where(*about, n.kind == "proposal").group_by(n.image).subquery()
    )
    query = (
        select(n.image, images.c.id, n.item, n.run, n.label, n.score, n.detail)
        .join(images, images.c.number == n.image)
        .join(latest, and_(latest.c.image == n.image, latest.c.run == n.run))
        .where(*about, n.kind == "proposal", images.c.placed)
        .order_by(n.image, n.item)
    )
    names: dict[int, str] = pairs(connection.execute(select(runs.c.number, runs.c.id)))
    rows: Sequence[Any] = connection.execute(query).all()
    speaks = {row.image: row.run for row in rows}
    votes, added = _answers(connection, about, speaks)
    certified = _certified(connection, question, about)
    found: list[CurrentObject] = []
    for place, row in enumerate(rows):
        if row.item:
            one = _decide(row, votes.get((row.image, row.item), ()), certified.get((row.image, row.item)), names)
            found += [one] if one is not None else []
        if place + 1 == len(rows) or rows[place + 1].image != row.image:
            found += _added(row, added.get(row.image, ()), names)
    return found


def answered(connection: Connection, question: str) -> bool:
    """Tell whether people, or a certificate, have said anything of the objects of a question."""
    n = notes.c
    query = select(n.image).where(n.question == question, n.item > 0, n.kind.in_(("answer", "certified"))).limit(1)
    return connection.execute(query).first() is not None


def _decide(
    row: Any, votes: Sequence[tuple[fold.Vote, _Said]], certified: int | None, names: dict[int, str]
) -> CurrentObject | None:
    detail = json.loads(row.detail) if row.detail else {}
    proposal = _Said(row.label, detail)
    said = {proposal.text: proposal}
    given = []
    for vote, one in votes:
        one = one._replace(detail={**detail, **one.detail} if "box" not in one.detail else one.detail)
        one = proposal if vote.verdict == "right" else one
        said[one.text] = one
        given.append(vote._replace(label=one.text))
    verdict = fold.people(given, proposal.text)
    if verdict is not None and verdict.sure:
        if verdict.label is None:
            return None
        stands, same = said[verdict.label], verdict.label == proposal.text
        score, run = row.score if same else None, names[verdict.run]
        kept, apart = certified is not None, verdict.disagreement
        return _object(row, row.item, stands, score, "reviewed", kept, run, disagreement=apart)
    if verdict is None and certified is not None:
        return _object(row, row.item, proposal, row.score, "accepted", True, names[certified])
    return _object(row, row.item, proposal, row.score, "proposed", False, names[row.run])


def _added(row: Any, added: Sequence[tuple[int, int, _Said]], names: dict[int, str]) -> Iterator[CurrentObject]:
    for item, run, said in added:
        yield _object(row, item, said, None, "reviewed", False, names[run], added=True)


def _object(
    row: Any,
    item: int,
    said: _Said,
    score: float | None,
    state: Any,
    kept: bool,
    run: str,
    *,
    disagreement: bool = False,
    added: bool = False,
) -> CurrentObject:
    detail: dict[str, Any] = {name: said.detail[name] for name in ("box", "mask", "corners") if name in said.detail}
    return CurrentObject(row.id, item, said.label or "", score, detail, state, kept, run, disagreement, added)


def _answers(
    connection: Connection, wanted: Sequence[ColumnElement[bool]], speaks: dict[int, int]
) -> tuple[dict[Key, list[tuple[fold.Vote, _Said]]], dict[int, list[tuple[int, int, _Said]]]]:
    """Return people's answers on the objects of the runs that speak, and the objects that people added."""
    n = notes.c
    query = (
        select(n.image, n.item, n.run, n.actor, n.sequence, n.kind, n.label, n.verdict, n.undoes, n.detail, n.time)
        .where(*wanted, n.kind.in_(("answer", "undo")), n.item > 0)
        .order_by(n.image, n.item, n.time, n.sequence)
    )
    rows: Sequence[Any] = connection.execute(query).all()
    number = {id: one for one, id in connection.execute(select(runs.c.number, runs.c.id))}
    about = {one: number.get(parent) for one, parent in connection.execute(select(runs.c.number, runs.c.parent))}
    undone = {(row.image, row.item, row.run, row.actor, row.undoes) for row in rows if row.kind == "undo"}
    votes: dict[Key, list[tuple[fold.Vote, _Said]]] = {}
    added: dict[int, list[tuple[int, int, _Said]]] = {}
    for row in rows:
        taken_back = (row.image, row.item, row.run, row.actor, row.sequence) in undone
        if row.kind != "answer" or taken_back or about[row.run] != speaks.get(row.image):
            continue
        said = _Said(row.label, json.loads(row.detail) if row.detail else {})
        if said.detail.get("phase") == MISSED:
            added.setdefault(row.image, []).append((row.item, row.run, said))
        else:
            vote = fold.Vote(row.time, row.sequence, row.actor, row.verdict, row.label, row.run)
            votes.setdefault((row.image, row.item), []).append((vote, said))
    return votes, added


def _certified(connection: Connection, question: str, wanted: Sequence[ColumnElement[bool]]) -> dict[Key, int]:
    """Return the run of the latest certificate that holds, by object; the rule is that of `lucida.catalog.fold`."""
    n, review = notes.c, fold.holding(connection, question, objects=True)
    if review is None:
        return {}
    query = select(n.image, n.item, n.run).where(*wanted, n.run == review, n.kind == "certified", n.item > 0)
    return {(image, item): run for image, item, run in connection.execute(query)}
