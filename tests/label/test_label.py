"""The verb `label` on a real catalog: by examples, by words, by answers, again, and refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import lucida.runs.vectors as runs
from lucida.catalog import Annotation, Catalog, add
from lucida.errors import CatalogError, ImageError, InputError, LucidaError, ModelError, UnknownName
from lucida.images import content_id
from lucida.label import label
from lucida.models import Gives, ImageNeeds, Model, Spec, registry
from pictures import KINDS, picture, write_pictures


def proposals(place, run: str) -> dict[str, Annotation]:
    with Catalog.open(place.catalog) as catalog:
        return {row.image: row for row in catalog.annotations.rows(run=run)}


def held(place) -> tuple:
    """All that a refused call must leave as it was."""
    with Catalog.open(place.catalog) as catalog:
        return (
            catalog.images.ids(),
            [run.id for run in catalog.runs.all()],
            [(row.image, row.run, row.label) for row in catalog.annotations.rows()],
        )


def refused(place, kind: type[LucidaError], **options) -> LucidaError:
    before = held(place)
    with pytest.raises(kind) as caught:
        label(catalog=place.catalog, **options)
    error = caught.value
    assert all((error.what, error.expected, error.got, error.hint)), error
    assert held(place) == before
    return error


# By examples


def test_by_examples(place):
    result = label(examples=place.examples, question="kind", catalog=place.catalog)
    assert (result.images, result.new, result.taught, result.skipped) == (24, 24, 0, 0)
    assert result.classes == KINDS
    truth, found = place.truth(), proposals(place, result.run)
    assert set(found) == set(truth)
    assert np.mean([found[image].label == truth[image] for image in truth]) >= 0.9
    for row in found.values():
        assert row.kind == "proposal"
        scores = [row.score, *(score for _, score in row.detail["runner_up"])]
        assert scores == sorted(scores, reverse=True)
        assert sum(scores) == pytest.approx(1, abs=1e-4)
        assert {row.label, *(name for name, _ in row.detail["runner_up"])} == set(KINDS)
    assert result.accuracy is not None
    assert result.accuracy[1] <= result.accuracy[0] <= result.accuracy[2]


def test_what_a_run_says_of_itself(place):
    result = label(examples=place.examples, question="kind", catalog=place.catalog)
    with Catalog.open(place.catalog) as catalog:
        run = catalog.runs.get(result.run)
        folder = catalog.runs.folder(result.run)
        kept = pq.read_table(folder / "examples.parquet")
        vectors = catalog.vectors.get(run.parameters["vectors"], catalog.images.ids())
    assert (run.verb, run.question, run.model) == ("label", "kind", "embedded")
    assert run.finished is not None
    assert run.parameters["mode"] == "examples"
    assert run.parameters["classes"] == list(KINDS)
    by_hand = {content_id(path.read_bytes()): path.parent.name for path in place.examples.rglob("*.png")}
    assert dict(zip(kept["id"].to_pylist(), kept["label"].to_pylist(), strict=True)) == by_hand
    assert len(kept["vector"][0]) == vectors.shape[1] == registry.find("embedded").gives.dimensions


def test_the_result_as_text_and_json(place):
    result = label(examples=place.examples, question="kind", catalog=place.catalog)
    plain = json.loads(json.dumps(result.to_json()))
    assert plain["run"] == result.run
    assert plain["classes"] == list(KINDS)
    text = str(result)
    assert "24 images have a label for 'kind'" in text
    assert "an estimate, not a proof" in text
    assert "lucida review --question kind" in text


def test_examples_are_not_added(place):
    label(examples=place.examples, catalog=place.catalog)
    with Catalog.open(place.catalog) as catalog:
        assert catalog.images.count() == 24


def test_again_labels_nothing_and_computes_nothing(place, monkeypatch):
    first = label(examples=place.examples, catalog=place.catalog)
    before = held(place)
    monkeypatch.setattr(runs, "prepare", lambda *_: pytest.fail("nothing is left to see"))
    again = label(examples=place.examples, catalog=place.catalog)
    assert (again.run, again.new, again.images) == (first.run, 0, 24)
    assert again.accuracy == first.accuracy
    assert held(place) == before


def test_again_labels_only_what_was_added(place, tmp_path):
    first = label(examples=place.examples, catalog=place.catalog)
    before = proposals(place, first.run)
    write_pictures(tmp_path / "more", 2, first_seed=5000)
    add([tmp_path / "more"], catalog=place.catalog)
    again = label(examples=place.examples, catalog=place.catalog)
    assert (again.run, again.new, again.images) == (first.run, 6, 30)
    after = proposals(place, first.run)
    assert {image: after[image] for image in before} == before
    assert len(after) == 30


def test_other_examples_are_another_run(place):
    first = label(examples=place.examples, catalog=place.catalog)
    picture("disc", 77).save(place.examples / "disc" / "one more.png")
    other = label(examples=place.examples, catalog=place.catalog)
    assert other.run != first.run
    assert other.new == 24
    # Going back is said anew: the latest run counts.
    (place.examples / "disc" / "one more.png").unlink()
    back = label(examples=place.examples, catalog=place.catalog)
    assert back.run not in (first.run, other.run)
    assert {i: r.label for i, r in proposals(place, back.run).items()} == {
        i: r.label for i, r in proposals(place, first.run).items()
    }


def test_a_photo_with_the_bytes_of_an_example_is_taught(place):
    source = sorted((place.examples / "disc").iterdir())[0]
    add([source], catalog=place.catalog)
    result = label(examples=place.examples, question="kind", catalog=place.catalog)
    assert (result.images, result.taught) == (25, 1)
    image = content_id(source.read_bytes())
    row = proposals(place, result.run)[image]
    assert (row.kind, row.label, row.score) == ("taught", "disc", None)
    with Catalog.open(place.catalog) as catalog:
        (now,) = (c for c in catalog.annotations.current("kind") if c.image == image)
    assert (now.state, now.label, now.kept) == ("reviewed", "disc", False)


def test_questions_do_not_mix(place):
    kind = label(examples=place.examples, question="kind", catalog=place.catalog)
    shutil.rmtree(place.examples / "disc")
    other = label(examples=place.examples, question="other", catalog=place.catalog)
    assert other.classes == ("square", "stripes")
    assert {row.label for row in proposals(place, other.run).values()} <= {"square", "stripes"}
    assert "disc" in {row.label for row in proposals(place, kind.run).values()}


def test_chinese_class_names(place):
    names = dict(zip(KINDS, ("圆盘", "方块", "条纹 (细)"), strict=True))
    for old, new in names.items():
        (place.examples / old).rename(place.examples / new)
    result = label(examples=place.examples, question="形状", catalog=place.catalog)
    assert set(result.classes) == set(names.values())
    truth, found = place.truth(), proposals(place, result.run)
    assert np.mean([found[image].label == names[truth[image]] for image in truth]) >= 0.9
    assert "形状" in str(result)


def test_a_bad_file_among_examples_is_told_and_passed_over(place):
    (place.examples / "disc" / "broken.png").write_bytes(b"no image")
    (place.examples / "notes.txt").write_text("mine")
    (place.examples / "disc" / ".hidden").write_bytes(b"")
    result = label(examples=place.examples, catalog=place.catalog)
    assert result.new == 24
    assert len([note for note in result.notes if "Not an example" in note]) == 2
    assert any("broken.png" in note for note in result.notes)
    assert any("notes.txt" in note for note in result.notes)


def test_an_image_that_is_gone_is_skipped_and_tried_again(place, tmp_path):
    photos = tmp_path / "more"
    write_pictures(photos, 1, first_seed=7000)
    add([photos], catalog=place.catalog)
    (gone,) = (path for path in photos.iterdir() if path.name == "picture 07001.png")
    data = gone.read_bytes()
    gone.unlink()
    result = label(examples=place.examples, catalog=place.catalog)
    assert (result.images, result.new, result.skipped) == (26, 26, 1)
    assert any(gone.name in note for note in result.notes)
    gone.write_bytes(data)
    again = label(examples=place.examples, catalog=place.catalog)
    assert (again.run, again.new, again.skipped, again.images) == (result.run, 1, 0, 27)


def test_no_image_can_be_read(tmp_path, place):
    photos = tmp_path / "lost"
    write_pictures(photos, 1)
    add([photos], catalog=tmp_path / "other")
    shutil.rmtree(photos)
    for options in ({"classes": "cat,dog"}, {"examples": place.examples}):
        with pytest.raises(ImageError, match="None of the 3 images") as caught:
            label(catalog=tmp_path / "other", **options)
        assert all((caught.value.expected, caught.value.got, caught.value.hint))
    with Catalog.open(tmp_path / "other") as catalog:
        assert catalog.runs.all() == []


# By words


def test_by_words(place):
    result = label(classes="dress,hat,shoes", question="thing", catalog=place.catalog)
    assert (result.images, result.new, result.accuracy) == (24, 24, None)
    assert result.classes == ("dress", "hat", "shoes")
    rows = proposals(place, result.run).values()
    assert {row.label for row in rows} <= set(result.classes)
    assert all(0 < row.score <= 1 for row in rows)
    assert any("knows words well only among" in note for note in result.notes)
    again = label(classes="dress,hat,shoes", question="thing", catalog=place.catalog)
    assert (again.run, again.new) == (result.run, 0)


def test_by_words_of_a_file_with_none_of_these(place, tmp_path):
    file = tmp_path / "classes.yaml"
    file.write_text("连衣裙: [dress, gown]\n帽子: hat\nnone_of_these: true\n", encoding="utf-8")
    result = label(classes=str(file), catalog=place.catalog)
    assert result.classes == ("连衣裙", "帽子", "none of these")
    plain = label(classes="dress,hat", none_of_these=True, question="plain", catalog=place.catalog)
    assert plain.classes == ("dress", "hat", "none of these")


# By earlier answers, and by a model's own classes


def answered(place, question: str, labels: dict[str, str]) -> None:
    with Catalog.open(place.catalog) as catalog:
        run = catalog.runs.latest(question)
        detail = {"verdict": "wrong"}
        catalog.annotations.append(
            Annotation(image, question, run.id, actor="ann", sequence=i, kind="answer", label=name, detail=detail)
            for i, (image, name) in enumerate(labels.items(), start=1)
        )


def test_by_earlier_answers(place):
    first = label(classes="disc,square,stripes", question="kind", catalog=place.catalog)
    truth = place.truth()
    some = dict(list(truth.items())[:3] + list(truth.items())[8:11] + list(truth.items())[16:19])
    answered(place, "kind", some)
    result = label(question="kind", catalog=place.catalog)
    assert result.run != first.run
    assert result.taught == len(some)
    found = proposals(place, result.run)
    assert {image for image, row in found.items() if row.kind == "taught"} == set(some)
    rest = [image for image in truth if image not in some]
    assert np.mean([found[image].label == truth[image] for image in rest]) >= 0.85
    with Catalog.open(place.catalog) as catalog:
        assert catalog.runs.get(result.run).parameters["origin"] == "answers"


def test_answers_of_one_class_teach_nothing(place):
    label(classes="disc,square", question="kind", catalog=place.catalog)
    image = next(iter(place.truth()))
    answered(place, "kind", {image: "disc"})
    error = refused(place, InputError, question="kind")
    assert "nothing to label by" in error.what
    assert "1 answers" in error.got


class Brightness(Model):
    """A classifier of the test's own: is it bright?"""

    def logits(self, batch):
        mean = batch.mean(axis=(1, 2, 3))
        return np.stack([0.5 - mean, mean - 0.5], axis=1).astype(np.float32) * 20


@pytest.fixture
def bright(monkeypatch) -> Spec:
    spec = Spec(
        "bright",
        "test",
        ("classify",),
        ImageNeeds(8),
        Gives(classes=("dark", "bright")),
        "none",
        "a test",
        "1",
        note="Knows light only.",
        build=lambda spec, precision, sample: Brightness(spec),
    )
    monkeypatch.setattr(registry, "find", lambda name, home=None: spec)
    return spec


def test_by_classes_of_the_model(place, bright):
    result = label(model="bright", catalog=place.catalog)
    assert result.classes == ("dark", "bright")
    assert result.notes == ("Knows light only.",)
    truth, found = place.truth(), proposals(place, result.run)
    # Squares are drawn on a bright ground, discs on a dark one.
    by_kind = {kind: {found[image].label for image in truth if truth[image] == kind} for kind in ("disc", "square")}
    assert by_kind == {"disc": {"dark"}, "square": {"bright"}}


def test_examples_need_vectors(place, bright):
    error = refused(place, ModelError, examples=place.examples, model="bright")
    assert "cannot learn from examples" in error.what


# Refused, and nothing has changed


def test_nothing_to_label_by(place):
    assert "nothing to label by" in refused(place, InputError).what


def test_two_ways_at_once(place):
    assert "together" in refused(place, InputError, examples=place.examples, classes="a,b").what
    assert "needs classes" in refused(place, InputError, examples=place.examples, none_of_these=True).what


def test_missing_folder(place):
    assert "no folder" in refused(place, InputError, examples=place.examples / "nowhere").what
    (place.examples / "file").write_text("")
    assert refused(place, InputError, examples=place.examples / "file").got == "a file"


def test_no_class_and_one_class(place, tmp_path):
    (tmp_path / "empty").mkdir()
    assert "no class" in refused(place, InputError, examples=tmp_path / "empty").what
    for kind in KINDS[1:]:
        shutil.rmtree(place.examples / kind)
    assert "one class only" in refused(place, InputError, examples=place.examples).what


def test_a_class_with_one_or_no_example(place):
    for path in sorted((place.examples / "disc").iterdir())[1:]:
        path.unlink()
    error = refused(place, InputError, examples=place.examples)
    assert "'disc' has one example" in error.what
    next((place.examples / "disc").iterdir()).write_bytes(b"no image any more")
    error = refused(place, InputError, examples=place.examples)
    assert "'disc' has no example" in error.what
    assert "picture" in error.got


def test_one_image_under_two_classes(place):
    source = sorted((place.examples / "disc").iterdir())[0]
    shutil.copy(source, place.examples / "square" / "copy.png")
    error = refused(place, InputError, examples=place.examples)
    assert "two classes, 'disc' and 'square'" in error.what
    assert "copy.png" in error.got


@pytest.mark.parametrize("classes", ["cat", "cat,cat", "cat,,dog", "", "nowhere.yaml"])
def test_classes_that_are_not_clear(place, classes):
    refused(place, InputError, classes=classes)


def test_unknown_models(place):
    assert "did you mean 'embedded'" in refused(place, UnknownName, examples=place.examples, model="embeded").hint
    assert "'siglip2'" in refused(place, UnknownName, classes="cat,dog", model="siglip22").hint
    refused(place, ModelError, classes="cat,dog", model="onnx:nowhere/model.toml")


def test_a_precision_that_this_machine_lacks_starts_no_run(place, monkeypatch):
    monkeypatch.setenv("LUCIDA_ENGINE", "onnxruntime")
    assert "bf16" in refused(place, ModelError, examples=place.examples, precision="bf16").what


@pytest.mark.parametrize("how", ["examples", "classes", "nothing"])
def test_a_catalog_without_images(place, tmp_path, how):
    with Catalog.open(tmp_path / "new", create=True):
        pass
    options = {"examples": {"examples": place.examples}, "classes": {"classes": "a,b"}, "nothing": {}}[how]
    with pytest.raises(InputError) as caught:
        label(catalog=tmp_path / "new", **options)
    assert caught.value.what == "There are no images in this catalog."
    assert caught.value.hint == "lucida add FOLDER"
    assert all((caught.value.expected, caught.value.got))
    with Catalog.open(tmp_path / "new") as catalog:
        assert catalog.runs.all() == []


def test_no_catalog(place, tmp_path):
    with pytest.raises(CatalogError) as caught:
        label(classes="a,b", catalog=tmp_path / "nowhere")
    assert caught.value.hint
    assert not Path(tmp_path / "nowhere").exists()
