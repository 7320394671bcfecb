"""A person's answers on objects in the catalog: appended one by one, taken back by a later record, never changed.

What is said of an object is an answer with its number. What is said of a whole image is an answer with number 0; the
objects that were added there go on with the numbers after those of the run, and those that turned out wrong have the
numbers they have; all stand in the same append, so that a kill leaves all of them or none.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from lucida.catalog import Annotation
from lucida.errors import CatalogError
from lucida.review.journal import spoken

if TYPE_CHECKING:
    from lucida.catalog import Catalog
    from lucida.review.cards import Verdict
    from lucida.review.objects.units import Box

FOUND, MISSED, NOTICED = "found", "missed", "noticed"


@dataclass(frozen=True)
class Drawn:
    """An object as a person has drawn it."""

    label: str
    box: Box
    mask: dict[str, Any] | None = None

    @property
    def detail(self) -> dict[str, Any]:
        """The place, as a record of the catalog holds it."""
        return {"box": list(self.box)} | ({} if self.mask is None else {"mask": self.mask})


@dataclass(frozen=True)
class Noticed:
    """An object that stands and turned out wrong while its whole image was looked at.

    Attributes:
        item: Number of the object.
        instead: What there is instead; None where there is no such object.
    """

    item: int
    instead: Drawn | None = None


@dataclass(frozen=True)
class Entry:
    """One answer that stands.

    Attributes:
        sequence: Place in the journal.
        actor: Who gave it.
        image: Content id.
        item: Number of the object; 0 for the whole image.
        phase: "found" for an object, "missed" for a whole image.
        verdict: right, wrong or unsure; of an image: right where nothing was missed.
        label: What the object is, where it is wrong as it stood; None where there is none.
        box: Where it is, where it was drawn anew.
        mask: Its pixels, where they were.
        added: What was missed in the image.
        items: Numbers of the added.
        wrong: What turned out wrong in the image.
        reused: Whether it was carried over from another review of the same run.
        time: Seconds since the epoch.
    """

    sequence: int
    actor: str
    image: str
    item: int
    phase: str
    verdict: Verdict
    label: str | None
    box: Box | None
    added: tuple[Drawn, ...]
    items: tuple[int, ...]
    reused: bool
    time: float
    mask: dict[str, Any] | None = None
    wrong: tuple[Noticed, ...] = ()

    @property
    def numbers(self) -> tuple[int, ...]:
        """The numbers of all records of this answer."""
        return (self.item, *self.items, *(one.item for one in self.wrong))


Line = tuple[Literal["answer", "undo"], Entry]
Row = tuple[int, str | None, dict[str, Any]]  # number of the object, label, detail


def history(rows: Iterable[Annotation]) -> list[Line]:
    """Return what was answered and what was taken back, in the order in which it happened."""
    ordered = sorted(rows, key=lambda row: (row.time, row.sequence, row.item))
    beside: dict[tuple[str, str, str, int], list[Annotation]] = {}
    for row in ordered:
        if row.kind == "answer" and row.item and row.detail.get("phase") in (MISSED, NOTICED):
            beside.setdefault((row.run, row.image, row.actor, row.sequence), []).append(row)
    given: dict[tuple[str, str, int], Entry] = {}
    lines: list[Line] = []
    for row in ordered:
        key = (row.run, row.actor, row.sequence)
        if row.kind == "undo":
            back = given.pop((row.run, row.actor, int(row.detail["sequence"])), None)
            if back is not None:
                lines.append(("undo", back))
        elif row.kind == "answer" and row.detail.get("phase") == (FOUND if row.item else MISSED):
            given[key] = _entry(row, beside.get((row.run, row.image, row.actor, row.sequence), ()))
            lines.append(("answer", given[key]))
    return lines


def _entry(row: Annotation, beside: Sequence[Annotation]) -> Entry:
    detail = row.detail
    added = [one for one in beside if one.detail["phase"] == MISSED]
    return Entry(
        sequence=row.sequence,
        actor=row.actor,
        image=row.image,
        item=row.item,
        phase=str(detail.get("phase", "")),
        verdict=detail["verdict"],
        label=row.label,
        box=tuple(detail["box"]) if "box" in detail else None,
        added=tuple(_drawn(one) for one in added),
        items=tuple(one.item for one in added),
        reused=bool(detail.get("reused")),
        time=row.time,
        mask=detail.get("mask"),
        wrong=tuple(
            Noticed(one.item, None if one.label is None else _drawn(one))
            for one in beside
            if one.detail["phase"] == NOTICED
        ),
    )


def _drawn(row: Annotation) -> Drawn:
    left, top, right, bottom = row.detail["box"]
    return Drawn(row.label or "", (left, top, right, bottom), row.detail.get("mask"))


def standing(lines: Iterable[Line]) -> list[Entry]:
    """Return the answers that nobody has taken back, in the order in which they were given."""
    left: dict[tuple[str, int, float], Entry] = {}
    for kind, entry in lines:
        key = (entry.actor, entry.sequence, entry.time)
        if kind == "answer":
            left[key] = entry
        else:
            left.pop(key, None)
    return list(left.values())


class ObjectJournal:
    """The answers of one review run.

    Every call that writes returns after the record is in the catalog.

    Args:
        catalog: Where to write.
        question: The question answered.
        run: The review run.
        reviewer: Who answers.
    """

    def __init__(self, catalog: Catalog, question: str, run: str, reviewer: str) -> None:
        self.catalog, self.question, self.run, self.reviewer = catalog, question, run, reviewer
        rows = spoken(catalog, question, run)
        self.log = history(rows)
        self.entries = standing(self.log)
        self._next = max((row.sequence + 1 for row in rows), default=0)

    def of_phase(self, phase: str) -> list[Entry]:
        """Return the answers that stand of one phase."""
        return [entry for entry in self.entries if entry.phase == phase]

    def answer(
        self,
        image: str,
        item: int,
        verdict: Verdict,
        *,
        label: str | None = None,
        box: Box | None = None,
        mask: dict[str, Any] | None = None,
        reused: bool = False,
    ) -> Entry:
        """Write down what is said of one object."""
        detail: dict[str, Any] = {"verdict": verdict, "phase": FOUND}
        if box is not None:
            detail["box"] = list(box)
        if mask is not None:
            detail["mask"] = mask
        if reused:
            detail["reused"] = True
        entry = Entry(self._next, self.reviewer, image, item, FOUND, verdict, label, box, (), (), reused, 0.0, mask)
        return self._write(entry, [(item, label, detail)])

    def look(
        self, image: str, verdict: Verdict, added: Sequence[Drawn], first: int, wrong: Sequence[Noticed] = ()
    ) -> Entry:
        """Write down what was missed in one image.

        Args:
            image: Content id.
            verdict: right where nothing was missed, wrong where something was, unsure.
            added: What was missed.
            first: Number of the first of them.
            wrong: What turned out wrong.
        """
        items = tuple(range(first, first + len(added)))
        rows: list[Row] = [(0, None, {"verdict": verdict, "phase": MISSED})]
        rows += [
            (number, one.label, {"verdict": "right", "phase": MISSED, **one.detail})
            for number, one in zip(items, added, strict=True)
        ]
        for one in wrong:
            said = {"verdict": "wrong", "phase": NOTICED} | ({} if one.instead is None else one.instead.detail)
            rows.append((one.item, None if one.instead is None else one.instead.label, said))
        about = (self._next, self.reviewer, image, 0, MISSED, verdict, None, None)
        return self._write(Entry(*about, tuple(added), items, False, 0.0, wrong=tuple(wrong)), rows)

    def _write(self, entry: Entry, rows: Sequence[Row]) -> Entry:
        entry = replace(entry, time=time.time())
        self._append(entry.actor, entry.image, "answer", rows, entry.time)
        self.entries.append(entry)
        return entry

    def undo(self, phase: str) -> list[Entry]:
        """Take back the last answer that a person gave in a phase, and all that was carried over after it."""
        taken: list[Entry] = []
        while self.entries and self.entries[-1].phase == phase:
            entry = self.entries.pop()
            rows: list[Row] = [(item, None, {"sequence": entry.sequence, "phase": phase}) for item in entry.numbers]
            self._append(entry.actor, entry.image, "undo", rows, time.time())
            taken.append(entry)
            if not entry.reused:
                break
        return taken

    def _append(
        self,
        actor: str,
        image: str,
        kind: Literal["answer", "undo"],
        rows: Sequence[Row],
        now: float,
    ) -> None:
        sequence, self._next = self._next, self._next + 1
        written = self.catalog.annotations.append(
            Annotation(
                image, self.question, self.run, item, actor, sequence, kind, label=label, detail=detail, time=now
            )
            for item, label, detail in rows
        )
        if written != len(rows):
            raise CatalogError(
                "Another program has answered in this review at the same time.",
                expected="one program a review and reviewer",
                got=f"two answers as number {sequence + 1} of {actor!r}",
                hint="close the other page, or give each person a name with --reviewer",
            )
