"""Runs: who says something. The same work asked for again is the same run, and so goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import Row, delete, exists, insert, select, update
from sqlalchemy.exc import IntegrityError

from lucida.catalog.records import Run
from lucida.catalog.schema import images, notes, runs
from lucida.catalog.store import Store
from lucida.errors import CatalogError, UnknownName


class Runs:
    """The runs of a catalog."""

    def __init__(self, store: Store, folder: Path) -> None:
        self._store = store
        self._folder = folder

    def start(
        self,
        verb: str,
        *,
        question: str,
        model: str = "",
        revision: str = "",
        parameters: dict[str, Any] | None = None,
        parent: str | None = None,
    ) -> Run:
        """Start a run, or go on with the one that was started with the same arguments.

        Args:
            verb: What is done: "label", "teach", "review", …
            question: What is asked.
            model: Name of the model.
            revision: Resolved revision of the model.
            parameters: All that decides the outcome, as plain JSON values.
            parent: Run that this one builds on.

        Raises:
            TypeError: A parameter is no plain JSON value.
        """
        body = _canonical(parameters or {})
        fingerprint = _fingerprint(verb, question, model, revision, body, parent)
        while True:
            try:
                with self._store.write() as connection:
                    known = connection.execute(select(runs).where(runs.c.fingerprint == fingerprint)).first()
                    if known is not None:
                        return _run(known)
                    now = time.time()
                    values = {
                        "id": _new_id(verb, now),
                        "fingerprint": fingerprint,
                        "verb": verb,
                        "question": question,
                        "model": model,
                        "revision": revision,
                        "parameters": body,
                        "parent": parent,
                        "program": _program(),
                        "started": now,
                        "finished": None,
                    }
                    connection.execute(insert(runs), values)
                    return _run(connection.execute(select(runs).where(runs.c.fingerprint == fingerprint)).one())
            except CatalogError as error:
                # Two runs within one second drew the same four digits: draw again.
                if not isinstance(error.__cause__, IntegrityError):
                    raise

    def find(
        self,
        verb: str,
        *,
        question: str,
        model: str = "",
        revision: str = "",
        parameters: dict[str, Any] | None = None,
        parent: str | None = None,
    ) -> Run | None:
        """Return the run that `start` with the same arguments would go on with; None where it would be a new one."""
        fingerprint = _fingerprint(verb, question, model, revision, _canonical(parameters or {}), parent)
        with self._store.read() as connection:
            row = connection.execute(select(runs).where(runs.c.fingerprint == fingerprint)).first()
        return _run(row) if row is not None else None

    def finish(self, run_id: str) -> None:
        """Note that a run has done all that it was started for.

        Raises:
            UnknownName: There is no such run.
        """
        with self._store.write() as connection:
            done = connection.execute(update(runs).where(runs.c.id == run_id).values(finished=time.time()))
        if not done.rowcount:
            raise self._unknown(run_id)

    def get(self, run_id: str) -> Run:
        """Return a run by its id.

        Raises:
            UnknownName: There is no such run.
        """
        with self._store.read() as connection:
            row = connection.execute(select(runs).where(runs.c.id == run_id)).first()
        if row is None:
            raise self._unknown(run_id)
        return _run(row)

    def latest(self, question: str | None = None, verb: str | Sequence[str] | None = None) -> Run | None:
        """Return the run started last, or None.

        Args:
            question: Only runs of this question.
            verb: Only runs of this verb, or of these.
        """
        query = select(runs).order_by(runs.c.number.desc()).limit(1)
        if question is not None:
            query = query.where(runs.c.question == question)
        if verb is not None:
            query = query.where(runs.c.verb.in_([verb] if isinstance(verb, str) else list(verb)))
        with self._store.read() as connection:
            row = connection.execute(query).first()
        return _run(row) if row is not None else None

    def all(self, question: str | None = None) -> list[Run]:
        """Return all runs, or all of one question, in order of starting."""
        query = select(runs).order_by(runs.c.number)
        if question is not None:
            query = query.where(runs.c.question == question)
        with self._store.read() as connection:
            return [_run(row) for row in connection.execute(query)]

    def models(self, question: str, verb: str) -> frozenset[str]:
        """Return the names of the models that runs of a question and verb are of."""
        query = select(runs.c.model).distinct().where(runs.c.question == question, runs.c.verb == verb)
        with self._store.read() as connection:
            return frozenset(connection.execute(query).scalars())

    def cleaning(self) -> frozenset[str]:
        """Return the questions of what `lucida clean` sent to review: no question is meant where none is named."""
        return frozenset(run.question for run in self.all() if run.parameters.get("mode") == "clean")

    def erase(self, ids: Sequence[str]) -> None:
        """Remove runs with all that they said, for good: what was deleted is overwritten in the file.

        Records are otherwise only ever added; this is for what a person has a right to take back.

        Args:
            ids: The runs, with all that build on them; those that are not there change nothing.
        """
        if not ids:
            return
        with self._store.write() as connection:
            connection.exec_driver_sql("PRAGMA secure_delete = ON")
            of_runs = select(runs.c.number).where(runs.c.id.in_(ids)).scalar_subquery()
            connection.execute(delete(notes).where(notes.c.run.in_(of_runs) | notes.c.source.in_(of_runs)))
            connection.execute(delete(runs).where(runs.c.id.in_(ids)))
            connection.exec_driver_sql("PRAGMA secure_delete = OFF")
        for id in ids:
            shutil.rmtree(self._folder / id, ignore_errors=True)
        # The log beside the file still holds the pages as they were.
        with closing(sqlite3.connect(self._store.file, isolation_level=None)) as plain:
            plain.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def folder(self, run_id: str) -> Path:
        """Return the folder for files of a run, made on demand.

        Raises:
            UnknownName: There is no such run.
            CatalogError: The folder cannot be made.
        """
        path = self._folder / self.get(run_id).id
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CatalogError(
                f"The folder of run {run_id} cannot be made.",
                expected="a catalog that you may write",
                got=str(error),
                hint="check the permissions and the room on the disk",
            ) from error
        return path

    def missing(self, run_id: str, limit: int | None = None) -> list[str]:
        """Return the ids of the images that a run has no record of, in order of adding.

        Args:
            run_id: The run.
            limit: At most so many.

        Raises:
            UnknownName: There is no such run.
        """
        with self._store.read() as connection:
            number = connection.execute(select(runs.c.number).where(runs.c.id == run_id)).scalar()
            if number is None:
                raise self._unknown(run_id)
            said = exists().where(notes.c.run == number, notes.c.image == images.c.number)
            query = select(images.c.id).where(images.c.placed, ~said).order_by(images.c.number).limit(limit)
            return list(connection.execute(query).scalars())

    def _unknown(self, run_id: str) -> UnknownName:
        with self._store.read() as connection:
            known = connection.execute(select(runs.c.id).order_by(runs.c.number.desc())).scalars()
            return UnknownName("run", run_id, known, hint="the ids of runs are in what `label` and `review` print")


def _run(row: Row[Any]) -> Run:
    return Run(
        id=row.id,
        verb=row.verb,
        question=row.question,
        model=row.model,
        revision=row.revision,
        parameters=json.loads(row.parameters),
        parent=row.parent,
        program=row.program,
        started=row.started,
        finished=row.finished,
    )


def _canonical(parameters: dict[str, Any]) -> str:
    return json.dumps(parameters, sort_keys=True, ensure_ascii=False, allow_nan=False)


def _fingerprint(verb: str, question: str, model: str, revision: str, body: str, parent: str | None) -> str:
    words = json.dumps([verb, question, model, revision, json.loads(body), parent], sort_keys=True)
    return hashlib.sha256(words.encode()).hexdigest()


def _program() -> str:
    from lucida import __version__

    return f"camera-lucida {__version__}"


def _new_id(verb: str, now: float) -> str:
    return f"{verb}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime(now))}-{secrets.token_hex(2)}"
