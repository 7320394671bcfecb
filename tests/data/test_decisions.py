"""What people said of pairs of images is remembered, and heeded by everything that groups images."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lucida.catalog import Annotation, Catalog, add
from lucida.clean.deciding import decide_all
from lucida.clean.sending import send
from lucida.data.catalog import read_unlabelled
from lucida.data.decisions import Decisions, decide, decisions
from lucida.data.division import see_samples
from lucida.errors import InputError

Draw = Callable[[int], Image.Image]


@pytest.fixture
def catalog(tmp_path: Path, draw: Draw) -> Iterator[Catalog]:
    """A picture, the same one smaller, and another."""
    folder = tmp_path / "photos"
    folder.mkdir()
    draw(0).save(folder / "a.png")
    draw(0).resize((80, 80)).save(folder / "b.png")
    draw(1).save(folder / "c.png")
    add([folder], catalog=tmp_path / "catalog")
    with Catalog.open(tmp_path / "catalog") as opened:
        yield opened


def ids(catalog: Catalog) -> list[str]:
    return [catalog.images.resolve(f"{name}.png")[0] for name in "abc"]


def groups(catalog: Catalog) -> list[int]:
    return see_samples(read_unlabelled(catalog)).groups


def test_the_latest_word_on_a_pair_counts_and_can_be_taken_back(catalog: Catalog) -> None:
    a, b, c = ids(catalog)
    assert groups(catalog) == [0, 0, 1]
    decide(catalog, b, a, same=False)
    assert groups(catalog) == [0, 1, 2]
    decide(catalog, a, c, same=True, actor="somebody else")
    assert groups(catalog) == [0, 1, 0]
    decide(catalog, a, b, same=None)
    assert groups(catalog) == [0, 0, 0]
    assert decisions(catalog) == Decisions(same=frozenset({(min(a, c), max(a, c))}))
    # It is a question about images, but none to learn or to export unless it is named.
    assert not catalog.annotations.current("duplicates", state="reviewed")[0].label
    assert "duplicates" in catalog.runs.cleaning()


def test_what_is_no_pair_of_the_catalog_is_refused(catalog: Catalog) -> None:
    a, *_ = ids(catalog)
    with pytest.raises(InputError, match="same picture as itself"):
        decide(catalog, a, a, same=True)
    with pytest.raises(InputError):
        decide(catalog, a, "0" * 64, same=True)
    with pytest.raises(InputError, match="no image"):
        decide_all(catalog, ["a.png", "nowhere.png"], same=True)
    with pytest.raises(InputError, match="two images"):
        decide_all(catalog, ["a.png"], same=False)
    assert "different pictures" in str(decide_all(catalog, ["a.png", "b.png", "c.png"], same=False))
    assert len(decisions(catalog).different) == 3


@pytest.mark.parametrize(
    ("verdict", "label", "same"),
    [("right", "near-duplicate", True), ("wrong", "fine", False), ("wrong", "blurred", None), ("unsure", None, None)],
)
def test_an_answer_in_the_review_is_a_decision(
    catalog: Catalog, verdict: str, label: str | None, same: bool | None
) -> None:
    a, b, _ = ids(catalog)
    found = catalog.runs.start("label", question="clean", parameters={"mode": "clean"})
    catalog.annotations.append([Annotation(b, "clean", found.id, label="near-duplicate", detail={"like": a}, time=1)])
    said = catalog.runs.start("teach", question="clean", parent=found.id).id
    answer = Annotation(b, "clean", said, actor="me", kind="answer", label=label, detail={"verdict": verdict}, time=2)
    catalog.annotations.append([answer])
    pair = frozenset({(min(a, b), max(a, b))})
    assert decisions(catalog) == Decisions(pair if same else frozenset(), pair if same is False else frozenset())
    undo = Annotation(b, "clean", said, actor="me", sequence=1, kind="undo", detail={"sequence": 0}, time=3)
    catalog.annotations.append([undo])
    assert decisions(catalog) == Decisions()


def test_what_was_decided_is_not_asked_again(catalog: Catalog) -> None:
    from lucida.clean.finding import Finding

    a, b, _ = ids(catalog)
    finding = Finding(1, b, "b.png", "near-duplicate", 0.6, "it is near-identical to a.png", like=a)
    assert send(catalog, [finding], None, Decisions()) == {"clean": 1}
    assert send(catalog, [finding], None, Decisions(same=frozenset({(min(a, b), max(a, b))}))) == {}


def test_rows_are_those_of_the_images_that_are_there() -> None:
    decided = Decisions(same=frozenset({("a", "b"), ("a", "z")}), different=frozenset({("b", "c")}))
    same, different = decided.rows(["c", "b", "a", "b"])
    assert same.tolist() == [[2, 1]]
    assert different.tolist() == [[1, 0]]
    assert [len(part) for part in Decisions().rows(["a"])] == [0, 0]
    assert np.issubdtype(same.dtype, np.integer)
