"""Annotations: what was said, appended and never changed."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable
from typing import Any, Final

import numpy as np
from sqlalchemy import Connection, Row, Select, func, select

from lucida.catalog import fold, objects
from lucida.catalog.images import numbers
from lucida.catalog.records import KINDS, STATES, VERDICTS, Annotation, Current, CurrentObject, Proposals, State
from lucida.catalog.schema import images, notes, runs
from lucida.catalog.store import Store, chunks, insert_ignoring, pairs
from lucida.errors import InputError, UnknownName

# One encoder for all: `json.dumps` with options makes a new one each time.
_JSON: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False)


class Annotations:
    """The annotations of a catalog."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def append(self, rows: Iterable[Annotation]) -> int:
        """Append annotations, all or none; those whose key is there already change nothing.

        Args:
            rows: Annotations of images and runs that the catalog knows.

        Returns:
            How many were new.

        Raises:
            InputError: An image or run is unknown, a score is not a number from 0 to 1, or a detail that the
                kind needs is missing.
        """
        batch = list(rows)
        if not batch:
            return 0
        for row in batch:
            _check(row)
        with self._store.write() as connection:
            of_image = numbers(connection, (row.image for row in batch))
            named = {row.run for row in batch} | {row.detail["source"] for row in batch if row.kind == "certified"}
            of_run = _run_numbers(connection, named)
            return insert_ignoring(connection, notes, [_values(row, of_image[row.image], of_run) for row in batch])

    def rows(
        self,
        *,
        image: str | None = None,
        question: str | None = None,
        run: str | None = None,
        kind: str | None = None,
        limit: int | None = None,
    ) -> list[Annotation]:
        """Return annotations, ordered by time, then sequence.

        Args:
            image: Only of this image.
            question: Only of this question.
            run: Only of this run.
            kind: Only of this kind.
            limit: Only so many, the first ones.
        """
        query = _select()
        if image is not None:
            query = query.where(images.c.id == image)
        if question is not None:
            query = query.where(notes.c.question == question)
        if run is not None:
            query = query.where(runs.c.id == run)
        if kind is not None:
            query = query.where(notes.c.kind == kind)
        order = (notes.c.time, notes.c.sequence, notes.c.image, notes.c.item)
        with self._store.read() as connection:
            found = connection.execute(query.order_by(*order).limit(limit)).all()
            certified = any(row.source is not None for row in found)
            ids: dict[int, str] = pairs(connection.execute(select(runs.c.number, runs.c.id))) if certified else {}
        return [_annotation(row, ids) for row in found]

    def lately(self, question: str, verb: str, limit: int) -> list[tuple[str, int, float]]:
        """Return the runs that spoke of a question last, the latest first: id, number of statements, time of the last.

        Args:
            question: What was asked.
            verb: Only runs of this verb.
            limit: At most so many.
        """
        last = func.max(notes.c.time)
        query = (
            select(runs.c.id, func.count(), last)
            .join(notes, notes.c.run == runs.c.number)
            .where(notes.c.question == question, runs.c.verb == verb)
            .group_by(runs.c.number)
            .order_by(last.desc(), runs.c.number.desc())
            .limit(limit)
        )
        with self._store.read() as connection:
            return [(id, count, time) for id, count, time in connection.execute(query)]

    def answered(self, question: str, ids: Iterable[str]) -> dict[str, str]:
        """Return what people answered of those of some images that they answered: only these are looked at.

        Args:
            question: What was asked.
            ids: Content ids.
        """
        with self._store.read() as connection:
            return fold.answered(connection, question, ids)

    def table(self, run_id: str) -> Proposals:
        """Return the proposals of one run as columns, in order of adding the images.

        Args:
            run_id: The run; an unknown one has no proposals.
        """
        query = (
            select(images.c.id, notes.c.label, notes.c.score, notes.c.detail)
            .join(images, images.c.number == notes.c.image)
            .join(runs, runs.c.number == notes.c.run)
            .where(runs.c.id == run_id, notes.c.kind == "proposal")
            .order_by(notes.c.image, notes.c.item)
        )
        with self._store.read() as connection:
            found = connection.execute(query).all()
        scores = np.array([math.nan if row[2] is None else row[2] for row in found], np.float64)
        # One parse of all is several times faster than a parse each.
        details = json.loads(f"[{','.join(row[3] or '{}' for row in found)}]")
        return Proposals([row[0] for row in found], [row[1] or "" for row in found], scores, details)

    def objects(self, question: str, *, state: State | None = None) -> list[tuple[str, str]]:
        """Return image and label of every object of today within images, in order of adding.

        Objects are what has a number above 0: boxes, masks, lines of text. For each image the latest run speaks; where
        people or a certificate have said anything of a question's objects, it is what `current_objects` says.

        Args:
            question: What was asked.
            state: Only objects in this state.
        """
        with self._store.read() as connection:
            if objects.answered(connection, question):
                # Read whole only then: run lengths of a million masks are long.
                every = objects.current(connection, question)
                return [(one.image, one.label) for one in every if state in (None, one.state) and one.label]
        if state not in (None, "proposed"):
            return []
        said = (notes.c.question == question, notes.c.kind == "proposal")
        latest = select(notes.c.image, func.max(notes.c.run).label("run")).where(*said).group_by(notes.c.image)
        newest = latest.subquery()
        query = (
            select(images.c.id, notes.c.label)
            .join(images, images.c.number == notes.c.image)
            .join(newest, (newest.c.image == notes.c.image) & (newest.c.run == notes.c.run))
            .where(*said, notes.c.item > 0, notes.c.label.is_not(None), images.c.placed)
            .order_by(notes.c.image, notes.c.item)
        )
        with self._store.read() as connection:
            return [(id, label) for id, label in connection.execute(query)]

    def current_objects(self, question: str, *, image: str | None = None) -> list[CurrentObject]:
        """Return today's objects within images, in order of adding the images; see `lucida.catalog.objects`.

        That is what the latest run found, without what people called wrong, as they corrected it, and what they added.

        Args:
            question: What was asked.
            image: Only those of this image.
        """
        with self._store.read() as connection:
            return objects.current(connection, question, image)

    def of_image(self, question: str, image: str) -> Current | None:
        """Return today's answer of one image, as `current` does; None where it has none.

        Args:
            question: What was asked.
            image: Its content id.
        """
        with self._store.read() as connection:
            return fold.of_image(connection, question, image)

    def questions(self) -> list[str]:
        """Return the questions that have annotations, that of the latest run first."""
        query = select(notes.c.question).group_by(notes.c.question).order_by(func.max(notes.c.run).desc())
        with self._store.read() as connection:
            return list(connection.execute(query).scalars())

    def current(
        self,
        question: str,
        *,
        label: str | None = None,
        state: State | Collection[State] | None = None,
        min_score: float | None = None,
        max_score: float | None = None,
        limit: int | None = None,
    ) -> list[Current]:
        """Return today's answer for every image that has one, in order of adding.

        People come first (the majority of their latest answers; the latest where the majority is split), then
        what a certificate keeps, then the latest run's proposal. See `lucida.catalog.fold`.

        Args:
            question: What was asked.
            label: Only images with this answer.
            state: Only images in this state, or in one of these.
            min_score: Only images whose score is at least this.
            max_score: Only images whose score is at most this.
            limit: At most so many.

        Raises:
            UnknownName: The state is none.
        """
        states: list[Any] = list(STATES if state is None else [state] if isinstance(state, str) else state)
        for name in states:
            if name not in STATES:
                raise UnknownName("state", str(name), STATES)
        wanted = fold.Wanted(frozenset(states), label, min_score, max_score)
        with self._store.read() as connection:
            return fold.current(connection, question, wanted, limit)


def _check(row: Annotation) -> None:
    if row.kind not in KINDS:
        raise UnknownName("kind of annotation", str(row.kind), KINDS)
    if row.score is not None and not 0.0 <= row.score <= 1.0:
        raise InputError(
            f"The score of image {row.image} is not a probability.",
            expected="a number from 0 to 1, or None",
            got=str(row.score),
            hint="check the model's output for overflow: it must be finite",
        )
    if row.kind == "answer" and row.detail.get("verdict") not in (*VERDICTS, None):
        raise UnknownName("verdict", str(row.detail["verdict"]), VERDICTS)
    needed = {"undo": "sequence", "certified": "source"}.get(row.kind)
    if needed is not None and needed not in row.detail:
        raise InputError(
            f"An annotation of kind {row.kind!r} lacks detail[{needed!r}].",
            expected="the run whose proposals were frozen" if needed == "source" else "the number of the answer",
            got=str(row.detail),
            hint="see lucida.catalog.Annotation",
        )


def _values(row: Annotation, image: int, run_numbers: dict[str, int]) -> dict[str, Any]:
    detail = row.detail
    values: dict[str, Any] = {
        "run": run_numbers[row.run],
        "image": image,
        "item": row.item,
        "actor": row.actor,
        "sequence": row.sequence,
        "question": row.question,
        "kind": row.kind,
        "label": row.label,
        "score": None if row.score is None else float(row.score),
        "verdict": None,
        "undoes": None,
        "source": None,
        "time": row.time,
    }
    if row.kind == "answer" and "verdict" in detail:
        detail = dict(detail)
        values["verdict"] = detail.pop("verdict")
    elif row.kind == "undo":
        detail = dict(detail)
        values["undoes"] = detail.pop("sequence")
    elif row.kind == "certified":
        detail = dict(detail)
        values["source"] = run_numbers[detail.pop("source")]
    values["detail"] = _JSON.encode(detail) if detail else None
    return values


def _annotation(row: Row[Any], run_ids: dict[int, str]) -> Annotation:
    detail = json.loads(row.detail) if row.detail else {}
    if row.verdict is not None:
        detail["verdict"] = row.verdict
    if row.undoes is not None:
        detail["sequence"] = row.undoes
    if row.source is not None:
        detail["source"] = run_ids[row.source]
    return Annotation(
        image=row.id,
        question=row.question,
        run=row.run_id,
        item=row.item,
        actor=row.actor,
        sequence=row.sequence,
        kind=row.kind,
        label=row.label,
        score=row.score,
        detail=detail,
        time=row.time,
    )


def _select() -> Select[Any]:
    query: Select[Any] = select(images.c.id, runs.c.id.label("run_id"), notes)
    return query.join(images, images.c.number == notes.c.image).join(runs, runs.c.number == notes.c.run)


def _run_numbers(connection: Connection, ids: Iterable[str]) -> dict[str, int]:
    numbers: dict[str, int] = {}
    for part in chunks(ids):
        query = select(runs.c.id, runs.c.number).where(runs.c.id.in_(part))
        found = pairs(connection.execute(query))
        for id in part:
            if id not in found:
                raise UnknownName("run", id, connection.execute(select(runs.c.id)).scalars())
        numbers |= found
    return numbers
