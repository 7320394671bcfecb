"""The verbs `review`, `compare` and `studio`: what can open a page of the studio."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lucida.catalog import Catalog
    from lucida.review.certificate import Certificate
    from lucida.review.compare import Compared
    from lucida.review.objects.certificate import ObjectsCertificate
    from lucida.review.objects.terms import ObjectTerms
    from lucida.review.plan import Quote


@dataclass(frozen=True)
class StudioClosed:
    """The studio was stopped: what it showed stays in the catalog."""

    catalog: Path
    trainings: int

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"catalog": str(self.catalog), "trainings": self.trainings}

    def __str__(self) -> str:
        return f"Closed. {self.trainings:,} training runs are in {self.catalog}."


@dataclass(frozen=True)
class ReviewResult:
    """The end of a review: what is proven, and where the certificate lies."""

    certificate: Certificate | ObjectsCertificate
    path: Path

    def to_json(self) -> dict[str, Any]:
        """Return the certificate under its attribute names."""
        return self.certificate.to_json()

    def __str__(self) -> str:
        return f"{self.certificate}\nCertificate: {self.path}\nNext: lucida export out/"


@dataclass(frozen=True)
class ReviewPaused:
    """A review that was left before its end: nothing is proven yet, nothing is lost."""

    question: str
    taught: int
    reviews: int

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"question": self.question, "taught": self.taught, "reviews": self.reviews, "certificate": None}

    def __str__(self) -> str:
        return f"{self.taught + self.reviews:,} answers are kept. `lucida review` goes on from here."


def review(
    *,
    max_error: float = 0.05,
    confidence: float = 0.95,
    question: str | None = None,
    per_class: bool = False,
    max_reviews: int | None = None,
    worth: float = 1.0,
    reviewer_error: float = 0.0,
    answers: Path | None = None,
    teach: int | None = None,
    plan: bool = False,
    sign: Path | None = None,
    reviewer: str | None = None,
    seed: int | None = None,
    max_missed: float = 0.1,
    port: int = 0,
    no_browser: bool = False,
    catalog: Path | None = None,
) -> ReviewResult | ReviewPaused | Quote:
    """Teach and check labels until a promise on the rest is proven; check texts, boxes and masks likewise.

    A page opens in the browser: first it asks the images whose answers teach most, then it checks. Stop whenever
    you like: whatever is proven by then is kept, and the same command goes on from there. Captions, answers and
    readings are checked without teaching. Boxes and masks are checked one by one, then whole images are looked at for
    what was missed; the certificate bounds both. What is reviewed follows from the run of `lucida label`.

    Args:
        max_error: At most this share of the kept labels may be wrong, between 0 and 1.
        confidence: With this confidence, between 0 and 1.
        question: The question to review; the latest by default.
        per_class: Prove it for every predicted class; of boxes and masks the wrong ones, not what was missed.
        max_reviews: Check at most so many images, or boxes and then images; teaching is not counted.
        worth: How many reviews one unaccepted image is worth.
        reviewer_error: A bound on the share of wrong labels that the reviewer overlooks.
        answers: A CSV with the columns path,label answers instead of a person; for boxes a COCO file of the true ones.
        teach: Teach with so many answers before checking; 0 skips the phase. With --answers the default is 0.
        plan: Only say what it is expected to take.
        sign: Sign the certificate with this Ed25519 private key (PEM).
        reviewer: The name to write answers under; yours by default.
        seed: An explicit seed makes a simulation, and the certificate says so.
        max_missed: Of boxes and masks: look at images until something is missed in at most this share of them.
        port: Port of the page; a free one by default.
        no_browser: Only print the address of the page; open no browser.
        catalog: The catalog's folder.

    Raises:
        InputError: If nothing is labelled, or an option is out of range.
        PopulationTooSmall: If labelling every image costs less than proving anything.
    """
    from lucida.catalog import Catalog
    from lucida.errors import InputError
    from lucida.review.journal import ANSWERS_FILE
    from lucida.review.kinds import kind_of, unit_of
    from lucida.review.objects.terms import ObjectTerms
    from lucida.review.workflow import Review, Terms, find_source

    terms = Terms(max_error, confidence, per_class, max_reviews, worth, reviewer_error)
    terms.check()
    if teach is not None and teach < 0:
        raise InputError(
            "--teach is out of range.", expected="0 or more answers", got=str(teach), hint="0 skips the teach phase"
        )
    if sign is not None:
        from lucida.review.signing import load_private_key

        load_private_key(sign)  # a bad key must not show only after hours of review
    with Catalog.open(catalog) as opened:
        if kind_of(unit_of(opened, find_source(opened, question))) == "objects":
            wanted = ObjectTerms(
                max_error, confidence, per_class, max_reviews, worth, reviewer_error, max_missed=max_missed
            )
            wanted.check()
            how = _How(question, answers, plan, sign, reviewer, seed, port, no_browser)
            return _review_objects(opened, wanted, how)
        if plan:
            from lucida.review.plan import quote

            return quote(opened, question, terms, answers)
        session = Review.open(
            opened,
            question=question,
            terms=terms,
            seed=seed,
            reviewer=reviewer or (ANSWERS_FILE if answers is not None else None),
            teach=bool(teach) if answers is not None else teach != 0,
            background=answers is None,
            refuse_small=answers is not None or teach == 0,
        )
        if answers is not None:
            from lucida.review.answers import answer_all, check_labels, read_answers

            given = read_answers(answers, opened)
            check_labels(given, session.classes, answers)
            answer_all(session, given, teach=teach or 0)
        else:
            from lucida.review.differences import differences_of
            from lucida.studio import serve_review
            from lucida.studio.training import Training

            if teach is None:
                session.refuse_too_small()
            serve_review(
                session,
                port=port,
                open_browser=not no_browser,
                differences=differences_of(opened, session.question),
                training=Training(opened) if opened.runs.latest(verb="train") else None,
            )
        certificate = session.certificate
        if certificate is None or session.certificate_path is None:
            status = session.status()
            return ReviewPaused(session.question, status.taught, status.reviews)
        return _signed(ReviewResult(certificate, Path(session.certificate_path)), sign)


@dataclass(frozen=True)
class _How:
    """How a review of objects is made; the options of `review` beside its terms."""

    question: str | None
    answers: Path | None
    plan: bool
    sign: Path | None
    reviewer: str | None
    seed: int | None
    port: int
    no_browser: bool


def _review_objects(catalog: Catalog, terms: ObjectTerms, how: _How) -> ReviewResult | ReviewPaused | Quote:
    from lucida.review.journal import ANSWERS_FILE
    from lucida.review.objects.workflow import ObjectReview

    if how.plan:
        from lucida.review.plan import quote_objects

        return quote_objects(catalog, how.question, terms)
    reviewer = how.reviewer or (ANSWERS_FILE if how.answers is not None else None)
    if how.answers is not None:
        from lucida.review.objects.truth import answer_all, read_truth

        truth = read_truth(how.answers, catalog)
        session = ObjectReview.open(catalog, question=how.question, terms=terms, seed=how.seed, reviewer=reviewer)
        answer_all(session, truth)
    else:
        from lucida.studio import serve_review

        session = ObjectReview.open(catalog, question=how.question, terms=terms, seed=how.seed, reviewer=reviewer)
        few = terms.too_few(len(session.population), session.unit)
        if few and session.phase == "check":
            print(few, file=sys.stderr)
        serve_review(session, port=how.port, open_browser=not how.no_browser)
    if session.certificate is None:
        status = session.status()
        return ReviewPaused(session.question, 0, status.reviews + status.looked)
    return _signed(ReviewResult(session.certificate, session.path), how.sign)


def _signed(result: ReviewResult, key: Path | None) -> ReviewResult:
    if key is not None:
        from lucida.review.signing import sign

        sign(result.path, key)
    return result


def compare(
    run_a: str | None = None,
    run_b: str | None = None,
    *,
    question: str | None = None,
    confidence: float = 0.95,
    fresh: bool = False,
    page: bool = False,
    port: int = 0,
    no_browser: bool = False,
    catalog: Path | None = None,
) -> Compared:
    """Say which of two label runs is right more often, by the answers that people gave.

    Without runs, the two latest label runs of the question that differ in model or in instructions are compared; the
    earlier is A. What it says holds whenever and however often you look.

    Args:
        run_a: A run, as `lucida label` printed it.
        run_b: Another run of the same question.
        question: The question; the latest by default.
        confidence: With this confidence, between 0 and 1.
        fresh: Leave out images that were answered before both runs had begun: for instructions that were written with
            these answers in view.
        page: Open a page that shows the images on which the two differ.
        port: Port of the page; a free one by default.
        no_browser: Only print the address of the page; open no browser.
        catalog: The catalog's folder.

    Raises:
        InputError: If there are no two runs, they cannot be compared, or nobody has reviewed an image of both.
        UnknownName: If a run or the question is unknown.
    """
    from lucida.catalog import Catalog
    from lucida.review.compare import compare_runs, refuse_unreviewed
    from lucida.review.pairing import choose_runs, pair_up

    with Catalog.open(catalog) as opened:
        names = [name for name in (run_a, run_b) if name is not None]
        pairing = pair_up(opened, *choose_runs(opened, names, question), fresh=fresh)
        if page:
            from lucida.review.differences import Differences
            from lucida.studio import serve_differences

            compared = compare_runs(opened, pairing, confidence=confidence, fresh=fresh)
            shown = Differences(opened, pairing.a.run, pairing.b.run, confidence=confidence, fresh=fresh)
            serve_differences(shown, port=port, open_browser=not no_browser)
            return compared
        refuse_unreviewed(pairing)
        return compare_runs(opened, pairing, confidence=confidence, fresh=fresh)


def studio(
    *,
    model: str = "embedded",
    server: str = "http://127.0.0.1:8000",
    port: int = 0,
    no_browser: bool = False,
    catalog: Path | None = None,
) -> StudioClosed:
    """Open the pages of a catalog: search, its images, drawing, restoring, training, watching a server, label runs.

    A training that is under way is followed while it goes. To teach and check labels, call `lucida review`: it opens
    a page of its own, whose promise is part of the call.

    Args:
        model: The model that sees for the Search page; see `lucida search`. One that answers in words is offered on the
            Look page instead, for questions about an image.
        server: Address of the `lucida serve` that the Watch page shows; a key that it needs stands in the environment
            variable LUCIDA_SERVE_KEY, or is typed on the page.
        port: Port of the page; a free one by default.
        no_browser: Only print the address of the page; open no browser.
        catalog: The catalog's folder.

    Raises:
        CatalogError: If there is no catalog.
        InputError: If `server` is no address.
        UnknownName: If there is no such model.
    """
    from lucida.catalog import Catalog
    from lucida.models.registry import find
    from lucida.review.differences import differences_of
    from lucida.studio import serve_studio
    from lucida.studio.asking import Asking
    from lucida.studio.generating import Generating
    from lucida.studio.looking import Looking
    from lucida.studio.restoring import Restoring
    from lucida.studio.searching import Searching
    from lucida.studio.training import Training
    from lucida.studio.watching import Watching

    with Catalog.open(catalog) as opened, Restoring(opened) as restoring, Generating(opened) as generating:
        training, latest = Training(opened), opened.runs.latest(verb="label")
        differences = differences_of(opened, latest.question) if latest is not None else None
        tasks = find(model, opened.models).tasks
        searching = Searching(opened, model if "encode" in tasks or "answer" not in tasks else "embedded")
        looking = Looking(opened, searching, Asking(opened, [model] if "answer" in tasks else []))
        watching = Watching(opened, server)
        serve_studio(
            training,
            port=port,
            open_browser=not no_browser,
            differences=differences,
            searching=searching,
            looking=looking,
            restoring=restoring,
            generating=generating,
            watching=watching,
        )
        return StudioClosed(opened.path, len(training.runs()))
