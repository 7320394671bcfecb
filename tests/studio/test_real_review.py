"""The page and the real review together: every answer is in the catalog, once, in order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lucida.catalog import Catalog
from lucida.review.workflow import Review, Terms

SHAPES = ("circle", "square", "triangle")


@pytest.fixture
def catalog(tmp_path: Path, shape: Callable[[int], bytes]) -> Path:
    """A catalog of 150 shapes, labelled by five examples a class."""
    from lucida.catalog.verb import add
    from lucida.label.verb import label

    for i in range(165):
        folder = tmp_path / "examples" / SHAPES[i % 3] if i >= 150 else tmp_path / "photos"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{i:03d} {SHAPES[i % 3]}.png").write_bytes(shape(i))
    add([tmp_path / "photos"], catalog=tmp_path / "catalog")
    label(examples=tmp_path / "examples", question="shape", catalog=tmp_path / "catalog")
    return tmp_path / "catalog"


def test_what_is_answered_on_the_page_is_in_the_catalog(catalog: Path, serve: Any) -> None:
    given: list[tuple[str, str | None]] = []
    with Catalog.open(catalog) as opened:
        review = Review.open(opened, terms=Terms(max_error=0.2), reviewer="page", background=True)
        served = serve(review)

        def answer() -> None:
            card = served.view()["card"]
            right = Path(card["path"]).stem.split()[-1]
            verdict = "right" if card["proposal"] == right else "wrong"
            assert served.act("answer", verdict=verdict, label=right).status_code == 200
            given.append((card["image"], right))

        for _ in range(8):
            answer()
        assert served.act("undo").status_code == 200
        given.pop()
        card = served.view()["card"]
        assert served.act("answer", verdict="unsure").status_code == 200
        given.append((card["image"], None))
        picture = served.client.get(card["url"])
        assert picture.headers["content-type"] == "image/png"
        assert picture.content == opened.images.read(card["image"])
        assert served.act("freeze").json()["view"]["phase"] == "check"
        for _ in range(200):
            if served.view()["card"] is None:
                break
            answer()
        if served.view()["phase"] != "done":
            served.act("stop")
        status = served.view()["status"]
        served.end()
        rows = opened.annotations.rows(question="shape", kind="answer")
    certificate = review.certificate
    assert certificate is not None
    assert (status["kept"], status["reviews"]) == (len(certificate.kept), len(certificate.reviewed))
    assert status["bound"] == certificate.bound <= 0.2
    # What was said in the teach phase may count again in the check; the program writes that down by itself.
    told = [(row.image, row.label) for row in rows if row.actor == "page" and not row.detail.get("reused")]
    taken_back = told.pop(7)  # the answer that was undone stays on record
    assert taken_back[0] == given[7][0]
    assert told == given
