"""The check phase: the evidence of `Session`, each answer in the catalog first."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lucida.review.cards import Card, ReviewStatus, Said, Verdict
from lucida.review.expiry import expiry
from lucida.review.journal import Entry, Journal, spoken, standing
from lucida.review.kinds import unit_of
from lucida.review.population import Population

if TYPE_CHECKING:
    from pathlib import Path

    from lucida.catalog import Catalog, Run
    from lucida.review.certificate import Certificate
    from lucida.review.terms import Terms

CERTIFICATE = "certificate.json"
POPULATION = "population.parquet"


class Checking:
    """The check phase of one review run.

    Args:
        catalog: The catalog; answers are written to it before a call returns.
        run: The review run: it holds the seed, the digest and the terms.
        reviewer: Who answers.
    """

    def __init__(self, catalog: Catalog, run: Run, terms: Terms, reviewer: str) -> None:
        self.catalog, self.run, self.terms = catalog, run, terms
        self.folder = catalog.runs.folder(run.id)
        self.population = Population.load(self.folder / POPULATION)
        self.predicted = dict(zip(self.population.ids, self.population.predicted, strict=True))
        self.scores = dict(zip(self.population.ids, self.population.scores, strict=True))
        parameters = run.parameters
        self.unit = unit_of(catalog, run)
        self.session = terms.session(
            self.population, seed=parameters["seed"], drawn=not parameters["simulation"], unit=self.unit
        )
        self.journal = Journal(catalog, run.question, run.id, reviewer, "check")
        for kind, entry in self.journal.log:
            if kind == "answer":
                self.session.answer(entry.image, entry.verdict, label=entry.label)
            else:
                self.session.undo()
        self._sealed = run.finished or 0.0
        self._known = self._answers_elsewhere()
        self._carry_over()

    # ---- asking ---------------------------------------------------------------------------------------------------

    @property
    def classes(self) -> list[str]:
        """The classes of the predictions and of the corrections so far; texts have none."""
        if self.unit != "labels":
            return []
        corrected = {e.label for e in self.journal.entries if e.label}
        return sorted({*self.population.predicted, *corrected})

    def card(self) -> Card | None:
        """Return the image asked now; None when there is no more to win."""
        image = self.session.next()
        return None if image is None else self.card_of(image)

    def upcoming(self, k: int) -> list[Card]:
        """Return the images that come next if nothing is crossed."""
        now = self.session.next()
        return [self.card_of(i) for i in self.session.peek(k + 1) if i != now][:k]

    def card_of(self, image: str) -> Card:
        """Return the card of one image of the population."""
        rows = self.catalog.annotations.rows(image=image, run=self.run.parent, kind="proposal")
        detail = rows[0].detail if rows else {}
        return Card(
            image=image,
            path=self.catalog.images.name(image),
            proposal=self.predicted[image],
            score=float(self.scores[image]),
            runner_ups=tuple((str(n), float(p)) for n, p in detail.get("runner_up", ())),
            phase="check",
            **Said.of(str(rows[0].label) if rows else "", detail).beside(self.predicted[image]),
        )

    # ---- answering ------------------------------------------------------------------------------------------------

    def answer(self, image: str, verdict: Verdict, label: str | None) -> None:
        """Write one answer down, then count it."""
        self._answer(image, verdict, label, reused=False)
        self._carry_over()

    def _answer(self, image: str, verdict: Verdict, label: str | None, *, reused: bool) -> None:
        if verdict == "right":
            label = self.predicted[image]
        elif verdict == "unsure":
            label = None
        self.journal.answer(image, verdict, label, reused=reused)
        self.session.answer(image, verdict, label=label)

    def undo(self) -> Card | None:
        """Take back the last answer of a person; returns its card. What a certificate was written on stays."""
        if not any(not e.reused and e.time > self._sealed for e in self.journal.entries):
            return None
        before = len(self.journal)
        entry = self.journal.undo()
        for _ in range(before - len(self.journal)):
            self.session.undo()
        return None if entry is None else self.card_of(entry.image)

    def _answers_elsewhere(self) -> dict[str, Entry]:
        """Return what people said of these images in other reviews of the question: nobody is asked twice."""
        rows = spoken(self.catalog, self.run.question)
        mine = {e.image for e in self.journal.entries}
        others = standing(r for r in rows if r.run != self.run.id)
        if self.unit != "labels":
            # Another text is not a wrong one: only where the very same was called right, that counts.
            others = [e for e in others if e.label is not None and e.label == self.predicted.get(e.image)]
        return {e.image: e for e in others if e.image in self.predicted and e.image not in mine}

    def _carry_over(self) -> None:
        while self._known:
            image = self.session.next()
            if image is None or image not in self._known:
                return
            entry = self._known.pop(image)
            right = entry.label == self.predicted[image]
            verdict: Verdict = "unsure" if entry.label is None else "right" if right else "wrong"
            self._answer(image, verdict, entry.label, reused=True)

    # ---- the end --------------------------------------------------------------------------------------------------

    def status(self) -> ReviewStatus:
        """Return where the check stands."""
        now = self.session.status()
        expired = expiry(self.path)
        return ReviewStatus(
            phase="check",
            question=self.run.question,
            answers=len(self.journal),
            taught=int(self.run.parameters.get("taught", 0)),
            reviews=now.reviews,
            errors_found=now.errors_found,
            total=len(self.population),
            kept=now.kept,
            accepted=now.accepted,
            bound=now.bound,
            rate_left=now.rate_left,
            max_error=self.terms.max_error,
            confidence=self.terms.confidence,
            curve=tuple((p.reviews, p.kept, p.bound) for p in now.history),
            advice=f"The certificate has {expired}." if expired else now.advice,
            reason=now.reason,
            done=now.done,
        )

    def finish(self) -> Certificate:
        """Keep what is proven: write the certificate, and mark the kept labels in the catalog."""
        from lucida.catalog import Annotation

        certificate = self.certificate()
        certificate.save(self.path)
        source = str(self.run.parent)
        self.catalog.annotations.append(
            Annotation(
                image=self.population.ids[i],
                question=self.run.question,
                run=self.run.id,
                kind="certified",
                label=self.population.predicted[i],
                score=float(self.population.scores[i]),
                detail={"source": source},
            )
            for i in map(int, certificate.kept)
        )
        self.catalog.runs.finish(self.run.id)
        return certificate

    @property
    def path(self) -> Path:
        """Where the certificate lies."""
        return self.folder / CERTIFICATE

    def certificate(self) -> Certificate:
        """Return what is proven by now."""
        run, source = self.run, self.catalog.runs.get(str(self.run.parent))
        context: dict[str, Any] = {
            "run": run.id,
            "labelled_by": source.id,
            "model": source.model,
            "revision": source.revision,
            "taught": int(run.parameters.get("taught", 0)),
            "reviewers": sorted({e.actor for e in self.journal.entries}),
            "answers_carried_over": sum(e.reused for e in self.journal.entries),
            "program": run.program,
            "frozen": _when(run.started),
            "written": _when(time.time()),
        }
        return self.session.certificate(question=run.question, context=context, attempts=self._attempts())

    def _attempts(self) -> list[dict[str, Any]]:
        """Return the ledger: every attempt on this frozen population, this one included."""
        from lucida.review.certificate import Certificate

        ledger = []
        for run in sorted(self.catalog.runs.all(question=self.run.question), key=lambda r: r.started):
            if run.verb != "review" or run.parameters.get("digest") != self.run.parameters["digest"]:
                continue
            row: dict[str, Any] = {
                "run": run.id,
                "started": _when(run.started),
                "max_error": run.parameters["max_error"],
                "confidence": run.parameters["confidence"],
                "simulation": run.parameters["simulation"],
            }
            path = self.catalog.runs.folder(run.id) / CERTIFICATE
            if run.id == self.run.id:
                row |= {"reviews": self.session.status().reviews, "kept": self.session.status().kept}
            elif path.exists():
                other = Certificate.load(path)
                row |= {"reviews": len(other.reviewed), "kept": len(other.kept)}
            else:
                rows = spoken(self.catalog, run.question, run.id)
                row |= {"reviews": len(standing(rows)), "kept": None}
            ledger.append(row)
        return ledger


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
