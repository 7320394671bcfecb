"""One review of the objects of a run: is each right, then what was missed? Resumable at every moment."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from lucida.errors import InputError
from lucida.review.certificate import Certificate
from lucida.review.check import CERTIFICATE, POPULATION
from lucida.review.expiry import expiry
from lucida.review.kinds import kind_of, unit_of
from lucida.review.objects.beginning import IMAGES, begin, under_way
from lucida.review.objects.cards import Correction, ObjectCard, ObjectStatus, Phase
from lucida.review.objects.certificate import ObjectsCertificate
from lucida.review.objects.deck import Deck
from lucida.review.objects.ending import finish
from lucida.review.objects.found import Finding
from lucida.review.objects.journal import ObjectJournal
from lucida.review.objects.looking import Looking
from lucida.review.objects.missed import advise
from lucida.review.objects.terms import ObjectTerms
from lucida.review.objects.units import Unit, gather
from lucida.review.picture import browser_image
from lucida.review.population import Population
from lucida.review.source import find_source

if TYPE_CHECKING:
    from pathlib import Path

    from lucida.catalog import Catalog, Run
    from lucida.review.cards import Verdict

SETTLED = "found.json"  # there once the first stage has ended; nothing of it changes from then on


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
        begun = under_way(catalog, source, terms, seed)
        self.run = begun or begin(catalog, source, terms, units, images, unit=self.unit, seed=seed)
        self.folder = catalog.runs.folder(self.run.id)
        self.population = Population.load(self.folder / POPULATION)
        self.ids = Population.load(self.folder / IMAGES).ids
        frozen = frozenset(self.population.ids)
        self.units = {unit.id: unit for unit in units if unit.id in frozen}
        self.later = len(images) - len(self.ids)
        parameters = self.run.parameters
        self.seed, self.simulation = parameters["seed"], bool(parameters["simulation"])
        self.journal = ObjectJournal(catalog, self.question, self.run.id, self.reviewer)
        session = terms.found(self.population, seed=self.seed, drawn=not self.simulation, unit=self.unit)
        few = terms.needed(len(self.population)) > 0
        self._finding = Finding(catalog, self.run, session, self.units, self.journal, all=few)
        self._deck = Deck(catalog, self._finding)
        self._looking: Looking | None = None
        self._final: ObjectsCertificate | None = None
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

    def _take_up(self) -> None:
        if (self.folder / SETTLED).exists():
            self._begin_looking(Certificate.load(self.folder / SETTLED)).take_up(self.journal.log)
        else:
            self._finding.carry_over()
        if self.run.finished is not None and self.path.exists():
            self._final = ObjectsCertificate.load(self.path)
        else:
            self._move_on()

    def _move_on(self) -> None:
        """Settle the first stage, or end the review, where there is nothing more to ask."""
        if self._looking is None and self._finding.next() is None:
            self._settle()
        if self._looking is not None and self._looking.over:
            self._finish(self._looking)

    def _settle(self) -> None:
        """End the first stage: from here on its objects stand as they are."""
        found = self._finding.session.certificate()
        found.save(self.folder / SETTLED)
        self._begin_looking(found)

    def _begin_looking(self, found: Certificate) -> Looking:
        looks = self.terms.missed(self.ids, seed=self.seed)
        self._looking = Looking(self.catalog, self.run, found, looks, self.journal, self._deck)
        return self._looking

    # ---- asking ---------------------------------------------------------------------------------------------------

    @property
    def phase(self) -> Phase:
        """Return the phase: check (are the objects right?), missed (what was missed?) or done."""
        return "done" if self._final is not None else "check" if self._looking is None else "missed"

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
        asked = self._finding.next() if self._looking is None else self._looking.looks.next()
        return None if asked is None else self.card_of(asked)

    def upcoming(self, k: int) -> list[ObjectCard]:
        """Return up to k cards that come next if nothing changes, so that a page can fetch their images early."""
        if self._final is not None:
            return []
        if self._looking is not None:
            return [self.card_of(image) for image in self._looking.looks.peek(k + 1)[1:]]
        now = self._finding.next()
        return [self.card_of(id) for id in self._finding.peek(k + 1) if id != now][:k]

    def card_of(self, id: str) -> ObjectCard:
        """Return the card of an object, or of an image in the second stage."""
        if self._looking is None:
            return self._deck.of_object(id, self.phase)
        return self._deck.of_image(id, self.phase, self._looking.standing)

    def inside(self, image: str) -> list[Unit]:
        """Return the objects under review in one image."""
        return self._deck.inside(image)

    # ---- answering ------------------------------------------------------------------------------------------------

    def answer(
        self,
        id: str,
        verdict: Verdict,
        label: str | None = None,
        box: Sequence[float] | None = None,
        mask: object = None,
    ) -> None:
        """Take one answer on an object; it is in the catalog before this returns.

        Args:
            id: Of the object, as its card says.
            verdict: "right", "wrong" or "unsure".
            label: What it is instead, where it is wrong; None with `box` or `mask` for the class it has.
            box: Where it is instead; label, box and mask None where there is no such object at all.
            mask: Its pixels instead, as `lucida.results.run_lengths.encode` writes them; the box is the one around it.

        Raises:
            InputError: If nothing is asked about objects now, or the answer is none.
        """
        if self._final is not None or self._looking is not None or id not in self.units:
            raise self._not_asked(id)
        if verdict not in ("right", "wrong", "unsure"):
            raise InputError(
                f"Unknown verdict {verdict!r}.",
                expected="right, wrong or unsure",
                got=repr(verdict),
                hint="answer with one of the three",
            )
        self._finding.answer(id, verdict, label, box, mask)
        self._move_on()

    def look(
        self,
        image: str,
        missed: Sequence[tuple[str, Sequence[float]] | Correction] | None,
        wrong: Sequence[tuple[int, Correction | None]] = (),
    ) -> None:
        """Take what was missed in an image, and what turned out wrong; in the catalog before this returns.

        Args:
            image: Content id.
            missed: Class and place of each object that was missed; empty for none, None where it cannot be decided.
            wrong: Number of each standing object that is wrong, and what there is instead; None for nothing.

        Raises:
            InputError: If nothing is asked about images now, or a box, a mask or a number is none.
        """
        if self._final is not None or self._looking is None or image != self._looking.looks.next():
            raise self._not_asked(image)
        given = [one if isinstance(one, Correction) else Correction(one[0], one[1]) for one in missed or ()]
        self._looking.answer(image, None if missed is None else given, wrong)
        self._move_on()

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
        id = self._finding.undo() if self._looking is None else self._looking.undo()
        return None if id is None else self.card_of(id)

    def freeze(self) -> None:
        """Do nothing: objects are not taught."""

    def stop(self) -> ObjectsCertificate | None:
        """End this stage; whatever is proven by then is kept. After the first stage, what was missed is asked."""
        if self._final is not None:
            return self._final
        if self._looking is None:
            self._settle()
            self._move_on()
        else:
            self._finish(self._looking)
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

    def _finish(self, looking: Looking) -> None:
        self._final = finish(
            self.catalog,
            self.run,
            looking.found,
            looking.looks,
            images=self.ids,
            units=self.units,
            journal=self.journal,
            later=self.later,
        )

    def status(self) -> ObjectStatus:
        """Return where the review stands."""
        now, looking = self._finding.session.status(), self._looking
        looks = looking.looks if looking is not None else None
        left = looking.left if looking is not None else None
        needed = self.terms.needed(len(self.population))
        status = ObjectStatus(
            phase=self.phase,
            question=self.question,
            unit=self.unit,
            reviews=now.reviews,
            errors_found=now.errors_found,
            total=len(self.population),
            kept=now.kept if left is None else len(left.kept),
            accepted=now.accepted if left is None else len(left.accepted),
            bound=now.bound,
            rate_left=now.rate_left if left is None else left.rate_left,
            max_error=self.terms.max_error,
            confidence=self.terms.confidence,
            curve=tuple((p.reviews, p.kept, p.bound) for p in now.history),
            images=len(self.ids),
            looked=len(looks.standing) if looks is not None else 0,
            with_missed=looks.with_missed if looks is not None else 0,
            marked=looks.marked if looks is not None else 0,
            images_bound=looks.images_bound if looks is not None else len(self.ids),
            mean_bound=looks.mean_bound if looks is not None else float(self.terms.cap),
            wrong_seen=left.wrong if left is not None else 0,
            withdrawn=left is not None and left.withdrawn,
            max_missed=self.terms.max_missed,
            cap=self.terms.cap,
            stand=now.accepted + self._finding.confirmed if looking is None else looking.stand,
            needed=needed,
            missed_curve=tuple(looking.curve) if looking is not None else (),
            advice=self._advice(needed, now.advice),
            reason=now.reason if looks is None else looks.reason,
        )
        return replace(status, done=True) if self._final is not None else status

    def _advice(self, needed: int, first: str) -> str:
        parts = []
        if (expired := expiry(self.path)) is not None:
            parts.append(f"The certificate has {expired}.")
        if self.later > 0:
            parts.append(f"{self.later:,} images were labelled since the review began: they are not covered.")
        if self._looking is None:
            parts.append(self.terms.too_few(len(self.population), self.unit) if needed else first)
        else:
            if self._looking.left.withdrawn:
                parts.append(
                    f"With the {self.unit} that you called wrong here, nothing is proven any more of those that were "
                    "kept: take that back, or use a better model."
                )
            parts.append(advise(self._looking.looks))
        return " ".join(part for part in parts if part)

    def image(self, image: str) -> tuple[bytes, str]:
        """Return the bytes of an image and their media type, as a browser can show them."""
        return browser_image(self.catalog, image)
