"""`lucida train --plan`: advice from what the catalog shows, every figure with its origin."""

from __future__ import annotations

from pathlib import Path

import pytest

from lucida.catalog import Annotation, Catalog, add
from lucida.errors import CatalogError, InputError
from lucida.train.plan import Wishes, plan_training, read_latency
from lucida.train.verb import train
from pictures import KINDS, write_pictures


@pytest.fixture
def catalog(tmp_path: Path, monkeypatch):
    """Sixty pictures with a proposal each."""
    monkeypatch.chdir(tmp_path)
    key = write_pictures(tmp_path / "photos", 20)
    add([tmp_path / "photos"])
    with Catalog.open() as opened:
        run = opened.runs.start("label", question="label", model="embedded", parameters={"mode": "examples"})
        names = opened.images.names(opened.images.ids())
        rows = [
            Annotation(image=id, question="label", run=run.id, label=key[Path(name).name], score=0.9)
            for id, name in names.items()
        ]
        opened.annotations.append(rows)
        yield opened


def check(catalog: Catalog, right: int, wrong: int) -> None:
    """Let a person check so many proposals."""
    run = catalog.runs.start("review", question="label")
    rows = []
    for number, id in enumerate(catalog.images.ids()[: right + wrong]):
        verdict = "right" if number < right else "wrong"
        label = catalog.annotations.rows(image=id, kind="proposal")[0].label if verdict == "right" else KINDS[0]
        rows.append(
            Annotation(
                image=id,
                question="label",
                run=run.id,
                actor="Ada",
                kind="answer",
                label=label,
                detail={"verdict": verdict},
            )
        )
    catalog.annotations.append(rows)


def test_a_large_model_that_keeps_every_wish_is_enough(catalog):
    check(catalog, 60, 0)
    plan = plan_training(catalog, "label", Wishes(max_error=0.1))
    assert plan.verdict == "the large model is enough"
    assert "100.0% right of 60" in plan.facts["its labels, checked by people"]
    assert "measured" in plan.facts["its time"]


def test_labels_that_are_too_often_wrong_are_a_reason_to_train(catalog):
    check(catalog, 45, 15)
    plan = plan_training(catalog, "label", Wishes())
    assert plan.verdict == "train"
    assert any("75.0% were right" in reason for reason in plan.reasons)
    assert plan.candidates[0].model in plan.command
    assert plan.command.startswith("lucida train classify --model ")
    text = str(plan)
    assert "computed" in text
    assert "measured" in text


def test_without_labels_that_hold_the_advice_is_to_label_first(catalog):
    plan = plan_training(catalog, "label", Wishes())
    assert plan.verdict == "label first"
    assert any("Nobody has checked" in reason for reason in plan.reasons)


def test_a_model_too_slow_for_the_wish_is_not_enough(catalog):
    check(catalog, 60, 0)
    plan = plan_training(catalog, "label", Wishes(latency=1e-6, max_error=0.1))
    assert plan.verdict == "train"
    assert not plan.candidates[0].fits
    assert any("compress" in reason for reason in plan.reasons)


def test_a_model_that_sends_images_away_is_not_private(catalog, monkeypatch):
    # A later run at an address: only its name decides, nothing is sent.
    run = catalog.runs.start("label", question="label", model="gpt-4o", parameters={"mode": "asked"})
    ids = catalog.images.ids()
    catalog.annotations.append(
        Annotation(image=id, question="label", run=run.id, label=KINDS[0], score=0.9, detail={"cost": 0.002})
        for id in ids
    )
    check(catalog, 60, 0)
    plan = plan_training(catalog, "label", Wishes(private=True, max_error=0.1))
    assert any("must not leave this machine" in reason for reason in plan.reasons)
    assert plan.facts["its price"] == "2 US dollars (measured) per 1,000 images"


def test_the_verb_gives_the_plan_as_json_and_trains_nothing(catalog):
    check(catalog, 45, 15)
    plan = train(plan=True, latency="10ms")
    body = plan.to_json()
    assert body["verdict"] == "train"
    assert {"model", "latency", "size", "fits"} <= set(body["candidates"][0])
    assert not [run for run in catalog.runs.all() if run.verb == "train"]


@pytest.mark.parametrize(("text", "value"), [("10ms", 10), ("0.2s", 200), (" 7 ", 7), (None, None)])
def test_times_are_read(text, value):
    assert read_latency(text) == value


@pytest.mark.parametrize("text", ["fast", "0ms", "-3ms", "1.2.3", ""])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(InputError, match="no time"):
        read_latency(text)


def test_wishes_without_a_plan_are_refused(catalog):
    with pytest.raises(InputError, match="--plan"):
        train(latency="10ms")


def test_a_plan_needs_a_catalog(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CatalogError):
        train(plan=True)
