"""Answers of a catalog as labelled images: people first, then certificates, proposals only when asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from lucida.catalog import Annotation, Catalog, add
from lucida.data import Soft
from lucida.data.catalog import read_answers, read_proposals
from lucida.errors import InputError, UnknownName
from lucida.images import content_id
from pictures import write_pictures


@pytest.fixture
def catalog(tmp_path: Path):
    write_pictures(tmp_path / "photos", 2)
    add([tmp_path / "photos"], catalog=tmp_path / "catalog")
    with Catalog.open(tmp_path / "catalog") as opened:
        yield opened


def labelled(catalog: Catalog) -> tuple[str, list[str]]:
    """Six proposals of "stripes"; the first two are answered: disc, and wrong without a class."""
    run = catalog.runs.start("label", question="kind", parameters={"classes": ["stripes", "disc", "square"]}).id
    ids = catalog.images.ids()
    detail = {"runner_up": [["disc", 0.3]]}
    catalog.annotations.append(
        Annotation(image=image, question="kind", run=run, label="stripes", score=0.7, detail=detail) for image in ids
    )
    catalog.runs.finish(run)
    review = catalog.runs.start("review", question="kind", parent=run).id
    answers = [(ids[0], "wrong", "disc"), (ids[1], "wrong", None), (ids[2], "right", "stripes")]
    catalog.annotations.append(
        Annotation(
            image, "kind", review, actor="me", sequence=1, kind="answer", label=label, detail={"verdict": verdict}
        )
        for image, verdict, label in answers
    )
    return run, ids


def test_people_teach_and_proposals_only_when_asked(catalog: Catalog) -> None:
    _, ids = labelled(catalog)
    found = read_answers(catalog)
    assert [sample.target for sample in found] == ["disc", "stripes"]
    assert found.classes == ("stripes", "disc")
    assert found[0].slices == {"state": "reviewed"}
    assert content_id(found[0].read()) == ids[0]
    assert any("without naming the class: 1" in note for note in found.notes)
    every = read_answers(catalog, "kind", proposed=True)
    assert [sample.target for sample in every] == ["disc", "stripes", "stripes", "stripes", "stripes"]
    with_rest = read_answers(catalog, rest=True)
    assert len(with_rest) == 6
    assert [sample.target for sample in with_rest].count(None) == 4


def test_a_labeller_teaches_with_its_probabilities(catalog: Catalog) -> None:
    run, _ = labelled(catalog)
    found = read_proposals(catalog, run)
    assert found.classes == ("stripes", "disc")
    assert found[0].target == Soft({"disc": 0.3, "stripes": 0.7})
    assert found[0].labels == ("stripes",)


def test_images_can_be_read_after_the_catalog_was_closed(tmp_path: Path) -> None:
    write_pictures(tmp_path / "photos", 1)
    add([tmp_path / "photos"], catalog=tmp_path / "catalog")
    with Catalog.open(tmp_path / "catalog") as opened:
        labelled(opened)
        found = read_answers(opened)
    assert found[0].read()[:4] == b"\x89PNG"


def test_a_catalog_without_a_question_says_what_to_do(catalog: Catalog) -> None:
    with pytest.raises(InputError, match="Nothing has been asked"):
        read_answers(catalog)
    labelled(catalog)
    with pytest.raises(UnknownName, match="kinds"):
        read_answers(catalog, "kinds")


def test_the_findings_of_a_cleaning_are_no_question_to_learn(catalog: Catalog) -> None:
    labelled(catalog)
    catalog.runs.start("label", question="clean", parameters={"mode": "clean", "classes": ["blurred", "fine"]})
    assert read_answers(catalog).origin == "the answers to 'kind'"
    with pytest.raises(UnknownName):
        read_answers(catalog, "clean")
