"""A review session: one question at a time over a frozen population, until no more can be proven."""

from __future__ import annotations

import math
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from lucida.errors import InputError, UnknownName
from lucida.evidence.order import HashOrder, Ints
from lucida.evidence.selection import Reason, Selection
from lucida.review.certificate import Certificate, write_certificate
from lucida.review.log import UNDONE, VERDICTS, Answer, Log, Verdict
from lucida.review.population import freeze, in_range
from lucida.review.status import Point, Status, advise, too_small

__all__ = ["Group", "Session", "Status", "certify", "too_small"]


@dataclass
class Group:
    """Hold one population with a promise of its own: everything, or one predicted class."""

    name: str | None
    rows: Ints
    level: float
    selection: Selection


class Session:
    """Ask a person about labels until as many as possible are proven good enough.

    Args:
        ids: n different names, any text.
        predicted: n labels (taken as text).
        scores: n finite numbers, higher for labels that are more likely right.
        max_error: the rate of wrong labels that what is kept must not exceed, within (0, 1).
        confidence: the probability with which the claim holds, within (0, 1).
        per_class: keep the promise for each predicted class by itself (all of them at once).
        max_reviews: the most labels to ask for; None for no limit.
        worth: how many answers one more kept label is worth, >= 0; higher asks longer.
        reviewer_error: bound on the chance that the reviewer calls a wrong label right, within [0, 1).
        seed: leave None: it is drawn from the operating system after the freeze. An explicit one (int or str)
        makes
            a simulation, and the certificate says so.
        drawn: only to take up a stored session: whether its seed had been drawn, so that this is no
        simulation.
        unit: what is checked, in the plural: a key of `lucida.review.claim.MADE`.

    Raises:
        InputError: an argument is not what it must be.

    >>> session = Session(["a", "b"], ["cat", "dog"], [0.9, 0.8], max_error=0.1, seed=1)
    >>> session.answer(session.next(), "right")
    >>> session.status().reviews
    1
    """

    def __init__(
        self,
        ids: Sequence[str],
        predicted: Sequence[object],
        scores: ArrayLike,
        *,
        max_error: float,
        confidence: float = 0.95,
        per_class: bool = False,
        max_reviews: int | None = None,
        worth: float = 1.0,
        reviewer_error: float = 0.0,
        seed: int | str | None = None,
        drawn: bool | None = None,
        unit: str = "labels",
    ) -> None:
        self.unit = unit
        self.max_error = in_range("max_error", max_error, low=0, high=1, hint="2 % is written 0.02")
        self.confidence = in_range("confidence", confidence, low=0, high=1, hint="95 % is written 0.95")
        self.reviewer_error = in_range(
            "reviewer_error", reviewer_error, low=0, high=1, low_included=True, hint="0 means: misses nothing"
        )
        self.worth = in_range("worth", worth, low=0, high=math.inf, low_included=True, hint="1 is usual")
        self.max_reviews, self.per_class = _whole_number(max_reviews), bool(per_class)
        self.population = freeze(ids, predicted, scores)
        self.simulation = not (seed is None if drawn is None else drawn)
        self.seed = secrets.token_hex(16) if seed is None else _checked_seed(seed)
        self._row = {name: row for row, name in enumerate(self.population.ids)}
        self.groups = self._make_groups()
        self._group_of = np.zeros(len(self.population), dtype=np.int64)
        self._local = np.zeros(len(self.population), dtype=np.int64)
        for number, group in enumerate(self.groups):
            self._group_of[group.rows], self._local[group.rows] = number, np.arange(len(group.rows))
        self.log = Log()
        self._history: list[Point] = []
        self._turn = 0  # the class being asked about
        self._note()

    # ---- asking and answering -------------------------------------------------------------------------

    def next(self) -> str | None:
        """Give the id to ask for next, None when the session has ended."""
        upcoming = self.peek(1)
        return upcoming[0] if upcoming else None

    def peek(self, count: int) -> list[str]:
        """List the next `count` ids to be asked if nothing is proven meanwhile (fewer near an end)."""
        found: list[str] = []
        for group in self.groups:
            items = group.selection.peek(count - len(found))
            found += [self.population.ids[row] for row in group.rows[items].tolist()]
            if len(found) >= count:
                break
        return found

    def answer(self, id: str, verdict: Verdict, label: object = None) -> None:
        """Take a verdict on the label of `id`, whether it was asked for or not.

        "right" and "wrong" speak of the model's label; "unsure" counts as wrong. `label` is the right one,
        kept in the log; where it equals the model's, the verdict is "right". A second answer replaces the
        first.

        Raises:
            InputError: the id or the verdict is unknown, or "right" comes with another label.
        """
        row = self._find(id)
        if verdict not in VERDICTS:
            raise UnknownName("verdict", str(verdict), VERDICTS)
        given = None if label is None else str(label)
        same = given == self.population.predicted[row]
        if verdict == "right" and given is not None and not same:
            raise InputError(
                "A label cannot be right and another one at once.",
                expected=f"no label, or {self.population.predicted[row]!r}",
                got=f"verdict 'right' with label {given!r}",
                hint='answer "wrong" with the right label',
            )
        if verdict == "wrong" and same:
            verdict = "right"
        group = self.groups[self._group_of[row]]
        line = Answer(id, verdict, given if verdict == "wrong" else None, group.selection.stage)
        self.log.add(line)
        self._apply(row, line)

    def undo(self) -> str | None:
        """Take the last answer back and return its id (None without one); what stood before it counts again."""
        taken = self.log.take_back()
        if taken is None:
            return None
        undone, before = taken
        self._apply(self._row[undone.id], before)
        return undone.id

    def replay(self, log: Iterable[Answer | Mapping[str, Any]]) -> None:
        """Feed stored answers, oldest first, as `log.lines` or a certificate's `answers` hold them.

        Raises:
            InputError: a line does not fit this population.
        """
        for line in log:
            known = line if isinstance(line, Answer) else Answer(**{"label": None, "stage": "", **line})
            if known.verdict == UNDONE:
                self.undo()
            else:
                self.answer(known.id, known.verdict, known.label)  # type: ignore[arg-type]

    # ---- what is known --------------------------------------------------------------------------------

    def status(self) -> Status:
        """Say where the session stands."""
        proven = [p for group in self.groups if (p := group.selection.proven())]
        kept, allowed = sum(p.size for p in proven), sum(p.allowed for p in proven)
        accepted = kept - sum(p.reviewed for p in proven)
        left = allowed - sum(p.found for p in proven)
        active = next((g for g in self.groups if not g.selection.reason), None)
        done = self.next() is None
        wish = self._wish(active)
        aim = (kept + wish[0], wish[1]) if wish else None
        advice = advise(
            [(g.name, len(g.rows)) for g in self.groups],
            max_error=self.max_error,
            level=self.groups[0].level if self.groups else 1 - self.confidence,
            missed=aim if done else None,
            nothing=done and not kept,
            unit=self.unit,
        )
        return Status(
            phase="done" if done or active is None else active.selection.stage,  # type: ignore[arg-type]
            total=len(self.population),
            reviews=len(self.log.standing),
            errors_found=sum(line.verdict != "right" for line in self.log.standing.values()),
            kept=kept,
            accepted=accepted,
            bound=allowed / kept if kept else 0.0,
            rate_left=left / accepted if accepted else 0.0,
            aim=aim[0] if aim else None,
            aim_reviews=aim[1] if aim else None,
            done=done,
            reason=self._reason() if done else "",
            advice=advice,
            history=(*self._history, Point(len(self.log.standing), kept, allowed / kept if kept else 0.0)),
        )

    def certificate(
        self,
        *,
        question: str | None = None,
        context: Mapping[str, Any] | None = None,
        attempts: Sequence[Mapping[str, Any]] = (),
    ) -> Certificate:
        """Write down what is proven by now, so that anyone can recheck it.

        Args:
            question: what the labels answer, in the user's words.
            context: facts that describe the labels (model, revision, parameters), as JSON values.
            attempts: every attempt on this same population, this one included, as JSON objects.
        """
        return write_certificate(self, question=question, context=context or {}, attempts=attempts)

    def reviewed_rows(self) -> list[int]:
        """List the rows that have an answer that counts."""
        return [self._row[name] for name in self.log.standing]

    # ---- inside ---------------------------------------------------------------------------------------

    def _make_groups(self) -> list[Group]:
        level, total = 1 - self.confidence, len(self.population)
        parts = self.population.split(self.per_class, self.unit)
        groups = []
        for name, rows in parts:
            ids = self.population.ids if name is None else [self.population.ids[i] for i in rows.tolist()]
            selection = Selection(
                self.population.scores[rows],
                HashOrder(self.seed, ids),
                max_error=self.max_error,
                level=level / len(parts),
                worth=self.worth,
                max_reviews=self._budget(len(rows), total),
                missed=self.reviewer_error,
            )
            groups.append(Group(name, rows, level / len(parts), selection))
        return groups

    def _budget(self, size: int, total: int) -> int | None:
        if self.max_reviews is None:
            return None
        return self.max_reviews if size == total else self.max_reviews * size // total

    def _apply(self, row: int, line: Answer | None) -> None:
        group, item = self.groups[self._group_of[row]], int(self._local[row])
        if line is None:
            group.selection.retract(item)
        else:
            group.selection.answer(item, line.verdict != "right")
        self._share_budget()
        self._note()

    def _share_budget(self) -> None:
        """Give each class, when its turn comes, its part of what is left; what remains at the end goes on as needed."""
        if self.max_reviews is None or len(self.groups) == 1:
            return
        room = self.max_reviews - len(self.log.standing)
        turn = next((i for i, g in enumerate(self.groups) if not g.selection.reason), None)
        if turn is None:
            for group in [g for g in self.groups if g.selection.reason == "max-reviews"]:
                group.selection.allow(group.selection.reviews + room)
                if not group.selection.reason:
                    return
        elif turn != self._turn:
            self._turn, selection = turn, self.groups[turn].selection
            to_come = sum(len(g.rows) for g in self.groups[turn:])
            selection.allow(selection.reviews + room * len(self.groups[turn].rows) // to_come)

    def _note(self) -> None:
        proven = [p for group in self.groups if (p := group.selection.proven())]
        kept, allowed = sum(p.size for p in proven), sum(p.allowed for p in proven)
        if not self._history or self._history[-1].kept != kept:
            self._history.append(Point(len(self.log.standing), kept, allowed / kept if kept else 0.0))

    def _reason(self) -> Reason:
        reasons = [group.selection.reason for group in self.groups]
        ordered: tuple[Reason, ...] = ("max-reviews", "no-gain", "exhausted", "target")
        return next((reason for reason in ordered if reason in reasons), "exhausted")

    def _wish(self, active: Group | None) -> tuple[int, int] | None:
        """Give how many more labels are aimed at (or were out of reach), and the answers thought to be needed."""
        for group in [active] if active else self.groups:
            selection = group.selection
            plan, proven = selection.plan or selection.out_of_reach, selection.proven()
            if plan:
                return plan.aim - (proven.size if proven else 0), math.ceil(plan.cost)
        return None

    def _find(self, id: str) -> int:
        row = self._row.get(id) if isinstance(id, str) else None
        if row is None:
            raise InputError(
                f"There is no {id!r} among the labels under review.",
                expected="an id of the frozen population",
                got=repr(id),
                hint="images added after the freeze are not covered; begin a new review for them",
            )
        return row


def certify(
    predicted: Sequence[object],
    scores: ArrayLike,
    verdict: Any,
    *,
    max_error: float,
    confidence: float = 0.95,
    max_reviews: int | None = None,
    worth: float = 1.0,
    seed: int | str | None = None,
) -> Certificate:
    """Certify as many labels as possible by asking `verdict(index) -> is it right?` one at a time.

    Args:
        predicted: n labels.
        scores: n finite numbers, higher for labels that are more likely right.
        verdict: a function from an index (int) to whether that label is right (bool).
        max_error: the rate of wrong labels that what is kept must not exceed, within (0, 1).
        confidence: the probability with which the claim holds, within (0, 1).
        max_reviews: the most labels to ask for; None for no limit.
        worth: how many answers one more kept label is worth.
        seed: leave None; an explicit one makes a simulation.

    Raises:
        InputError: an argument is not what it must be.

    >>> truth = [True] * 1000
    >>> certificate = certify(["cat"] * 1000, range(1000), truth.__getitem__, max_error=0.05, seed=1)
    >>> len(certificate.kept) > 800, certificate.bound <= 0.05
    (True, True)
    """
    labels = list(predicted)
    session = Session(
        [str(i) for i in range(len(labels))],
        labels,
        list(scores) if isinstance(scores, range) else scores,
        max_error=max_error,
        confidence=confidence,
        max_reviews=max_reviews,
        worth=worth,
        seed=seed,
    )
    while (name := session.next()) is not None:
        session.answer(name, "right" if verdict(int(name)) else "wrong")
    return session.certificate()


def _whole_number(value: int | None) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 0:
        raise InputError(
            "max_reviews is not a number of answers.",
            expected="a whole number from 0 on, or None for no limit",
            got=repr(value),
            hint="leave it out to go on as long as it pays",
        )
    return int(value)


def _checked_seed(seed: int | str) -> int | str:
    if isinstance(seed, bool) or not isinstance(seed, int | str | np.integer) or "\0" in str(seed):
        raise InputError(
            "The seed is not usable.",
            expected="None, a whole number, or text without NUL",
            got=repr(seed),
            hint="leave the seed out: it is then drawn after the freeze, as a real review needs",
        )
    return seed if isinstance(seed, str) else int(seed)
