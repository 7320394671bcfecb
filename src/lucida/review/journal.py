"""A person's answers in the catalog: appended one by one, taken back by a later record, never changed."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from lucida.errors import CatalogError

if TYPE_CHECKING:
    from lucida.catalog import Annotation, Catalog
    from lucida.review.cards import Verdict


# The name under which a file answers; its pace says nothing about a person's.
ANSWERS_FILE = "answers file"


@dataclass(frozen=True)
class Entry:
    """One answer that stands: not taken back.

    Attributes:
        sequence: Place in the journal.
        actor: Who gave it.
        image: Content id.
        verdict: right, wrong or unsure.
        label: The person's label; None when unsure, or wrong without a better one.
        reused: Whether it was carried over from an earlier review of the same question.
        phase: The phase that asked, "teach" or "check".
        time: Seconds since the epoch.
    """

    sequence: int
    actor: str
    image: str
    verdict: Verdict
    label: str | None
    reused: bool
    phase: str
    time: float


def history(rows: Iterable[Annotation]) -> list[tuple[Literal["answer", "undo"], Entry]]:
    """Return what was answered and what was taken back, in the order in which it happened."""
    found: dict[tuple[str, str, int], Entry] = {}
    lines: list[tuple[Literal["answer", "undo"], Entry]] = []
    for row in sorted(rows, key=lambda r: (r.time, r.sequence)):
        if row.kind == "answer":
            entry = Entry(
                row.sequence,
                row.actor,
                row.image,
                row.detail["verdict"],
                row.label,
                bool(row.detail.get("reused")),
                str(row.detail.get("phase", "")),
                row.time,
            )
            found[row.run, row.actor, row.sequence] = entry
            lines.append(("answer", entry))
        elif row.kind == "undo":
            back = found.pop((row.run, row.actor, int(row.detail["sequence"])), None)
            if back is not None:
                lines.append(("undo", back))
    return lines


def standing(rows: Iterable[Annotation]) -> list[Entry]:
    """Return the answers that nobody has taken back, in the order in which they were given."""
    left: dict[tuple[str, int, float], Entry] = {}
    for kind, entry in history(rows):
        key = (entry.actor, entry.sequence, entry.time)
        if kind == "answer":
            left[key] = entry
        else:
            left.pop(key, None)
    return list(left.values())


def spoken(catalog: Catalog, question: str, run: str | None = None) -> list[Annotation]:
    """Return what people said of a question, in one run or in all; proposals are many and are not read."""
    return [
        row for kind in ("answer", "undo") for row in catalog.annotations.rows(question=question, run=run, kind=kind)
    ]


class Journal:
    """The answers of one run, as one reviewer after another gave them.

    Every call that writes returns after the record is in the catalog.

    Args:
        catalog: Where to write.
        question: The question answered.
        run: The run under which answers are written; None until there is one: see `begin`.
        reviewer: Who answers.
        phase: The phase that asks.
    """

    def __init__(self, catalog: Catalog, question: str, run: str | None, reviewer: str, phase: str) -> None:
        self.catalog, self.question, self.run, self.reviewer, self.phase = (
            catalog,
            question,
            run,
            reviewer,
            phase,
        )
        self.entries: list[Entry] = []
        self.log: list[tuple[Literal["answer", "undo"], Entry]] = []
        self._next = 0
        if run is not None:
            self._read(run)

    def __len__(self) -> int:
        return len(self.entries)

    def begin(self, run: str) -> None:
        """Write under this run from now on."""
        self.run = run

    def _read(self, run: str) -> None:
        rows = spoken(self.catalog, self.question, run)
        self.log = history(rows)
        self.entries = standing(rows)
        self._next = max((r.sequence + 1 for r in rows if r.kind in ("answer", "undo")), default=0)

    def _append(
        self, actor: str, image: str, kind: Literal["answer", "undo"], label: str | None, detail: dict[str, object]
    ) -> int:
        from lucida.catalog import Annotation

        assert self.run is not None, "an answer before its run"
        sequence, self._next = self._next, self._next + 1
        written = self.catalog.annotations.append(
            [
                Annotation(
                    image=image,
                    question=self.question,
                    run=self.run,
                    actor=actor,
                    sequence=sequence,
                    kind=kind,
                    label=label,
                    detail={**detail, "phase": self.phase},
                )
            ]
        )
        if not written:
            raise CatalogError(
                "Another program has answered in this review at the same time.",
                expected="one program a review and reviewer",
                got=f"two answers as number {sequence + 1} of {self.reviewer!r}",
                hint="close the other page, or give each person a name with --reviewer",
            )
        return sequence

    def answer(self, image: str, verdict: Verdict, label: str | None, *, reused: bool = False) -> Entry:
        """Write an answer down and return it."""
        detail: dict[str, object] = {"verdict": verdict}
        if reused:
            detail["reused"] = True
        sequence = self._append(self.reviewer, image, "answer", label, detail)
        entry = Entry(sequence, self.reviewer, image, verdict, label, reused, self.phase, time.time())
        self.entries.append(entry)
        return entry

    def undo(self) -> Entry | None:
        """Take back the last answer that a person gave here, and all that was carried over after it."""
        while self.entries:
            entry = self.entries.pop()
            self._append(entry.actor, entry.image, "undo", None, {"sequence": entry.sequence})
            if not entry.reused:
                return entry
        return None


def seconds_per_answer(times: list[float], *, default: float = 3.0, pause: float = 60.0) -> float:
    """Return the median time between answers, in seconds, pauses left out.

    Args:
        times: When the answers were given, in seconds since the epoch.
        default: Returned when fewer than five answers tell nothing yet.
        pause: A longer gap is a break, not thinking.
    """
    gaps = sorted(b - a for a, b in itertools.pairwise(times) if 0.05 < b - a < pause)
    return gaps[len(gaps) // 2] if len(gaps) >= 5 else default
