"""One review of one question, in three phases: teach, freeze, check. Resumable at every moment."""

from __future__ import annotations

import getpass
import secrets
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from lucida.errors import InputError
from lucida.review.cards import Card, Phase, ReviewStatus, Verdict
from lucida.review.check import POPULATION, Checking
from lucida.review.kinds import asked_of, kind_of, unit_of
from lucida.review.material import taught_images
from lucida.review.picture import browser_image
from lucida.review.population import Population
from lucida.review.source import find_source, population_of
from lucida.review.teach import Teaching
from lucida.review.terms import Terms, images_needed, refuse_too_small
from lucida.whole import whole

if TYPE_CHECKING:
    from lucida.catalog import Catalog, Run
    from lucida.review.certificate import Certificate

__all__ = ["Review", "Terms", "find_source"]


class Review:
    """One review of one question.

    An answer is in the catalog before `answer` returns; a review that was killed goes on where it stood.

    Attributes:
        question: The question under review.
        reviewer: The name under which answers are written down.
        unit: What is reviewed, in the plural: "labels", or texts such as "captions"; these are not taught.
        asked: The question in words that the texts answer; "" where there is none.
    """

    def __init__(
        self,
        catalog: Catalog,
        source: Run,
        terms: Terms,
        *,
        seed: int | None = None,
        reviewer: str | None = None,
        teach: bool = True,
        background: bool = False,
        refuse_small: bool = False,
    ) -> None:
        self.catalog, self.source, self.terms, self.seed = catalog, source, terms, seed
        self.question = source.question
        self.reviewer = reviewer or getpass.getuser()
        self.unit, self.asked = unit_of(catalog, source), asked_of(catalog, source)
        self._refuse_unfit()
        self._refuse_small = refuse_small
        self._teaching: Teaching | None = None
        self._checking: Checking | None = None
        self._done = False
        self._final: Certificate | None = None
        run = self._begun()
        if run is not None:
            self._checking = Checking(catalog, run, terms, self.reviewer)
            self._settle()
        elif teach and self.unit == "labels" and not self._interrupted(source):
            self._teaching = Teaching(catalog, source, terms, self.reviewer, background=background)
        else:
            self._begin_check(source)

    @classmethod
    def open(
        cls,
        catalog: Catalog,
        *,
        question: str | None = None,
        terms: Terms | None = None,
        seed: int | None = None,
        reviewer: str | None = None,
        teach: bool = True,
        background: bool = False,
        refuse_small: bool = False,
    ) -> Review:
        """Open the review of a question: the one under way with these terms, or a new one.

        Args:
            catalog: Where images, proposals and answers are.
            question: The question; None for the one labelled last.
            terms: What is to be proven.
            seed: An explicit seed makes a simulation, and the certificate says so.
            reviewer: The name to write answers under; None for the user's.
            teach: Whether to begin with the teach phase.
            background: Refit beside the person instead of between two answers.
            refuse_small: Begin no check that cannot pay, rather than say so in its status.

        Raises:
            InputError: If nothing has been labelled yet.
            PopulationTooSmall: If that is refused.
            UnknownName: If nobody knows the question.
        """
        source = find_source(catalog, question)
        return cls(
            catalog,
            source,
            terms or Terms(),
            seed=seed,
            reviewer=reviewer,
            teach=teach,
            background=background,
            refuse_small=refuse_small,
        )

    def _refuse_unfit(self) -> None:
        if kind_of(self.unit) == "objects":
            raise InputError(
                f"The question {self.question!r} is about {self.unit} within images.",
                expected="a question about whole images",
                got=f"the run {self.source.id}",
                hint="use lucida.review.ObjectReview",
            )
        if self.unit != "labels" and self.terms.per_class:
            raise InputError(
                f"No promise for each class can be made for {self.unit}: they have none.",
                expected="a promise for all of them",
                got="per_class",
                hint="leave --per-class out",
            )

    # ---- the three phases -----------------------------------------------------------------------------------------

    @property
    def phase(self) -> Phase:
        """Return the phase: teach, check or done."""
        return "done" if self._done else "teach" if self._teaching is not None else "check"

    @property
    def _now(self) -> Teaching | Checking:
        now = self._teaching or self._checking
        assert now is not None
        return now

    @property
    def classes(self) -> list[str]:
        """The classes known by now."""
        return self._now.classes

    def next(self) -> Card | None:
        """Return the image asked now, the same one until it is answered; None when nothing is left to ask."""
        return None if self._done else self._now.card()

    def upcoming(self, k: int) -> list[Card]:
        """Return up to k cards that come next if nothing changes, so that a page can fetch them early."""
        return [] if self._done else self._now.upcoming(k)

    def answer(self, image: str, verdict: Verdict, label: str | None = None) -> None:
        """Take one answer; it is in the catalog before this returns.

        Args:
            image: Content id.
            verdict: "right", "wrong" or "unsure". "right" with another label than the proposal is "wrong".
            label: The person's label, when the proposal is wrong.

        Raises:
            InputError: If the review is over, or the image or verdict is none of it.
        """
        if self._done:
            raise InputError(
                "This review is over.",
                expected="an answer while the review asks",
                got=f"an answer on {image[:12]}",
                hint="open a new review with other terms",
            )
        if verdict not in ("right", "wrong", "unsure"):
            raise InputError(
                f"Unknown verdict {verdict!r}.",
                expected="right, wrong or unsure",
                got=repr(verdict),
                hint="answer with one of the three",
            )
        if verdict == "right" and label is not None:
            verdict = "right" if label == self._now.card_of(image).proposal else "wrong"
        self._now.answer(image, verdict, label)
        if self._checking is not None and self._checking.session.status().done:
            self._finish()

    def undo(self) -> Card | None:
        """Take back the last answer of this phase and return its card; None when there is none."""
        return None if self._done else self._now.undo()

    def freeze(self) -> None:
        """End the teach phase: predictions and scores are fixed, taught images leave the population."""
        if self._teaching is None:
            return
        source = self._teaching.freeze()
        self._teaching.close()
        self._teaching = None
        self._begin_check(source)

    def stop(self) -> Certificate | None:
        """End the review; whatever is proven by then is kept. In the teach phase there is nothing to keep yet."""
        if self._teaching is not None:
            self._teaching.close()
            self._done = True
        elif not self._done:
            self._finish()
        return self._final

    def refuse_too_small(self) -> None:
        """Refuse to begin a check that cannot pay.

        Raises:
            PopulationTooSmall: If labelling every image costs less than proving anything.
        """
        status = self.status()
        if not status.done and not status.reviews:
            refuse_too_small(status.total, status.taught, self.terms, self.unit)

    def status(self) -> ReviewStatus:
        """Return where the review stands."""
        status = self._now.status()
        return ReviewStatus(**{**status.__dict__, "phase": "done", "done": True}) if self._done else status

    @property
    def population(self) -> Population:
        """The frozen population, once the check phase has begun."""
        if self._checking is None:
            raise InputError("Nothing is frozen yet.", expected="the check phase", got="teach", hint="freeze() first")
        return self._checking.population

    @property
    def certificate(self) -> Certificate | None:
        """The certificate, once the check phase is over."""
        return self._final

    @property
    def certificate_path(self) -> str | None:
        """Where the certificate lies, once the check phase is over."""
        return str(self._checking.path) if self._final is not None and self._checking is not None else None

    def image(self, image: str) -> tuple[bytes, str]:
        """Return the bytes of an image and their media type, as a browser can show them."""
        return browser_image(self.catalog, image)

    # ---- beginning and ending the check ---------------------------------------------------------------------------

    def _begun(self) -> Run | None:
        """Return the review run under way on this source with these terms."""
        wanted = asdict(self.terms)
        for run in sorted(self.catalog.runs.all(question=self.question), key=lambda r: r.started, reverse=True):
            same = run.verb == "review" and run.parent == self.source.id
            same = same and all(run.parameters.get(k) == v for k, v in wanted.items())
            same = same and run.parameters.get("asked_seed") == self.seed
            if same and (self.catalog.runs.folder(run.id) / POPULATION).exists():
                return run
        return None

    def _interrupted(self, source: Run) -> bool:
        """Tell whether a teach phase was frozen but its check never begun, as after a kill between the two."""
        if source.verb != "teach":
            return False
        reviews = [r for r in self.catalog.runs.all(question=self.question) if r.verb == "review"]
        folders = [self.catalog.runs.folder(r.id) for r in reviews if r.parent == source.id]
        left = self.catalog.images.count() - len(taught_images(self.catalog, source))
        # Where too few are left to check, teaching all of them is the way on.
        return not any((folder / POPULATION).exists() for folder in folders) and left >= images_needed(self.terms)

    def _begin_check(self, source: Run) -> None:
        self.source = source
        taught = taught_images(self.catalog, source) if self.unit == "labels" else set()
        population = population_of(self.catalog, source, without=taught)
        run = self._begun()
        if run is None:
            if self._refuse_small and len(population):
                refuse_too_small(len(population), len(taught), self.terms, self.unit)
            # The seed is drawn after predictions and scores are fixed: nothing could be fitted to it.
            seed: int | str = secrets.token_hex(16) if self.seed is None else self.seed
            parameters: dict[str, Any] = asdict(self.terms) | {
                "seed": seed,
                "asked_seed": self.seed,
                "simulation": self.seed is not None,
                "digest": population.digest(),
                "taught": len(taught),
            }
            run = self.catalog.runs.start(
                "review",
                question=self.question,
                model=source.model,
                revision=source.revision,
                parameters=parameters,
                parent=source.id,
            )
            with whole(self.catalog.runs.folder(run.id) / POPULATION) as partial:
                population.save(partial)
        self._checking = Checking(self.catalog, run, self.terms, self.reviewer)
        self._settle()

    def _settle(self) -> None:
        """Finish at once when there is nothing (more) to ask."""
        assert self._checking is not None
        if self._checking.session.status().done:
            self._finish()

    def _finish(self) -> None:
        assert self._checking is not None
        self._final = self._checking.finish()
        self._done = True
