"""The verb `demo`."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lucida.errors import InputError

if TYPE_CHECKING:
    from lucida.review.certificate import Certificate
    from lucida.review.workflow import Review

BY_HAND = 10  # answers a stranger may give before the key takes over
TEACH = 100  # answers that teach, before the check


@dataclass(frozen=True)
class DemoResult:
    """What the demo did, counted against the key.

    Attributes:
        taught: Images answered to teach.
        checked: Images answered in the check phase.
        accepted: Labels kept without anybody having looked.
        bound: At most this share of the kept labels is wrong.
        confidence: With this confidence.
        wrong: Accepted labels that are truly wrong, by the key.
        certificate: Where the certificate lies.
    """

    taught: int
    checked: int
    accepted: int
    bound: float
    confidence: float
    wrong: int
    certificate: str

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return dict(self.__dict__)

    def __str__(self) -> str:
        return "\n".join(
            [
                f"checked {self.checked:,}, accepted {self.accepted:,},"
                f" at most {self.bound:.1%} wrong at {self.confidence:.0%}, truly wrong: {self.wrong:,}",
                "",
                f"Of 1,697 images {self.taught + self.checked:,} were looked at: {self.taught:,} to teach,"
                f" {self.checked:,} to check.",
                "The labels and the certificate that anyone can recheck:",
                f"  lucida verify {self.certificate}",
                "On your own folder, next:",
                "  lucida demo ~/Pictures",
            ]
        )


@dataclass(frozen=True)
class FolderResult:
    """What the demo did on a folder of one's own."""

    images: int
    classes: list[str]
    catalog: str
    certificate: str | None
    summary: str

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return dict(self.__dict__)

    def __str__(self) -> str:
        again = f"lucida review --catalog {self.catalog}"
        return f"{self.summary}\nThe catalog is {self.catalog}; go on with: {again}"


def demo(
    folder: Path | None = None,
    *,
    classes: str | None = None,
    max_error: float = 0.05,
    out: Path | None = None,
    yes: bool = False,
    no_browser: bool = False,
) -> DemoResult | FolderResult:
    """Do the whole job: label, teach or check, prove, export.

    Without a folder: on 1,797 handwritten digits that come with scikit-learn. You may answer ten in the page; the
    key answers the rest.

    Args:
        folder: A folder of your own images instead; you answer.
        classes: What to tell apart there, such as "people,food,dogs"; asked for when left out.
        max_error: At most this share of the kept labels may be wrong, between 0 and 1.
        out: Where to work; a new temporary folder by default.
        yes: Ask nothing and open no page: run through by itself.
        no_browser: Only print the address of the page; open no browser.

    Raises:
        MissingExtra: If scikit-learn is not installed (digits only).
        InputError: If the folder has no images.
    """
    place = out or Path(tempfile.mkdtemp(prefix="lucida-demo-"))
    seen = sys.stdin.isatty() and sys.stdout.isatty() and (no_browser or _has_browser())
    alone = yes or not seen
    if folder is not None:
        return _own_folder(folder, classes, max_error, place, alone=alone, browser=not no_browser)
    return _digits(max_error, place, alone=alone, browser=not no_browser)


def _digits(max_error: float, place: Path, *, alone: bool, browser: bool) -> DemoResult:
    from lucida.catalog import Catalog
    from lucida.catalog.verb import add
    from lucida.demo.digits import write_digits
    from lucida.export.verb import export
    from lucida.label.verb import label
    from lucida.review.answers import answer_all
    from lucida.review.workflow import Review, Terms

    photos, examples, key = write_digits(place)
    folder = place / "lucida-catalog"
    _say(f"1. {len(key):,} scans of handwritten digits are added, and 10 examples of each digit are shown.")
    add([photos], catalog=folder)
    label(examples=examples, question="digit", catalog=folder)
    with Catalog.open(folder) as catalog:
        review = Review.open(catalog, terms=Terms(max_error=max_error), reviewer="the key")
        answers = {image: key[Path(catalog.images.name(image)).name] for image in catalog.images.ids()}
        if not alone:
            _say(f"2. Teach: answer up to {BY_HAND} of them yourself; the key answers the rest.")
            _by_hand(review, browser=browser)
        _say(f"{2 if alone else 3}. The key gives {TEACH} answers that teach, then it checks.")
        answer_all(review, answers, teach=TEACH)
        certificate = review.certificate
        assert certificate is not None
        result = _count(certificate, review, answers, place)
    export(place / "labelled", catalog=folder)
    return result


def _by_hand(review: Review, *, browser: bool) -> None:
    from lucida.studio import serve_review

    serve_review(review, open_browser=browser, answers=BY_HAND)


def _count(certificate: Certificate, review: Review, answers: dict[str, str], place: Path) -> DemoResult:
    population = review.population
    wrong = sum(answers[population.ids[i]] != population.predicted[i] for i in map(int, certificate.accepted))
    return DemoResult(
        taught=review.status().taught,
        checked=len(certificate.reviewed),
        accepted=len(certificate.accepted),
        bound=certificate.bound,
        confidence=certificate.confidence,
        wrong=wrong,
        certificate=str(place / "labelled" / "certificate.json"),
    )


def _own_folder(
    folder: Path, classes: str | None, max_error: float, place: Path, *, alone: bool, browser: bool
) -> FolderResult:
    from lucida.catalog import Catalog
    from lucida.catalog.verb import add
    from lucida.label.verb import label
    from lucida.review.workflow import Review, Terms
    from lucida.studio import serve_review

    words = classes or ("" if alone else _ask_classes())
    if not words:
        raise InputError(
            "The demo does not know what to tell apart in this folder.",
            expected="class names",
            got="none, and nobody to ask",
            hint=f'lucida demo {folder} --classes "people,food,dogs"',
        )
    where = place / "lucida-catalog"
    _say(str(add([folder], catalog=where)))
    _say(str(label(classes=words, catalog=where)))
    with Catalog.open(where) as catalog:
        count = catalog.images.count()
        review = Review.open(catalog, terms=Terms(max_error=max_error), background=True)
        if not alone:
            serve_review(review, open_browser=browser)
        certificate, path = review.certificate, review.certificate_path
        summary = str(certificate) if certificate is not None else f"{count:,} images have a proposed label."
    return FolderResult(count, words.split(","), str(where), path, summary)


def _ask_classes() -> str:
    return input("What should be told apart? For instance people,food,dogs: ").strip()


def _has_browser() -> bool:
    import webbrowser

    try:
        webbrowser.get()
    except webbrowser.Error:
        return False
    return True


def _say(text: str) -> None:
    print(text, file=sys.stderr)
