"""The log of a review: every answer in the order in which it came, changed and undone ones included."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

Verdict = Literal["right", "wrong", "unsure"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
UNDONE = "undone"


@dataclass(frozen=True)
class Answer:
    """Hold one line of the log: the verdict is "right", "wrong", "unsure", or "undone" (taken back).

    `label` is the label that the reviewer gave instead. `stage` is the stage in which the answer was given; an undone
    line has that of the answer it takes back.
    """

    id: str
    verdict: str
    label: str | None
    stage: str


class Log:
    """Keep the lines, and what counts of them.

    `standing` holds for each id the answer that counts; `first_stage` the stage in which an id first came up.
    """

    def __init__(self) -> None:
        self.lines: list[Answer] = []
        self.standing: dict[str, Answer] = {}
        self.first_stage: dict[str, str] = {}
        self._undo: list[tuple[Answer, Answer | None]] = []  # an answer, and the one that it replaced

    @classmethod
    def of_lines(cls, lines: Iterable[Mapping[str, Any]]) -> Log:
        """Read the answers of a certificate."""
        log = cls()
        for values in lines:
            line = Answer(**values)
            if line.verdict == UNDONE:
                log.take_back()
            else:
                log.add(line)
        return log

    def add(self, line: Answer) -> None:
        """Append an answer; it replaces an earlier one of the same id."""
        self._undo.append((line, self.standing.get(line.id)))
        self.standing[line.id] = line
        self.first_stage.setdefault(line.id, line.stage)
        self.lines.append(line)

    def last(self) -> Answer | None:
        """Give the answer that `take_back` would take back."""
        return self._undo[-1][0] if self._undo else None

    def take_back(self) -> tuple[Answer, Answer | None] | None:
        """Append that the last answer is undone; return it and the answer that now counts instead, if any."""
        if not self._undo:
            return None
        undone, before = self._undo.pop()
        if before is None:
            self.standing.pop(undone.id)
        else:
            self.standing[undone.id] = before
        self.lines.append(Answer(undone.id, UNDONE, None, undone.stage))
        return undone, before
