"""Two label runs compared: who counts, what is left out, what is said."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from lucida import cli
from lucida.catalog import Annotation, Catalog, Run
from lucida.errors import InputError, UnknownName
from lucida.review.compare import compare_runs, refuse_unreviewed
from lucida.review.differences import differences_of
from lucida.review.pairing import KINDS, choose_runs, pair_up
from lucida.review.workflow import Review, Terms

TERMS = Terms(max_error=0.2)
Labeller = Callable[..., Run]


@pytest.fixture
def label(catalog: Catalog, truth: dict[str, str]) -> Labeller:
    """Write a label run that is wrong on every k-th image: `label("model", every=4)`."""

    def write(model: str, every: int = 0, *, offset: int = 0, question: str = "kind", **parameters: Any) -> Run:
        before = catalog.runs.latest("kind", "label")
        assert before is not None
        run = catalog.runs.start(
            "label", question=question, model=model, revision=before.revision, parameters=parameters
        )
        kinds = sorted(set(truth.values()))
        catalog.annotations.append(
            Annotation(
                image,
                question,
                run.id,
                label=kinds[(kinds.index(right) + 1) % 3] if every and (i + offset) % every == 0 else right,
                score=0.5 + (i % 50) / 100,
                detail={"reason": f"{model} saw it.", "cost": 0.001},
            )
            for i, (image, right) in enumerate(truth.items())
        )
        catalog.runs.finish(run.id)
        return run

    return write


def check(catalog: Catalog, truth: dict[str, str], most: int = 10_000, **options: Any) -> Review:
    """Answer a check truly, so many times at most, in an order that is always the same."""
    review = Review.open(catalog, terms=TERMS, teach=False, **{"seed": 1} | options)
    for _ in range(most):
        card = review.next()
        if card is None:
            break
        right = truth[card.image]
        review.answer(card.image, "right" if right == card.proposal else "wrong", right)
    return review


def compared(catalog: Catalog, *runs: Run, **options: Any) -> Any:
    pairing = pair_up(catalog, *choose_runs(catalog, [run.id for run in runs], None), **options)
    return compare_runs(catalog, pairing, **options)


# ---- what is counted ----------------------------------------------------------------------------------------------


def test_the_counts_are_those_of_the_reviewed_images(catalog: Catalog, truth: dict[str, str], label: Labeller) -> None:
    a, b = label("small", 4), label("large", 9)
    check(catalog, truth, 60)
    found = compared(catalog, a, b)
    current = {c.image for c in catalog.annotations.current("kind", state="reviewed")}
    reviewed = [image for image in truth if image in current]
    tables = [dict(zip(*catalog.annotations.table(run.id)[:2], strict=True)) for run in (a, b)]
    right = [sum(table[image] == truth[image] for image in reviewed) for table in tables]
    assert found.pairs.total == len(reviewed) >= 60
    assert [found.a.right, found.b.right] == right
    assert found.pairs.only_b - found.pairs.only_a == right[1] - right[0]
    assert found.differ == sum(tables[0][i] != tables[1][i] for i in truth)
    assert found.open == sum(tables[0][i] != tables[1][i] for i in truth if i not in current)
    assert sum(one.images for one in found.differing) == found.differ - found.open
    assert (found.checked, found.taught) == (len(reviewed), 0)
    assert found.a.cost == pytest.approx(0.36)


def test_everything_reviewed_is_known_exactly(catalog: Catalog, truth: dict[str, str], label: Labeller) -> None:
    a, b = label("small", 4), label("embedded", 9)
    review = Review.open(catalog, terms=Terms(max_error=0.2), teach=True)
    for _ in range(len(truth)):
        card = review.next()
        assert card is not None
        review.answer(card.image, "right" if card.proposal == truth[card.image] else "wrong", truth[card.image])
    found = compared(catalog, a, b)
    exact = (found.b.right - found.a.right) / len(truth)
    assert (found.found.low, found.found.high) == (exact, exact)
    assert found.found.verdict == "B better"
    assert found.open == found.checked == 0


def test_answers_from_teaching_say_nothing_of_other_images(
    catalog: Catalog, truth: dict[str, str], label: Labeller
) -> None:
    a, b = label("small", 4), label("embedded", 9)
    review = Review.open(catalog, terms=TERMS, teach=True)
    for _ in range(30):
        card = review.next()
        assert card is not None
        review.answer(card.image, "right" if card.proposal == truth[card.image] else "wrong", truth[card.image])
    found = compared(catalog, a, b)
    values = found.pairs.only_b - found.pairs.only_a
    assert (found.taught, found.checked, found.drawn) == (30, 0, 0)
    assert found.found.low == pytest.approx((values - found.open) / len(truth))
    assert found.found.high == pytest.approx((values + found.open) / len(truth))
    assert any("of these images only" in note for note in found.notes)


def test_a_check_finds_the_better_one_before_all_is_reviewed(
    catalog: Catalog, truth: dict[str, str], label: Labeller
) -> None:
    a, b = label("small", 2), label("large", 40)
    check(catalog, truth)
    found = compared(catalog, a, b)
    assert found.found.verdict == "B better"
    assert found.open > 0
    assert found.found.low <= (found.b.right - found.a.right) / found.pairs.total
    swapped = compared(catalog, b, a)
    assert swapped.found.verdict == "A better"
    assert (swapped.found.low, swapped.found.high) == (-found.found.high, -found.found.low)


def test_unsure_is_right_for_nobody(catalog: Catalog, truth: dict[str, str], label: Labeller) -> None:
    a, b = label("small", 2), label("large")
    review = Review.open(catalog, terms=TERMS, teach=False)
    for _ in range(10):
        card = review.next()
        assert card is not None
        review.answer(card.image, "unsure")
    found = compared(catalog, a, b)
    assert (found.unsure, found.a.right, found.b.right, found.pairs.neither) == (10, 0, 0, 10)


# ---- what a run has learned from -----------------------------------------------------------------------------------


def test_a_run_is_not_judged_on_what_it_learned_from(catalog: Catalog, truth: dict[str, str], label: Labeller) -> None:
    a = label("small", 4)
    review = Review.open(catalog, terms=TERMS, teach=False)
    asked = []
    for _ in range(20):
        card = review.next()
        assert card is not None
        asked.append(card.image)
        review.answer(card.image, "right" if card.proposal == truth[card.image] else "wrong", truth[card.image])
    blind, learned = label("large", 9), label("fitted", 9, mode="examples", origin="answers")
    assert compared(catalog, a, blind).pairs.total == 20
    pairing = pair_up(catalog, a, learned)
    assert pairing.excluded == (0, 20)
    assert not set(asked) & set(pairing.ids)
    with pytest.raises(InputError, match="Nobody has reviewed"):
        refuse_unreviewed(pairing)
    assert any("left out" in note for note in compare_runs(catalog, pairing).notes)


def test_learning_within_a_committee_counts_too(catalog: Catalog, truth: dict[str, str], label: Labeller) -> None:
    a = label("small", 4)
    check(catalog, truth, 12)
    members = [{"model": "x", "origin": "folder"}, {"model": "y", "calibration": {"origin": "answers"}}]
    b = label("several", 9, members=members)
    assert pair_up(catalog, a, b).excluded[1] >= 12


@pytest.mark.parametrize(
    ("parameters", "learned"),
    [
        ({"mode": "words"}, False),
        ({"mode": "asked"}, False),
        ({"mode": "asked", "instructions": {"name": "kinds", "origin": "answers"}}, True),
        ({"mode": "examples", "origin": "folder"}, False),
        ({"mode": "examples", "origin": "answers"}, True),
        ({"mode": "something new"}, True),
        ({}, False),
    ],
)
def test_how_a_run_labels_decides_whether_it_has_read_the_answers(
    catalog: Catalog, truth: dict[str, str], label: Labeller, parameters: dict[str, Any], learned: bool
) -> None:
    a = label("small", 4)
    check(catalog, truth, 12)
    b = label("other", 9, **parameters)
    assert (pair_up(catalog, a, b).excluded[1] >= 12) is learned


def test_a_taught_run_is_not_judged_on_what_it_was_taught(catalog: Catalog, truth: dict[str, str]) -> None:
    review = Review.open(catalog, terms=TERMS, teach=True)
    for _ in range(15):
        card = review.next()
        assert card is not None
        review.answer(card.image, "right" if card.proposal == truth[card.image] else "wrong", truth[card.image])
    labelled = review.source
    review.freeze()
    pairing = pair_up(catalog, labelled, review.source)
    assert len(pairing.ids) == len(truth) - 15
    assert pairing.excluded == (0, 15)


def test_fresh_leaves_out_what_was_answered_before(catalog: Catalog, truth: dict[str, str], label: Labeller) -> None:
    a = label("small", 4)
    check(catalog, truth, 12)
    b = label("small", 9, instructions={"name": "kinds", "version": 2, "digest": "d"})
    found = compared(catalog, a, b)
    assert found.early == found.pairs.total >= 12
    assert any("--fresh" in note for note in found.notes)
    assert compared(catalog, a, b, fresh=True).pairs.total == 0


# ---- which runs ----------------------------------------------------------------------------------------------------


def test_the_two_latest_that_differ_are_compared(catalog: Catalog, label: Labeller) -> None:
    one = {"name": "kinds", "version": 1, "digest": "c"}
    two = {"name": "kinds", "version": 2, "digest": "d"}
    label("large", 2, instructions=one)
    first, second = label("small", 4, instructions=one), label("small", 9, instructions=two)
    label("small", 9, instructions=two, again=1)
    a, b = choose_runs(catalog, [], None)
    assert (a.id, b.parameters["instructions"]) == (first.id, two)
    assert [r.id for r in choose_runs(catalog, [second.id], None)] == [second.id, first.id]


def test_runs_that_cannot_be_compared_are_refused(catalog: Catalog, truth: dict[str, str], label: Labeller) -> None:
    with pytest.raises(InputError, match="no two runs"):
        choose_runs(catalog, [], None)
    a, other = label("small", 4), label("small", 4, question="colour")
    with pytest.raises(InputError, match="with itself"):
        choose_runs(catalog, [a.id, a.id], None)
    with pytest.raises(InputError, match="one question"):
        choose_runs(catalog, [a.id, other.id], None)
    with pytest.raises(UnknownName, match="run"):
        choose_runs(catalog, [a.id, "label-nonsense"], None)
    with pytest.raises(UnknownName, match="question"):
        choose_runs(catalog, [], "knid")
    check(catalog, truth, 1)
    review = catalog.runs.latest(verb="review")
    assert review is not None
    with pytest.raises(InputError, match="made no labels"):
        choose_runs(catalog, [review.id], None)


def test_runs_without_a_common_image_are_refused(catalog: Catalog, label: Labeller) -> None:
    empty = catalog.runs.start("label", question="kind", model="none", revision="1")
    with pytest.raises(InputError, match="no image in common"):
        pair_up(catalog, label("small"), empty)


# ---- the verb ------------------------------------------------------------------------------------------------------


def test_the_verb_says_what_each_is_and_who_is_better(
    catalog: Catalog, truth: dict[str, str], label: Labeller, capsys: pytest.CaptureFixture[str]
) -> None:
    a = label("small", 2)
    b = label("large", 40, instructions={"name": "kinds", "version": 2, "digest": "d"})
    where = ["--catalog", str(catalog.path)]
    assert cli.run(["compare", *where]) == cli.FAILED
    assert "Nobody has reviewed" in capsys.readouterr().err
    check(catalog, truth)
    assert cli.run(["compare", *where]) == cli.DONE
    text = capsys.readouterr().out
    assert f"A  small, $0.36 ({a.id})" in text
    assert f"B  large, instructions 'kinds' version 2, $0.36 ({b.id})" in text
    assert "B is better: over all 360 images" in text
    assert "--page" in text
    assert cli.run(["compare", b.id, a.id, "--json", "--confidence", "0.9", *where]) == cli.DONE
    body = json.loads(capsys.readouterr().out)
    assert body["verdict"] == "A better"
    assert body["difference"]["confidence"] == 0.9
    assert body["evidence"]["a"] > 20 > body["evidence"]["b"]
    assert (body["a"]["run"], body["b"]["run"]) == (b.id, a.id)
    assert set(body["pairs"]) == {"both", "only_a", "only_b", "neither"}
    assert cli.run(["compare", *where, "--confidence", "2"]) == cli.FAILED
    assert "confidence" in capsys.readouterr().err


def test_comparing_writes_nothing(catalog: Catalog, truth: dict[str, str], label: Labeller) -> None:
    a, b = label("small", 4), label("large", 9)
    check(catalog, truth, 40)
    before = len(catalog.annotations.rows(question="kind")), len(catalog.runs.all())
    compared(catalog, a, b)
    assert (len(catalog.annotations.rows(question="kind")), len(catalog.runs.all())) == before


# ---- image by image -------------------------------------------------------------------------------------------------


def test_differences_come_reviewed_first_and_then_the_surest(
    catalog: Catalog, truth: dict[str, str], label: Labeller
) -> None:
    a, b = label("small", 4), label("large", 9)
    check(catalog, truth, 60)
    shown = differences_of(catalog, "kind")
    assert shown is not None
    view = shown.look()
    rows = shown.rows("", 0, 1000)
    assert (view["a"]["run"], view["b"]["run"]) == (a.id, b.id)
    assert len(rows) == view["differ"] == view["counts"][""] == sum(view["counts"][kind] for kind in KINDS)
    kinds = [row["kind"] for row in rows]
    assert kinds == sorted(kinds, key=KINDS.index)
    for row in rows:
        said = {name: row[name]["label"] for name in ("a", "b")}
        assert said["a"] != said["b"]
        assert row["label"] == (None if row["kind"] == "open" else truth[row["image"]])
        if row["kind"] in said:
            assert said[row["kind"]] == row["label"]
        assert row["a"]["reason"] == "small saw it."
        assert row["url"] == f"/image/{row['image']}"
    open_ = [min(row["a"]["score"], row["b"]["score"]) for row in rows if row["kind"] == "open"]
    assert open_ == sorted(open_, reverse=True)
    assert shown.rows("open", 2, 3) == [row for row in rows if row["kind"] == "open"][2:5]
    assert shown.rows("", 10_000, 40) == []
    assert shown.image(rows[0]["image"])[1] == "image/png"
    json.dumps([view, rows], allow_nan=False)
    # An answer given meanwhile shows at the next look.
    before = view["open"]
    check(catalog, truth, 100)
    assert shown.look()["open"] < before


def test_there_are_no_differences_without_a_second_run(catalog: Catalog) -> None:
    assert differences_of(catalog, "kind") is None


def test_the_page_opens_though_nothing_is_reviewed(
    catalog: Catalog, label: Labeller, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    served: list[Any] = []
    monkeypatch.setattr("lucida.studio.serve_differences", lambda shown, **options: served.append((shown, options)))
    a, b = label("small", 4), label("large", 9)
    assert cli.run(["compare", "--page", "--no-browser", "--catalog", str(catalog.path)]) == cli.DONE
    ((shown, options),) = served
    assert (shown.a.id, shown.b.id, options) == (a.id, b.id, {"port": 0, "open_browser": False})
    assert "Not known yet" in capsys.readouterr().out
