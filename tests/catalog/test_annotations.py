"""Annotations are appended: a retry changes nothing, and what went in comes out."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lucida.catalog import Annotation, Catalog, Run
from lucida.errors import InputError, UnknownName


@pytest.fixture
def run(catalog: Catalog) -> Run:
    return catalog.runs.start("label", question="kind")


def test_what_goes_in_comes_out(catalog: Catalog, run: Run) -> None:
    ids = catalog.images.ids()
    review = catalog.runs.start("review", question="kind", parent=run.id)
    rows = [
        Annotation(ids[0], "kind", run.id, label="图", score=0.5, detail={"runner_up": [["b", 0.25]]}, time=1.0),
        Annotation(ids[0], "kind", run.id, item=1, label=None, score=None, time=2.0),
        Annotation(ids[1], "other", run.id, kind="taught", label="x", time=3.0),
        Annotation(
            ids[0], "kind", review.id, actor="ann", sequence=3, kind="answer", label="b",
            detail={"verdict": "wrong", "seconds": 1.5}, time=4.0,
        ),
        Annotation(ids[0], "kind", review.id, actor="ann", sequence=4, kind="undo", detail={"sequence": 3}, time=5.0),
        Annotation(ids[2], "kind", review.id, kind="certified", label="b", detail={"source": run.id}, time=6.0),
    ]  # fmt: skip
    assert catalog.annotations.append(rows) == 6
    assert catalog.annotations.rows() == rows
    assert catalog.annotations.rows(image=ids[0]) == [rows[i] for i in (0, 1, 3, 4)]
    assert catalog.annotations.rows(question="other") == [rows[2]]
    assert catalog.annotations.rows(run=review.id) == rows[3:]
    assert catalog.annotations.rows(kind="proposal", image=ids[0], run=run.id, question="kind") == rows[:2]
    assert catalog.annotations.rows(run="none") == []
    assert catalog.annotations.questions() == ["kind", "other"]


def test_rows_come_by_time_then_sequence(catalog: Catalog, run: Run) -> None:
    id = catalog.images.ids()[0]
    rows = [Annotation(id, "kind", run.id, sequence=s, time=t) for t, s in [(2, 0), (1, 5), (2, 9), (1, 1)]]
    catalog.annotations.append(rows)
    assert [(row.time, row.sequence) for row in catalog.annotations.rows()] == [(1, 1), (1, 5), (2, 0), (2, 9)]


def test_a_retry_changes_nothing(catalog: Catalog, run: Run) -> None:
    ids = catalog.images.ids()
    rows = [Annotation(id, "kind", run.id, label="a") for id in ids[:6]]
    assert catalog.annotations.append(rows) == 6
    more = [Annotation(id, "kind", run.id, label="b") for id in ids]
    assert catalog.annotations.append(more) == 6
    assert catalog.annotations.append(more) == 0
    assert catalog.annotations.append([]) == 0
    assert [row.label for row in catalog.annotations.rows()] == ["a"] * 6 + ["b"] * 6


def test_each_part_of_the_key_counts(catalog: Catalog, run: Run) -> None:
    ids, other = catalog.images.ids(), catalog.runs.start("label", question="kind", model="n")
    rows = [
        Annotation(ids[0], "kind", run.id),
        Annotation(ids[1], "kind", run.id),
        Annotation(ids[0], "other", run.id),
        Annotation(ids[0], "kind", other.id),
        Annotation(ids[0], "kind", run.id, item=1),
        Annotation(ids[0], "kind", run.id, actor="ann"),
        Annotation(ids[0], "kind", run.id, sequence=1),
    ]
    assert catalog.annotations.append(rows) == 7
    assert catalog.annotations.append(rows) == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"image": "0" * 64},
        {"run": "none"},
        {"score": math.nan},
        {"score": 1.5},
        {"kind": "guess"},
        {"kind": "answer", "detail": {"verdict": "maybe"}},
        {"kind": "undo"},
        {"kind": "certified"},
        {"kind": "certified", "detail": {"source": "none"}},
    ],
)
def test_a_bad_row_is_refused_and_none_is_written(catalog: Catalog, run: Run, changes: dict) -> None:
    good = Annotation(catalog.images.ids()[0], "kind", run.id, label="a")
    bad = Annotation(**({"image": good.image, "question": "kind", "run": run.id, "sequence": 1} | changes))
    with pytest.raises(InputError) as caught:
        catalog.annotations.append([good, bad])
    assert caught.value.what
    assert caught.value.got
    assert catalog.annotations.rows() == []


def test_the_proposals_of_a_run_as_columns(catalog: Catalog, run: Run) -> None:
    ids = catalog.images.ids()
    catalog.annotations.append(
        Annotation(id, "kind", run.id, label=f"l{i}", score=i / 20, detail={"i": i} if i % 2 else {})
        for i, id in reversed(list(enumerate(ids[:10])))
    )
    catalog.annotations.append([Annotation(ids[10], "kind", run.id, kind="taught", label="x")])
    catalog.annotations.append([Annotation(ids[11], "kind", run.id)])
    table = catalog.annotations.table(run.id)
    assert table.ids == [*ids[:10], ids[11]]
    assert table.labels == [*(f"l{i}" for i in range(10)), ""]
    assert np.array_equal(table.scores[:10], np.arange(10) / 20)
    assert np.isnan(table.scores[10])
    assert table.details == [*({"i": i} if i % 2 else {} for i in range(10)), {}]
    assert catalog.annotations.table("none").ids == []


def test_questions_of_the_latest_runs_come_first(catalog: Catalog) -> None:
    id = catalog.images.ids()[0]
    for question in ("first", "second", "third"):
        run = catalog.runs.start("label", question=question)
        if question != "second":
            catalog.annotations.append([Annotation(id, question, run.id)])
    assert catalog.annotations.questions() == ["third", "first"]


def test_unknown_states_name_the_nearest(catalog: Catalog) -> None:
    with pytest.raises(UnknownName, match="accepted"):
        catalog.annotations.current("kind", state="acepted")  # type: ignore[arg-type]
    assert catalog.annotations.current("a question nobody asked") == []


def test_what_was_missed_says_nothing_of_the_image_as_a_whole(catalog: Catalog, run: Run) -> None:
    ids = catalog.images.ids()
    review = catalog.runs.start("review", question="kind", parent=run.id)
    detail = {"verdict": "wrong", "phase": "missed", "seconds": 2.0}
    catalog.annotations.append(
        [
            *(Annotation(id, "kind", run.id, label=None, detail={"count": 1}) for id in ids[:2]),
            Annotation(ids[0], "kind", review.id, actor="ann", kind="answer", detail=detail),
            Annotation(ids[1], "kind", review.id, actor="ann", kind="answer", detail={"verdict": "wrong"}),
        ]
    )
    assert [one.state for one in catalog.annotations.current("kind")] == ["proposed", "reviewed"]
