"""One review of the objects of a run: is each right, then what was missed? Resumable at every moment."""

from __future__ import annotations

import getpass
import secrets
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lucida.catalog import Annotation
from lucida.errors import InputError
from lucida.review.certificate import Certificate
from lucida.review.check import CERTIFICATE, POPULATION
from lucida.review.journal import spoken
from lucida.review.kinds import kind_of, unit_of
from lucida.review.objects.cards import ObjectCard, ObjectStatus, Phase, Shape
from lucida.review.objects.certificate import (
    ObjectsCertificate,
    images_of,
    standing_objects,
    write_certificate,
)
from lucida.review.objects.found import Finding
from lucida.review.objects.journal import MISSED, Drawn, Entry, ObjectJournal
from lucida.review.objects.missed import Looks
from lucida.review.objects.overlap import OVERLAP, overlaps
from lucida.review.objects.terms import ObjectTerms
from lucida.review.objects.units import (
    Unit,
    checked_box,
    checked_label,
    gather,
    population_of,
    read_statement,
    statement,
)
from lucida.review.picture import browser_image
from lucida.review.population import Population, freeze
from lucida.review.workflow import find_source

if TYPE_CHECKING:
    from pathlib import Path

    from lucida.catalog import Catalog, Run
    from lucida.review.cards import Verdict

IMAGES = "images.parquet"
SETTLED = "found.json"  # there once the first stage has ended; nothing of it changes from then on
HINTS = 20  # objects of the model that are offered as what may be missing in an image
MOST = 1000  # objects that a person may add to one image


class ObjectReview:
    """One review of the objects that one run has drawn.

    An answer is in the catalog before `answer` or `look` returns; a review that was killed goes on where it stood.

    Attributes:
        question: The question under review.
        unit: "boxes" or "masks".
        reviewer: The name under which answers are written down.
    """

    def __init__(
        self,
        catalog: Catalog,
        source: Run,
        terms: ObjectTerms,
        *,
        seed: int | None = None,
        reviewer: str | None = None,
    ) -> None:
        terms.check()
        self.catalog, self.source, self.terms = catalog, source, terms
        self.question, self.unit = source.question, unit_of(catalog, source)
        self.reviewer = reviewer or getpass.getuser()
        if kind_of(self.unit) != "objects":
            raise InputError(
                f"The question {self.question!r} is about {self.unit} of whole images.",
                expected="a question about boxes or masks",
                got=f"the run {source.id}",
                hint="use lucida.review.Review",
            )
        units, images = gather(catalog, source)
        self.run = self._begun(seed) or self._begin(units, images, seed)
        self.folder = catalog.runs.folder(self.run.id)
        self.population = Population.load(self.folder / POPULATION)
        self.ids = Population.load(self.folder / IMAGES).ids
        frozen = frozenset(self.population.ids)
        self.units = {unit.id: unit for unit in units if unit.id in frozen}
        self._inside: dict[str, list[Unit]] = {}
        for unit in self.units.values():
            self._inside.setdefault(unit.image, []).append(unit)
        self.later = len(images) - len(self.ids)
        parameters = self.run.parameters
        self.seed, self.simulation = parameters["seed"], bool(parameters["simulation"])
        self.journal = ObjectJournal(catalog, self.question, self.run.id, self.reviewer)
        session = terms.found(self.population, seed=self.seed, drawn=not self.simulation, unit=self.unit)
        self._finding = Finding(catalog, self.run, session, self.units, self.journal)
        self._looks: Looks | None = None
        self._settled: Certificate | None = None
        self._standing: dict[str, list[tuple[str, str]]] = {}
        self._final: ObjectsCertificate | None = None
        self._curve: list[tuple[int, int]] = []
        self._take_up()

    @classmethod
    def open(
        cls,
        catalog: Catalog,
        *,
        question: str | None = None,
        terms: ObjectTerms | None = None,
        seed: int | None = None,
        reviewer: str | None = None,
    ) -> ObjectReview:
        """Open the review of a question: the one under way with these terms, or a new one.

        Args:
            catalog: Where images, proposals and answers are.
            question: The question; None for the one labelled last.
            terms: What is to be proven.
            seed: An explicit seed makes a simulation, and the certificate says so.
            reviewer: The name to write answers under; None for the user's.

        Raises:
            InputError: If nothing has been labelled yet, the run found no object, or it is about whole images.
            UnknownName: If nobody knows the question.
        """
        return cls(catalog, find_source(catalog, question), terms or ObjectTerms(), seed=seed, reviewer=reviewer)

    # ---- beginning, and taking up again ---------------------------------------------------------------------------

    def _begun(self, seed: int | None) -> Run | None:
        wanted = asdict(self.terms)
        for run in sorted(self.catalog.runs.all(question=self.question), key=lambda r: r.started, reverse=True):
            same = run.verb == "review" and run.parent == self.source.id
            same = same and all(run.parameters.get(k) == v for k, v in wanted.items())
            same = same and run.parameters.get("asked_seed") == seed
            if same and (self.catalog.runs.folder(run.id) / POPULATION).exists():
                return run
        return None

    def _begin(self, units: Sequence[Unit], ids: Sequence[str], seed: int | None) -> Run:
        population, images = population_of(units), freeze(list(ids), [""] * len(ids), [0.0] * len(ids))
        parameters: dict[str, Any] = asdict(self.terms) | {
            # The seed is drawn after the objects and their scores are fixed: nothing could be fitted to it.
            "seed": secrets.token_hex(16) if seed is None else seed,
            "asked_seed": seed,
            "simulation": seed is not None,
            "digest": population.digest(),
            "images": images.digest(),
            "unit": self.unit,
        }
        run = self.catalog.runs.start(
            "review",
            question=self.question,
            model=self.source.model,
            revision=self.source.revision,
            parameters=parameters,
            parent=self.source.id,
        )
        # The population comes last: once it is there, the review has begun.
        for frozen, name in ((images, IMAGES), (population, POPULATION)):
            partial = self.catalog.runs.folder(run.id) / (name + ".partial")
            frozen.save(partial)
            partial.replace(partial.with_name(name))
        return run

    def _take_up(self) -> None:
        if (self.folder / SETTLED).exists():
            self._begin_looking(Certificate.load(self.folder / SETTLED))
            for kind, entry in self.journal.log:
                if entry.phase == MISSED:
                    self._count(kind, entry)
        else:
            self._finding.carry_over()
        if self.run.finished is not None and self.path.exists():
            self._final = ObjectsCertificate.load(self.path)
        else:
            self._move_on()

    def _count(self, kind: str, entry: Entry) -> None:
        assert self._looks is not None
        if kind == "undo":
            self._looks.undo()
        else:
            said = [statement(one.label, one.box) for one in entry.added]
            self._looks.answer(entry.image, None if entry.verdict == "unsure" else said)
        self._curve.append((len(self._looks.standing), self._looks.images_bound))

    def _move_on(self) -> None:
        """Settle the first stage, or end the review, where there is nothing more to ask."""
        if self._looks is None and self._finding.session.next() is None:
            self._settle()
        # Where no object stands, all of them are missing: there is nothing to be measured.
        if self._looks is not None and (self._looks.reason or not self._standing):
            self._finish()

    def _settle(self) -> None:
        """End the first stage: from here on its objects stand as they are."""
        found = self._finding.session.certificate()
        found.save(self.folder / SETTLED)
        self._begin_looking(found)

    def _begin_looking(self, found: Certificate) -> None:
        self._settled, self._standing = found, standing_objects(found)
        self._looks = self.terms.missed(self.ids, seed=self.seed)
        self._curve = [(0, len(self.ids))]

    # ---- asking ---------------------------------------------------------------------------------------------------

    @property
    def phase(self) -> Phase:
        """Return the phase: check (are the objects right?), missed (what was missed?) or done."""
        return "done" if self._final is not None else "check" if self._looks is None else "missed"

    @property
    def classes(self) -> list[str]:
        """The classes of the model's objects and of the corrections so far."""
        said = {one.label for entry in self.journal.entries for one in entry.added}
        said |= {entry.label for entry in self.journal.entries if entry.label}
        return sorted({unit.label for unit in self.units.values()} | said)

    def next(self) -> ObjectCard | None:
        """Return what is asked now, the same until it is answered; None when nothing is left to ask."""
        if self._final is not None:
            return None
        asked = self._finding.session.next() if self._looks is None else self._looks.next()
        return None if asked is None else self.card_of(asked)

    def upcoming(self, k: int) -> list[ObjectCard]:
        """Return up to k cards that come next if nothing changes, so that a page can fetch their images early."""
        if self._final is not None:
            return []
        if self._looks is not None:
            return [self.card_of(image) for image in self._looks.peek(k + 1)[1:]]
        now = self._finding.session.next()
        return [self.card_of(id) for id in self._finding.session.peek(k + 1) if id != now][:k]

    def card_of(self, id: str) -> ObjectCard:
        """Return the card of an object, or of an image in the second stage."""
        unit = self.units[id] if self._looks is None else None
        image = id if unit is None else unit.image
        inside = self._inside.get(image, [])
        hints: tuple[Shape, ...] = ()
        if unit is not None:
            others = tuple(_shape(other) for other in inside if other is not unit)
        else:
            stand = self._standing.get(image, [])
            others = tuple(self._standing_shape(name, said) for name, said in stand)
            names = {name for name, _ in stand}
            open_ = [one for one in inside if one.id not in names and not self._refused(one.id)]
            hints = tuple(_shape(one) for one in _likely(open_, [shape.box for shape in others]))
        record = self.catalog.images.get(image)
        size, path = (record.width, record.height), self.catalog.images.name(image)
        return ObjectCard(id, image, path, *size, self.phase, unit, others, hints)

    def inside(self, image: str) -> list[Unit]:
        """Return the objects under review in one image."""
        return self._inside.get(image, [])

    def _standing_shape(self, name: str, said: str) -> Shape:
        values, unit = read_statement(said), self.units[name]
        return Shape(values["label"], tuple(values["box"]), unit.mask if "mask" in values else None)

    def _refused(self, name: str) -> bool:
        answer = self._finding.session.log.standing.get(name)
        return answer is not None and answer.verdict == "wrong"

    # ---- answering ------------------------------------------------------------------------------------------------

    def answer(self, id: str, verdict: Verdict, label: str | None = None, box: Sequence[float] | None = None) -> None:
        """Take one answer on an object; it is in the catalog before this returns.

        Args:
            id: Of the object, as its card says.
            verdict: "right", "wrong" or "unsure".
            label: What it is instead, where it is wrong; None with `box` for the class it has.
            box: Where it is instead; both None where there is no such object at all.

        Raises:
            InputError: If nothing is asked about objects now, or the answer is none.
        """
        if self._final is not None or self._looks is not None or id not in self.units:
            raise self._not_asked(id)
        if verdict not in ("right", "wrong", "unsure"):
            raise InputError(
                f"Unknown verdict {verdict!r}.",
                expected="right, wrong or unsure",
                got=repr(verdict),
                hint="answer with one of the three",
            )
        self._finding.answer(id, verdict, label, box)
        self._move_on()

    def look(self, image: str, missed: Sequence[tuple[str, Sequence[float]]] | None) -> None:
        """Take what was missed in an image; it is in the catalog before this returns.

        Args:
            image: Content id.
            missed: Class and box of each object that was missed; empty for none, None where it cannot be decided.

        Raises:
            InputError: If nothing is asked about images now, or a box is none.
        """
        if self._final is not None or self._looks is None or image != self._looks.next():
            raise self._not_asked(image)
        record = self.catalog.images.get(image)
        if missed is not None and len(missed) > MOST:
            raise InputError("Too many objects.", expected=f"at most {MOST:,} in an image", got=f"{len(missed):,}")
        added = [
            Drawn(checked_label(label), checked_box(box, record.width, record.height)) for label, box in missed or ()
        ]
        verdict: Verdict = "unsure" if missed is None else "wrong" if added else "right"
        self._count("answer", self.journal.look(image, verdict, added, self._free_number(image)))
        self._move_on()

    def _free_number(self, image: str) -> int:
        """Return the number after all that the run, and people in any review, have given to objects of an image."""
        rows = self.catalog.annotations.rows(image=image, question=self.question)
        return 1 + max((row.item for row in rows if row.run == self.source.id or row.kind == "answer"), default=0)

    def _not_asked(self, id: str) -> InputError:
        return InputError(
            "This review is over." if self._final is not None else "That is not asked now.",
            expected="an answer on what the review asks",
            got=f"an answer on {id[:12]}",
            hint="open a new review with other terms" if self._final is not None else "answer what next() gives",
        )

    def undo(self) -> ObjectCard | None:
        """Take back the last answer of this stage and return its card; None when there is none."""
        if self._final is not None:
            return None
        if self._looks is None:
            id = self._finding.undo()
            return None if id is None else self.card_of(id)
        taken = self.journal.undo(MISSED)
        for entry in taken:
            self._count("undo", entry)
        return self.card_of(taken[-1].image) if taken else None

    def freeze(self) -> None:
        """Do nothing: objects are not taught."""

    def stop(self) -> ObjectsCertificate | None:
        """End this stage; whatever is proven by then is kept. After the first stage, what was missed is asked."""
        if self._final is not None:
            return self._final
        if self._looks is None:
            self._settle()
            self._move_on()
        else:
            self._finish()
        return self._final

    # ---- the end --------------------------------------------------------------------------------------------------

    @property
    def path(self) -> Path:
        """Where the certificate lies, once the review is over."""
        return self.folder / CERTIFICATE

    @property
    def certificate(self) -> ObjectsCertificate | None:
        """The certificate, once the review is over."""
        return self._final

    @property
    def certificate_path(self) -> str | None:
        """Where the certificate lies, once the review is over."""
        return str(self.path) if self._final is not None else None

    def _finish(self) -> None:
        """Keep what is proven: write the certificate, and mark the kept objects in the catalog."""
        assert self._settled is not None
        assert self._looks is not None
        looks = self._looks if self._looks.standing else None
        certificate = write_certificate(
            self._settled,
            looks,
            images_of(self._settled, self.ids),
            confidence=self.terms.confidence,
            question=self.question,
            context=self._context(),
            attempts=self._attempts(),
            ended=self._looks.reason,
        )
        certificate.save(self.path)
        kept = [self.units[self.population.ids[row]] for row in map(int, certificate.found.kept)]
        self.catalog.annotations.append(
            Annotation(
                image=unit.image,
                question=self.question,
                run=self.run.id,
                item=unit.item,
                kind="certified",
                label=unit.label,
                score=unit.score,
                detail={"source": self.source.id},
            )
            for unit in kept
        )
        self.catalog.runs.finish(self.run.id)
        self._final = certificate

    def _context(self) -> dict[str, Any]:
        run = self.run
        return {
            "run": run.id,
            "labelled_by": self.source.id,
            "model": self.source.model,
            "revision": self.source.revision,
            "reviewers": sorted({entry.actor for entry in self.journal.entries}),
            "answers_carried_over": sum(entry.reused for entry in self.journal.entries),
            "images_added_later": self.later,
            "program": run.program,
            "frozen": _when(run.started),
            "written": _when(time.time()),
        }

    def _attempts(self) -> list[dict[str, Any]]:
        """Return the ledger: every attempt on these frozen objects, this one included."""
        ledger = []
        for run in sorted(self.catalog.runs.all(question=self.question), key=lambda r: r.started):
            if run.verb == "review" and run.parameters.get("digest") == self.run.parameters["digest"]:
                kept = [row for row in spoken(self.catalog, self.question, run.id) if row.kind == "answer"]
                names = ("max_error", "confidence", "max_missed", "simulation")
                terms = {name: run.parameters.get(name) for name in names}
                ledger.append({"run": run.id, "started": _when(run.started), **terms, "answers": len(kept)})
        return ledger

    def status(self) -> ObjectStatus:
        """Return where the review stands."""
        now, looks = self._finding.session.status(), self._looks
        advice = now.advice if looks is None else _advice(looks)
        if self.later > 0:
            advice = f"{self.later:,} images were labelled since the review began: they are not covered. {advice}"
        status = ObjectStatus(
            phase=self.phase,
            question=self.question,
            unit=self.unit,
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
            images=len(self.ids),
            looked=len(looks.standing) if looks is not None else 0,
            with_missed=looks.with_missed if looks is not None else 0,
            marked=looks.marked if looks is not None else 0,
            images_bound=looks.images_bound if looks is not None else len(self.ids),
            mean_bound=looks.mean_bound if looks is not None else float(self.terms.cap),
            max_missed=self.terms.max_missed,
            cap=self.terms.cap,
            missed_curve=tuple(self._curve),
            advice=advice.strip(),
            reason=now.reason if looks is None else looks.reason,
        )
        return replace(status, done=True) if self._final is not None else status

    def image(self, image: str) -> tuple[bytes, str]:
        """Return the bytes of an image and their media type, as a browser can show them."""
        return browser_image(self.catalog, image)


def _likely(units: Sequence[Unit], stand: Sequence[Sequence[float]]) -> list[Unit]:
    """Return the surest of some objects that lie apart from what stands and from each other: few enough to be seen."""
    chosen: list[Unit] = []
    for unit in sorted(units, key=lambda unit: -unit.score):
        taken = [*stand, *(one.box for one in chosen)]
        if len(chosen) < HINTS and (not taken or overlaps([unit.box], taken).max() < OVERLAP):
            chosen.append(unit)
    return chosen


def _shape(unit: Unit) -> Shape:
    return Shape(unit.label, unit.box, unit.mask)


def _advice(looks: Looks) -> str:
    looked = len(looks.standing)
    if looked < 10 or looks.with_missed <= looks.max_missed * looked:
        return ""
    return (
        f"Something was missed in {looks.with_missed:,} of {looked:,} images, more than the"
        f" {100 * looks.max_missed:g} % asked for: what is proven by now holds whenever you stop."
    )


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
