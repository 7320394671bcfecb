"""The first stage: is each box right? The evidence of `Session` over single boxes, each answer in the catalog first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lucida.review.journal import spoken
from lucida.review.objects.journal import FOUND, Entry, ObjectJournal, history, standing
from lucida.review.objects.units import Box, Unit, checked_box, checked_label, statement

if TYPE_CHECKING:
    from lucida.catalog import Catalog, Run
    from lucida.review.cards import Verdict
    from lucida.review.session import Session


class Finding:
    """The first stage of one review run.

    Args:
        catalog: The catalog; answers are written to it before a call returns.
        run: The review run.
        session: The evidence, with nothing answered yet.
        units: All objects under review, by their id.
        journal: The answers of the run.
    """

    def __init__(
        self, catalog: Catalog, run: Run, session: Session, units: dict[str, Unit], journal: ObjectJournal
    ) -> None:
        self.catalog, self.run, self.session, self.units, self.journal = catalog, run, session, units, journal
        for kind, entry in journal.log:
            if entry.phase == FOUND:
                if kind == "answer":
                    session.answer(_id(entry), entry.verdict, label=self._said(entry))
                else:
                    session.undo()
        self._known = self._answers_elsewhere()

    def answer(self, id: str, verdict: Verdict, label: str | None, drawn: Sequence[float] | None) -> None:
        """Write one answer down, then count it; a correction that corrects nothing is "right"."""
        unit, box = self.units[id], None
        if verdict == "wrong" and (label is not None or drawn is not None):
            label = unit.label if label is None else checked_label(label)
            if drawn is not None:
                record = self.catalog.images.get(unit.image)
                box = checked_box(drawn, record.width, record.height)
                box = None if box == unit.box else box
            if label == unit.label and box is None:
                verdict = "right"
        if verdict != "wrong":
            label, box = (unit.label if verdict == "right" else None), None
        self._take(unit, verdict, label, box, reused=False)
        self.carry_over()

    def _take(self, unit: Unit, verdict: Verdict, label: str | None, box: Box | None, *, reused: bool) -> None:
        entry = self.journal.answer(unit.image, unit.item, verdict, label=label, box=box, reused=reused)
        self.session.answer(unit.id, verdict, label=self._said(entry))

    def _said(self, entry: Entry) -> str | None:
        """Return the corrected statement of a wrong object; None where it is none, or was not wrong."""
        if entry.verdict != "wrong" or entry.label is None:
            return None
        unit = self.units[_id(entry)]
        return statement(entry.label, entry.box or unit.box, None if entry.box else unit.mask)

    def undo(self) -> str | None:
        """Take back the last answer of a person; returns the id of what it was about."""
        taken = self.journal.undo(FOUND)
        for _ in taken:
            self.session.undo()
        return _id(taken[-1]) if taken else None

    def carry_over(self) -> None:
        """Answer what was answered in another review of the same run, so that nobody is asked twice."""
        while self._known:
            id = self.session.next()
            if id is None or id not in self._known:
                return
            entry = self._known.pop(id)
            self._take(self.units[id], entry.verdict, entry.label, entry.box, reused=True)

    def _answers_elsewhere(self) -> dict[str, Entry]:
        others = {
            run.id
            for run in self.catalog.runs.all(question=self.run.question)
            if run.verb == "review" and run.parent == self.run.parent and run.id != self.run.id
        }
        if not others:
            return {}
        mine = {_id(entry) for entry in self.journal.entries}
        lines = history(row for row in spoken(self.catalog, self.run.question) if row.run in others)
        known = {_id(entry): entry for entry in standing(lines) if entry.phase == FOUND}
        return {id: entry for id, entry in known.items() if id in self.units and id not in mine}


def _id(entry: Entry) -> str:
    return f"{entry.image}#{entry.item}"
