"""A person's answers on objects in the catalog: appended one by one, taken back by a later record, never changed.

What is said of an object is an answer with its number. What is said of a whole image is an answer with number 0; the
objects that were added there go on with the numbers after those of the run, and stand in the same append, so that a
kill leaves all of them or none.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from lucida.catalog import Annotation
from lucida.errors import CatalogError
from lucida.review.journal import spoken

if TYPE_CHECKING:
    from lucida.catalog import Catalog
    from lucida.review.cards import Verdict
    from lucida.review.objects.units import Box

FOUND, MISSED = "found", "missed"


@dataclass(frozen=True)
class Drawn:
    """An object as a person has drawn it."""

    label: str
    box: Box


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
        added: What was missed in the image.
        items: Numbers of the added.
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


Line = tuple[Literal["answer", "undo"], Entry]


def history(rows: Iterable[Annotation]) -> list[Line]:
    """Return what was answered and what was taken back, in the order in which it happened."""
    ordered = sorted(rows, key=lambda row: (row.time, row.sequence, row.item))
    added: dict[tuple[str, str, str, int], list[Annotation]] = {}
    for row in ordered:
        if row.kind == "answer" and row.item and row.detail.get("phase") == MISSED:
            added.setdefault((row.run, row.image, row.actor, row.sequence), []).append(row)
    given: dict[tuple[str, str, int], Entry] = {}
    lines: list[Line] = []
    for row in ordered:
        key = (row.run, row.actor, row.sequence)
        if row.kind == "undo":
            back = given.pop((row.run, row.actor, int(row.detail["sequence"])), None)
            if back is not None:
                lines.append(("undo", back))
        elif row.kind == "answer" and (row.item == 0) == (row.detail.get("phase") == MISSED):
            given[key] = _entry(row, added.get((row.run, row.image, row.actor, row.sequence), ()))
            lines.append(("answer", given[key]))
    return lines


def _entry(row: Annotation, added: Sequence[Annotation]) -> Entry:
    detail = row.detail
    return Entry(
        sequence=row.sequence,
        actor=row.actor,
        image=row.image,
        item=row.item,
        phase=str(detail.get("phase", "")),
        verdict=detail["verdict"],
        label=row.label,
        box=tuple(detail["box"]) if "box" in detail else None,
        added=tuple(Drawn(one.label or "", tuple(one.detail["box"])) for one in added),
        items=tuple(one.item for one in added),
        reused=bool(detail.get("reused")),
        time=row.time,
    )


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
        reused: bool = False,
    ) -> Entry:
        """Write down what is said of one object."""
        detail: dict[str, Any] = {"verdict": verdict, "phase": FOUND}
        if box is not None:
            detail["box"] = list(box)
        if reused:
            detail["reused"] = True
        return self._write(image, item, label, detail, (), (), reused)

    def look(self, image: str, verdict: Verdict, added: Sequence[Drawn], first: int) -> Entry:
        """Write down what was missed in one image.

        Args:
            image: Content id.
            verdict: right where nothing was missed, wrong where something was, unsure.
            added: What was missed.
            first: Number of the first of them.
        """
        items = tuple(range(first, first + len(added)))
        return self._write(image, 0, None, {"verdict": verdict, "phase": MISSED}, tuple(added), items, reused=False)

    def _write(
        self,
        image: str,
        item: int,
        label: str | None,
        detail: dict[str, Any],
        added: tuple[Drawn, ...],
        items: tuple[int, ...],
        reused: bool,
    ) -> Entry:
        now, sequence = time.time(), self._next
        more = [
            (number, one.label, {"verdict": "right", "phase": MISSED, "box": list(one.box)})
            for number, one in zip(items, added, strict=True)
        ]
        self._append(self.reviewer, image, "answer", [(item, label, detail), *more], now)
        entry = Entry(
            sequence,
            self.reviewer,
            image,
            item,
            detail["phase"],
            detail["verdict"],
            label,
            tuple(detail["box"]) if "box" in detail else None,
            added,
            items,
            reused,
            now,
        )
        self.entries.append(entry)
        return entry

    def undo(self, phase: str) -> list[Entry]:
        """Take back the last answer that a person gave in a phase, and all that was carried over after it."""
        taken: list[Entry] = []
        while self.entries and self.entries[-1].phase == phase:
            entry = self.entries.pop()
            rows = [(item, None, {"sequence": entry.sequence, "phase": phase}) for item in (entry.item, *entry.items)]
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
        rows: Sequence[tuple[int, str | None, dict[str, Any]]],
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
