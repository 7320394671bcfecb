"""Which images judge a model: never those that it may have learned from."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from lucida.catalog import Catalog
from lucida.data import read_data
from lucida.data.division import divide, see_samples
from lucida.errors import InputError
from lucida.evaluate.choice import _digest, divided, images_of, latest_run, part_of
from lucida.models.spec import Spec
from pictures import write_pictures
from told_models import model, sample, samples


@pytest.mark.parametrize(
    ("splits", "asked", "wanted"),
    [
        (("train", "validation", "test"), None, "test"),
        (("train", "validation", "test"), "validation", "validation"),
        (("train", "validation"), None, "validation"),
        (("", ""), None, ""),
    ],
)
def test_the_strictest_part_judges(splits: tuple[str, ...], asked: str | None, wanted: str) -> None:
    data = samples("classify", ("cat",), [sample(n, "cat", split=split) for n, split in enumerate(splits)])
    found = part_of(data, asked)
    assert set(found.splits) == {wanted}
    assert bool(found.notes) == bool(wanted)


@pytest.mark.parametrize("asked", [None, "test"])
def test_a_training_part_judges_nothing(asked: str | None) -> None:
    data = samples("classify", ("cat",), [sample(1, "cat", split="train")])
    with pytest.raises(InputError, match="may learn from"):
        part_of(data, asked)


def test_a_model_of_no_training_needs_data() -> None:
    with pytest.raises(InputError, match="--data PLACE"):
        images_of(model("classify", ("cat",), lambda n: [1.0]), "classify", None, None, None)


def test_a_division_that_training_made_is_made_again_and_changes_are_said(tmp_path: Path) -> None:
    write_pictures(tmp_path, 12, by_class=True)
    data = read_data(tmp_path, "classify")
    seen = see_samples(data)
    digest = _digest(divide(data, seen=seen), seen)
    again = divided(data, {"digest": digest})
    assert again.splits["validation"] > 0
    assert not any("changed since" in note for note in again.notes)
    write_pictures(tmp_path, 1, first_seed=900, by_class=True)
    more = divided(read_data(tmp_path, "classify"), {"digest": digest})
    assert any("changed since" in note for note in more.notes)


def test_the_digest_is_the_one_that_training_notes(tmp_path: Path) -> None:
    from lucida.train.parts import parts

    write_pictures(tmp_path, 12, by_class=True)
    data = read_data(tmp_path, "classify")
    seen = see_samples(data)
    assert _digest(divide(data, seen=seen), seen) == parts(data).digest()


def _trained(folder: Path, data: Path) -> Spec:
    """Return the spec of a run that says what it was trained on."""
    (folder / "config.json").write_text(json.dumps({"data": str(data), "task": "classify"}))
    return replace(model("classify", ("disc",), lambda n: [1.0], name=str(folder)), family="trained")


def test_images_of_the_training_judge_nothing(tmp_path: Path) -> None:
    write_pictures(tmp_path / "data" / "train", 2, by_class=True)
    write_pictures(tmp_path / "data" / "validation", 2, first_seed=50, by_class=True)
    write_pictures(tmp_path / "other", 2, first_seed=80, by_class=True)
    spec = _trained(tmp_path, tmp_path / "data")
    assert len(images_of(spec, "classify", None, None, None)) == 6
    assert len(images_of(spec, "classify", tmp_path / "other", None, None)) == 6
    learned = next((tmp_path / "data" / "train" / "disc").iterdir())
    (tmp_path / "other" / "disc" / "again.png").write_bytes(learned.read_bytes())
    found = images_of(spec, "classify", tmp_path / "other", None, None)
    assert len(found) == 6
    assert any("trained on them" in note for note in found.notes)
    with pytest.raises(InputError, match="trained on all"):
        images_of(spec, "classify", tmp_path / "data" / "train", None, None)


def test_images_that_are_gone_are_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not to be had any more"):
        images_of(_trained(tmp_path, tmp_path / "gone"), "classify", None, None, None)


def test_answers_are_divided_as_training_did_or_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which answers a training took is known by its digest: here the accepted ones, not the proposals."""
    from lucida.train.parts import parts

    write_pictures(tmp_path / "some", 10, by_class=True)
    write_pictures(tmp_path / "more", 14, by_class=True)
    accepted, every = (read_data(tmp_path / name, "classify") for name in ("some", "more"))
    answers = {False: accepted, True: every}
    monkeypatch.setattr("lucida.data.catalog.read_answers", lambda catalog, question, proposed: answers[proposed])
    with Catalog.open(tmp_path / "catalog", create=True) as catalog:
        run = catalog.runs.start("train", question="label", model="m")
        config = {"data": "the answers to 'label'", "digest": parts(every).digest()}
        (catalog.runs.folder(run.id) / "config.json").write_text(json.dumps(config))
        spec = replace(model("classify", ("disc",), lambda n: [1.0], name=run.id), family="trained")
        found = images_of(spec, "classify", None, None, catalog)
        assert {one.name for one in found} == {one.name for one in parts(every).of("validation")}
        (catalog.runs.folder(run.id) / "config.json").write_text(json.dumps({**config, "include": "accepted"}))
        with pytest.raises(InputError, match="not to be had any more"):
            images_of(spec, "classify", None, None, catalog)
        (catalog.runs.folder(run.id) / "config.json").write_text(json.dumps({**config, "include": "proposed"}))
        found = images_of(spec, "classify", None, None, catalog)
        assert {one.name for one in found} == {one.name for one in parts(every).of("validation")}
        answers[True] = accepted
        with pytest.raises(InputError, match="not to be had any more"):
            images_of(spec, "classify", None, None, catalog)
        with pytest.raises(InputError, match="No training has finished"):
            latest_run(catalog)
        catalog.runs.finish(run.id)
        assert latest_run(catalog) == run.id
