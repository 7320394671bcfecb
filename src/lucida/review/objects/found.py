"""The first stage: is each box right? The evidence of `Session` over single boxes, each answer in the catalog first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from lucida.results import run_lengths
from lucida.review.journal import spoken
from lucida.review.objects.cards import Correction
from lucida.review.objects.journal import FOUND, Drawn, Entry, ObjectJournal, history, standing
from lucida.review.objects.units import Box, Unit, checked_box, checked_label, checked_mask, statement

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
        all: Go on asking where nothing more can be proven, until every object is answered.
    """

    def __init__(
        self,
        catalog: Catalog,
        run: Run,
        session: Session,
        units: dict[str, Unit],
        journal: ObjectJournal,
        *,
        all: bool = False,
    ) -> None:
        self._all = all
        self.catalog, self.run, self.session, self.units, self.journal = catalog, run, session, units, journal
        for kind, entry in journal.log:
            if entry.phase == FOUND:
                if kind == "answer":
                    session.answer(_id(entry), entry.verdict, label=self._said(entry))
                else:
                    session.undo()
        self._known = self._answers_elsewhere()
        self.masks: dict[str, dict[str, Any]] = {}
        for entry in journal.of_phase(FOUND):
            self._note(entry)

    def next(self) -> str | None:
        """Return the object to ask for; None when the stage has ended."""
        upcoming = self.peek(1)
        return upcoming[0] if upcoming else None

    def peek(self, count: int) -> list[str]:
        """List the objects that come next if nothing is proven meanwhile."""
        found = self.session.peek(count)
        status = self.session.status() if self._all and not found else None
        if status is None or status.reason not in ("no-gain", "exhausted"):
            return found
        # What is asked beyond the order proves nothing less: evidence reads the answered beginning of the order only.
        answered = self.session.log.standing
        return list(islice((id for id in self.session.population.ids if id not in answered), count))

    def answer(
        self, id: str, verdict: Verdict, label: str | None, drawn: Sequence[float] | None, mask: object = None
    ) -> None:
        """Write one answer down, then count it; a correction that corrects nothing is "right"."""
        unit = self.units[id]
        fixed = correction(self.catalog, unit, Correction(label, drawn, mask)) if verdict == "wrong" else None
        if fixed is not None and (fixed.label, fixed.box, fixed.mask) == (unit.label, unit.box, unit.mask):
            verdict, fixed = "right", None
        label = fixed.label if fixed is not None else unit.label if verdict == "right" else None
        moved = fixed is not None and (fixed.box, fixed.mask) != (unit.box, unit.mask)
        place = (fixed.box, fixed.mask) if fixed is not None and moved else (None, None)
        self._take(unit, verdict, label, *place, reused=False)
        self.carry_over()

    def _take(
        self,
        unit: Unit,
        verdict: Verdict,
        label: str | None,
        box: Box | None,
        mask: dict[str, Any] | None,
        *,
        reused: bool,
    ) -> None:
        entry = self.journal.answer(unit.image, unit.item, verdict, label=label, box=box, mask=mask, reused=reused)
        self._note(entry)
        self.session.answer(unit.id, verdict, label=self._said(entry))

    def _note(self, entry: Entry) -> None:
        if entry.mask is not None:
            self.masks[statement(entry.label or "", entry.box or (), entry.mask)] = entry.mask

    def _said(self, entry: Entry) -> str | None:
        """Return the corrected statement of a wrong object; None where it is none, or was not wrong."""
        if entry.verdict != "wrong" or entry.label is None:
            return None
        unit = self.units[_id(entry)]
        return statement(entry.label, entry.box or unit.box, entry.mask if entry.box else unit.mask)

    def undo(self) -> str | None:
        """Take back the last answer of a person; returns the id of what it was about."""
        taken = self.journal.undo(FOUND)
        for _ in taken:
            self.session.undo()
        return _id(taken[-1]) if taken else None

    @property
    def confirmed(self) -> int:
        """How many objects a person has confirmed or corrected."""
        lines = self.session.log.standing.values()
        return sum(line.verdict == "right" or line.label is not None for line in lines)

    def carry_over(self) -> None:
        """Answer what was answered in another review of the same run, so that nobody is asked twice."""
        while self._known:
            id = self.next()
            if id is None or id not in self._known:
                return
            entry = self._known.pop(id)
            self._take(self.units[id], entry.verdict, entry.label, entry.box, entry.mask, reused=True)

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
        known: dict[str, Entry] = {}
        for entry in standing(lines):
            known |= {_id(one): one for one in ([entry] if entry.phase == FOUND else _noticed(entry))}
        return {id: entry for id, entry in known.items() if id in self.units and id not in mine}


def correction(catalog: Catalog, unit: Unit, said: Correction) -> Drawn | None:
    """Return what there is instead of an object, as a person said; None where there is none.

    Args:
        catalog: Knows the size of the image.
        unit: The object.
        said: What the person says.

    Raises:
        InputError: Class, box or mask is none.
    """
    if said == Correction():
        return None
    name = unit.label if said.label is None else checked_label(said.label)
    if said.box is None and said.mask is None:
        return Drawn(name, unit.box, unit.mask)
    record = catalog.images.get(unit.image)
    one = placed(name, said.box, said.mask, record.width, record.height)
    # Of a mask that stayed as it was, the box is the model's, which need not lie as close.
    return replace(one, box=unit.box) if one.mask is not None and one.mask == unit.mask else one


def placed(label: str, box: Sequence[float] | None, mask: object, width: int, height: int) -> Drawn:
    """Return an object that a person has drawn in an image of this size; the box of a mask is the one around it.

    Raises:
        InputError: Box or mask is none.
    """
    if mask is None:
        return Drawn(label, checked_box(box or (), width, height))
    pixels = checked_mask(mask, width, height)
    return Drawn(label, run_lengths.extent(pixels)[1], pixels)


def _noticed(entry: Entry) -> list[Entry]:
    """Return what turned out wrong while an image was looked at as answers on these objects."""
    found = []
    for one in entry.wrong:
        label, box, mask = (one.instead.label, one.instead.box, one.instead.mask) if one.instead else (None, None, None)
        found.append(
            replace(entry, item=one.item, phase=FOUND, verdict="wrong", label=label, box=box, mask=mask, wrong=())
        )
    return found


def _id(entry: Entry) -> str:
    return f"{entry.image}#{entry.item}"
