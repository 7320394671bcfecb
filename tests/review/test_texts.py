"""Captions, answers and readings are reviewed as labels are: the unit is the image, the answer right or wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lucida.catalog import Annotation, Catalog
from lucida.errors import CertificateError, InputError, PopulationTooSmall
from lucida.review import Certificate, Review, Terms, verify
from lucida.review.plan import quote

TERMS = Terms(max_error=0.1)


def said(catalog: Catalog, task: str = "caption", *, scores: bool = True, **parameters: Any) -> None:
    """Keep a text of each image, as `lucida label --task` does; every tenth is wrong, with a low score."""
    run = catalog.runs.start("label", question="words", model="m", parameters={"task": task, **parameters})
    for i, image in enumerate(catalog.images.ids()):
        wrong = i % 10 == 3
        score = (0.2 if wrong else 0.9) + (i % 7) / 100
        text = f"a {'wrong' if wrong else 'right'} text of picture {i}"
        lines = [Annotation(image, "words", run.id, item=1, label=text, score=score, detail={"corners": []})]
        whole = Annotation(image, "words", run.id, label=text, score=score if scores and task != "read" else None)
        catalog.annotations.append([whole, *(lines if task == "read" else [])])
    catalog.runs.finish(run.id)


@pytest.fixture
def plain(tmp_path: Path) -> Any:
    """A catalog of 300 small pictures."""
    (tmp_path / "photos").mkdir()
    for i in range(300):
        pixels = np.full((4, 4, 3), (i % 256, i // 256, 7), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{i:03d}.png")
    from lucida.catalog.verb import add

    add([tmp_path / "photos"], catalog=tmp_path / "catalog")
    with Catalog.open(tmp_path / "catalog") as opened:
        yield opened


def answer(review: Review) -> int:
    """Answer all that is asked; return how many were wrong."""
    wrong = 0
    while (card := review.next()) is not None:
        if "wrong" in card.proposal:
            wrong += 1
            review.answer(card.image, "wrong", card.proposal.replace("wrong", "better"))
        else:
            review.answer(card.image, "right")
    return wrong


@pytest.mark.parametrize(("task", "unit"), [("caption", "captions"), ("answer", "answers"), ("read", "readings")])
def test_texts_are_certified(plain: Catalog, tmp_path: Path, task: str, unit: str) -> None:
    said(plain, task, questions=["How many?"])
    review = Review.open(plain, terms=TERMS, reviewer="anna")
    assert (review.phase, review.unit, review.asked, review.classes) == ("check", unit, "How many?", [])
    assert answer(review) > 0
    certificate = review.certificate
    assert certificate is not None
    assert len(certificate.kept) > 150
    assert f"{unit} kept, at most 10 % are wrong" in certificate.claim
    path = Path(str(review.certificate_path))
    assert verify(path).ok
    states = {row.image: row for row in plain.annotations.current("words")}
    corrected = [row for row in states.values() if row.label is not None and "better" in row.label]
    assert len(corrected) == certificate.errors_found
    assert sum(row.kept for row in states.values()) == len(certificate.kept)
    # What it is about belongs to the claim.
    text = path.read_text().replace(f'"unit": "{unit}"', '"unit": "boxes"')
    path.write_text(text)
    assert not verify(path).ok
    path.write_text(text.replace('"unit": "boxes"', '"unit": "planets"'))
    with pytest.raises(CertificateError):
        verify(path)


def test_texts_without_a_score_stand_or_fall_together(plain: Catalog) -> None:
    said(plain, scores=False)
    review = Review.open(plain, terms=Terms(max_error=0.2))
    answer(review)
    assert review.certificate is not None
    assert len(review.certificate.kept) in (0, 300 - len(review.certificate.groups[0]["pilot"]["asked"]))


def test_another_text_of_the_same_image_is_not_wrong_for_that(plain: Catalog) -> None:
    said(plain)
    first = Review.open(plain, terms=TERMS)
    answer(first)
    said(plain, other="model")  # says the same of all images
    second = Review.open(plain, terms=TERMS)
    carried = {e.verdict for e in second._checking.journal.entries}  # type: ignore[union-attr]
    assert carried <= {"right"}


def test_what_cannot_be_asked_of_texts_is_refused(plain: Catalog) -> None:
    said(plain)
    with pytest.raises(InputError, match="each class"):
        Review.open(plain, terms=Terms(per_class=True))
    with pytest.raises(PopulationTooSmall) as caught:
        Review.open(plain, terms=Terms(max_error=0.01), refuse_small=True)
    assert "teach" not in str(caught.value)
    said(plain, "tag")
    with pytest.raises(InputError, match="'tag' cannot be reviewed"):
        Review.open(plain)


def test_a_quote_names_what_is_reviewed(plain: Catalog) -> None:
    said(plain)
    found = quote(plain, None, TERMS)
    assert "of 300 captions" in str(found)
    assert found.to_json()["unit"] == "captions"


def test_certificates_of_labels_are_as_they_were() -> None:
    from lucida.review import certify

    values = certify(["cat"] * 300, range(300), lambda i: True, max_error=0.1, seed=1).to_json()
    assert "unit" not in values
    assert Certificate.from_json(values).unit == "labels"
