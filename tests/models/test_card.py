"""The TOML beside a model: what is read from it, and what a person is told about a wrong one."""

from __future__ import annotations

from pathlib import Path

import pytest

from lucida.errors import InputError, LucidaError, ModelError, UnknownName
from lucida.models import find
from lucida.models.onnx.card import read_card


def rewrite(folder: Path, old: str, new: str) -> Path:
    card = folder / "model.toml"
    text = card.read_text(encoding="utf-8")
    assert old in text, "the test must change something"
    card.write_text(text.replace(old, new), encoding="utf-8")
    return card


def refused(card: Path, kind: type[LucidaError] = InputError) -> LucidaError:
    with pytest.raises(kind) as caught:
        read_card(card)
    error = caught.value
    assert all((error.what, error.expected, error.got, error.hint)), error
    assert card.name in str(error)
    return error


def test_what_a_card_says(copy):
    card = read_card(copy("encoder") / "model.toml")
    assert (card.name, card.task, card.licence, card.source) == ("tiny", "encode", "none", "made by a test")
    assert (card.needs.size, card.needs.resize, card.needs.channels, card.needs.layout) == (16, "crop", "RGB", "NCHW")
    assert card.needs.interpolation == "area"
    assert card.needs.std == (0.2, 0.3, 0.4)
    assert (card.input, card.embedding, card.logits, card.classes, card.text) == ("pixels", "vector", "", (), None)
    pair = read_card(copy("clip") / "model.toml").text
    assert pair is not None
    assert (pair.context, pair.template, pair.logit_scale) == (8, "a photo of a {}", 20.0)


@pytest.mark.parametrize(
    ("old", "new", "key", "expectation"),
    [
        ("size = 16", 'size = "16"', "size", "a whole number greater than 0"),
        ("size = 16", "size = 0", "size", "a whole number greater than 0"),
        ("size = 16", "size = true", "size", "a whole number greater than 0"),
        ("size = 16", "size = 16.5", "size", "a whole number greater than 0"),
        ('resize = "crop"', 'resize = "cut"', "resize", "one of 'squash', 'crop', 'pad'"),
        ('resize = "crop"', "channels = 3", "channels", "one of 'RGB', 'BGR', 'L', 'raw'"),
        ('resize = "crop"', 'layout = "HWC"', "layout", "one of 'NCHW', 'NHWC'"),
        (
            'resize = "crop"',
            'interpolation = "cubic"',
            "interpolation",
            "one of 'area', 'bilinear', 'bicubic', 'lanczos', 'nearest'",
        ),
        ('resize = "crop"', "scale = 0", "scale", "a number greater than 0"),
        ("mean = [0.5, 0.4, 0.3]", "mean = 0.5", "mean", "a list of numbers, one a channel"),
        ("mean = [0.5, 0.4, 0.3]", "mean = []", "mean", "a list of numbers, one a channel"),
        ("mean = [0.5, 0.4, 0.3]", 'mean = ["0.5"]', "mean", "a list of numbers, one a channel"),
        ("mean = [0.5, 0.4, 0.3]", "mean = [0.5]", "mean", "3 numbers for channels 'RGB'"),
        ("std = [0.2, 0.3, 0.4]", "std = [0.2, 0.0, 0.4]", "std", "a list of numbers, one a channel greater than 0"),
        ("std = [0.2, 0.3, 0.4]", "std = [0.2, 0.3]", "std", "3 numbers for channels 'RGB'"),
        (
            'task = "encode"',
            'task = "paint"',
            "task",
            "one of 'encode', 'classify', 'clip', 'tag', 'detect', 'segment', 'anomaly'",
        ),
        ('licence = "none"', 'licence = ""', "licence", "a text that is not empty"),
        ('licence = "none"', "note = 3", "note", "a text that is not empty"),
        ("[input]", "measured = 3\n[input]", "measured", "a table"),
    ],
)
def test_a_wrong_value_names_its_key_and_what_it_must_be(copy, old, new, key, expectation):
    error = refused(rewrite(copy("encoder"), old, new))
    assert repr(key) in error.what
    assert error.expected == expectation


@pytest.mark.parametrize(
    ("model", "old", "key"),
    [
        ("encoder", 'name = "tiny"\n', "name"),
        ("encoder", 'task = "encode"\n', "task"),
        ("encoder", 'file = "model.onnx"\n', "file"),
        ("encoder", "size = 16\n", "size"),
        ("encoder", 'embedding = "vector"\n', "embedding"),
        ("classifier", 'logits = "scores"\n', "logits"),
        ("classifier", 'classes = "classes.txt"\n', "classes"),
        ("clip", 'embedding = "image_embeds"\n', "embedding"),
        ("clip", 'tokenizer = "tokenizer.json"\n', "tokenizer"),
        ("clip", 'file = "text.onnx"\n', "file"),
    ],
)
def test_a_missing_key_is_named(copy, model, old, key):
    error = refused(rewrite(copy(model), old, ""))
    assert f"lacks the key {key!r}" in error.what
    assert "add it to model.toml" in error.hint


@pytest.mark.parametrize(
    ("old", "new", "where", "nearest"),
    [
        ("size = 16", "sise = 16", "[input]", "size"),
        ('resize = "crop"', 'resise = "crop"', "[input]", "resize"),
        ('licence = "none"', 'license = "none"', "the top", "licence"),
        ("embedding =", "embeding =", "[output]", "embedding"),
        ("[output]", "[outputs]", "the top", "output"),
    ],
)
def test_an_unknown_key_is_answered_with_the_nearest(copy, old, new, where, nearest):
    error = refused(rewrite(copy("encoder"), old, new), UnknownName)
    assert where in error.what
    assert f"did you mean {nearest!r}" in error.hint


def test_words_without_a_place_for_the_class(copy):
    error = refused(rewrite(copy("clip"), "context = 8", 'context = 8\ntemplate = "a photo"'))
    assert "'template'" in error.what


def test_what_is_no_toml_at_all(copy):
    folder = copy("encoder")
    error = refused(rewrite(folder, "[input]", "[input"))
    assert "not valid TOML" in error.what
    (folder / "model.toml").write_bytes(b"\xff\xfe")
    assert "not valid TOML" in refused(folder / "model.toml").what
    assert "cannot be read" in refused(folder / "none.toml", ModelError).what


@pytest.mark.parametrize(
    ("model", "file"),
    [("encoder", "model.onnx"), ("classifier", "classes.txt"), ("clip", "text.onnx"), ("clip", "tokenizer.json")],
)
def test_a_missing_file_is_named(copy, model, file):
    folder = copy(model)
    (folder / file).unlink()
    error = refused(folder / "model.toml", ModelError)
    assert repr(file) in error.what


@pytest.mark.parametrize(
    ("text", "classes"),
    [
        ('["cat", "dog"]', ("cat", "dog")),
        ('{"0": "cat", "1": "dog"}', ("cat", "dog")),
        ('[{"name": "cat", "synonyms": ["kitty"]}, "dog"]', ("cat", "dog")),
        ('["猫", " dog "]', ("猫", "dog")),
    ],
)
def test_classes_as_json(copy, text, classes):
    folder = copy("classifier")
    (folder / "classes.json").write_text(text, encoding="utf-8")
    assert read_card(rewrite(folder, "classes.txt", "classes.json")).classes == classes


@pytest.mark.parametrize("text", ["[1, 2]", "7", "[", '[{"synonyms": ["kitty"]}]', '[""]', "[]"])
def test_classes_that_are_none(copy, text):
    folder = copy("classifier")
    (folder / "classes.json").write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_card(rewrite(folder, "classes.txt", "classes.json"))
    assert "classes.json" in caught.value.what
    assert all((caught.value.expected, caught.value.got, caught.value.hint))


@pytest.mark.parametrize("file", ["model.onnx", "text.onnx", "tokenizer.json"])
def test_any_changed_file_changes_the_revision(copy, file):
    folder = copy("clip")
    before = read_card(folder / "model.toml").digest
    assert read_card(folder / "model.toml").digest == before
    with (folder / file).open("ab") as opened:
        opened.write(b"\n")
    assert read_card(folder / "model.toml").digest != before


def test_what_a_card_says_of_use_changes_the_revision_and_what_it_says_to_people_does_not(copy):
    folder = copy("clip")
    before = read_card(folder / "model.toml").digest
    rewrite(folder, "[input]", 'note = "for people"\n[measured]\naccuracy = 0.5\n[input]')
    card = read_card(folder / "model.toml")
    assert (card.note, card.measured) == ("for people", {"accuracy": 0.5})
    assert card.digest == before
    rewrite(folder, "[input]", '[input]\nresize = "crop"')
    assert read_card(folder / "model.toml").digest != before


def test_the_revision_holds_what_the_card_says_and_the_digest(copy):
    folder = copy("encoder")
    card = read_card(folder / "model.toml")
    assert find(str(folder)).revision == card.digest
    rewrite(folder, "[input]", 'revision = "3"\n[input]')
    assert find(str(folder)).revision == f"3+{read_card(folder / 'model.toml').digest}"
