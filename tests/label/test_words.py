"""Class names from the command line or a file, and images matched to words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lucida.errors import InputError, ModelError
from lucida.label.vocabulary import NONE, Vocabulary, read_vocabulary
from lucida.label.words import WordSource
from lucida.models import Gives, ImageNeeds, Spec, find
from lucida.models.embedded.lexicon import Lexicon
from lucida.models.embedded.words import WordMatcher


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ("dress,hat,shoes", ["dress", "hat", "shoes"]),
        (" dress , hat ", ["dress", "hat"]),
        ("连衣裙，帽子、鞋", ["连衣裙", "帽子", "鞋"]),
        ("t shirt,  ice   cream", ["t shirt", "ice cream"]),
        ("café,cafe", ["café", "cafe"]),
    ],
)
def test_a_list_of_names(given, names):
    found = read_vocabulary(given)
    assert found.names == names
    assert found.descriptions == [[name] for name in names]
    assert not found.none_of_these


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("dress", "only one class"),
        ("", "empty"),
        ("dress,,hat", "empty"),
        ("dress,hat,", "empty"),
        ("dress,hat,dress", "named twice"),
        ("Dress,hat,dress", "named twice"),
        ("caf\u00e9,cafe\u0301,tea", "named twice"),
        ("dress,none of these", "an option, not a class"),
    ],
)
def test_names_that_are_not_clear(given, problem):
    with pytest.raises(InputError) as caught:
        read_vocabulary(given)
    assert problem in caught.value.what
    assert all((caught.value.expected, caught.value.got, caught.value.hint))


@pytest.mark.parametrize(
    ("text", "names", "descriptions"),
    [
        ("- dress\n- hat\n", ["dress", "hat"], [["dress"], ["hat"]]),
        ("dress:\nhat: a thing on a head\n", ["dress", "hat"], [["dress"], ["a thing on a head"]]),
        ("连衣裙: [dress, gown]\n帽子: hat\n", ["连衣裙", "帽子"], [["dress", "gown"], ["hat"]]),
        ("1: one\n2: two\n", ["1", "2"], [["one"], ["two"]]),
    ],
)
@pytest.mark.parametrize("ending", ["yaml", "yml", "YAML"])
def test_a_file_of_names(tmp_path: Path, text, names, descriptions, ending):
    file = tmp_path / f"classes.{ending}"
    file.write_text(text, encoding="utf-8")
    found = read_vocabulary(str(file))
    assert (found.names, found.descriptions, found.none_of_these) == (names, descriptions, False)


@pytest.mark.parametrize("text", ["none_of_these: true\ndress:\nhat:\n", "- dress\n- hat\n- none_of_these: true\n"])
def test_none_of_these_in_a_file(tmp_path: Path, text):
    file = tmp_path / "classes.yaml"
    file.write_text(text)
    found = read_vocabulary(str(file))
    assert found.none_of_these
    assert found.names == ["dress", "hat"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("just text", "names no classes"),
        ("", "names no classes"),
        ("a: [b", "not valid YAML"),
        ("dress: {colour: red}\nhat:\n", "not described by plain text"),
        ("- dress\n", "only one class"),
        ("- dress\n- dress\n", "named twice"),
        ("- dress\n- ''\n", "empty"),
    ],
)
def test_a_file_that_is_not_clear(tmp_path: Path, text, problem):
    file = tmp_path / "classes.yaml"
    file.write_text(text)
    with pytest.raises(InputError) as caught:
        read_vocabulary(str(file))
    assert problem in caught.value.what
    assert all((caught.value.expected, caught.value.got, caught.value.hint))


def test_a_file_that_is_not_there(tmp_path: Path):
    with pytest.raises(InputError, match="cannot be read") as caught:
        read_vocabulary(str(tmp_path / "classes.yaml"))
    assert all((caught.value.expected, caught.value.got, caught.value.hint))
    (tmp_path / "binary.yaml").write_bytes(b"\xff\x00\xfe")
    with pytest.raises(InputError, match="not valid YAML"):
        read_vocabulary(str(tmp_path / "binary.yaml"))


def test_a_model_that_cannot_match_words():
    spec = Spec("plain", "test", ("encode",), ImageNeeds(8), Gives(4), "none", "a test", "1")
    with pytest.raises(ModelError, match="cannot match words") as caught:
        WordSource(spec, read_vocabulary("dress,hat"))
    assert all((caught.value.expected, caught.value.got, caught.value.hint))


def test_classes_and_parameters():
    source = WordSource(find("embedded"), read_vocabulary("dress,hat", none_of_these=True))
    assert source.classes == ["dress", "hat", NONE]
    assert source.parameters() == {"mode": "words", "descriptions": [["dress"], ["hat"]]}
    assert source.accuracy is None


WORDS = {"cat": (1, 0, 0), "kitty": (0.9, 0.1, 0), "car": (0, 1, 0), "tree": (0, 0, 1), "animal": (0.9, 0, 0.1)}
VECTORS = np.array(list(WORDS.values()), np.float32)
LEXICON = Lexicon(list(WORDS), VECTORS / np.linalg.norm(VECTORS, axis=1, keepdims=True), {"猫": "cat"})
KNOWN = [["cat", "kitty"], ["car"], ["tree"]]


def test_a_class_that_is_known_is_matched():
    matcher = WordMatcher(LEXICON, KNOWN, [["car"], ["animal"]])
    logits = np.array([[9, 0, 0], [0, 9, 0]], np.float32)
    assert matcher.logits(logits).argmax(axis=1).tolist() == [1, 0]


def test_scores_are_log_probabilities():
    logits = np.random.default_rng(1).normal(size=(9, 3)).astype(np.float32) * 4
    for none in (False, True):
        scores = WordMatcher(LEXICON, KNOWN, [["car"], ["animal"], ["tree"]], none=none).logits(logits)
        assert scores.shape == (9, 3 + none)
        np.testing.assert_allclose(np.exp(scores).sum(axis=1), 1, atol=1e-5)


def test_several_words_of_a_class_are_as_good_as_the_best_of_them():
    logits = np.array([[9, 0, 0]], np.float32)
    both = WordMatcher(LEXICON, KNOWN, [["tree", "cat"], ["car"]]).logits(logits)
    assert both.argmax() == 0


def test_no_image_depends_on_the_others():
    matcher = WordMatcher(LEXICON, KNOWN, [["car"], ["animal"], ["tree"]])
    logits = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    alone = np.concatenate([matcher.logits(row[None]) for row in logits])
    np.testing.assert_allclose(matcher.logits(logits), alone, atol=1e-5)


def test_what_is_near_no_class_is_none_of_these():
    matcher = WordMatcher(LEXICON, KNOWN, [["car"], ["animal"]], none=True)
    scores = matcher.logits(np.array([[0, 0, 90], [0, 90, 0]], np.float32))
    assert scores.argmax(axis=1).tolist() == [2, 0]


def test_a_person_is_told_that_words_are_weak_and_how_strange_ones_are_read():
    plain = WordMatcher(LEXICON, KNOWN, [["cat"], ["car"]], measured={"words_cifar10": 0.5})
    (note,) = plain.notes
    assert "only among the 210 everyday classes" in note
    assert "50% right" in note
    strange = list(WordMatcher(LEXICON, KNOWN, [["kittie"], ["猫"], ["123"]]).notes)[1]
    assert "'kittie' as 'kitty'" in strange
    assert "'123' as nothing" in strange
    assert "猫" not in strange
    # What a person can do about it when labelling is said where labels are made.
    source = WordSource(find("embedded"), Vocabulary(["cat", "car"], [["cat"], ["car"]]))
    source.ready(find("embedded"))
    assert "YAML" in source.notes[-1]
    assert "--examples" in source.notes[-1]


def test_chinese_names_are_understood_by_the_shipped_model():
    matcher = find("embedded").matcher([["飞机"], ["青蛙"], ["卡车"]])
    assert len(list(matcher.notes)) == 1
    classes = find("embedded").gives.classes
    logits = np.zeros((3, len(classes)), np.float32)
    for row, name in enumerate(("airplane", "frog", "truck")):
        logits[row, classes.index(name)] = 30
    assert matcher.logits(logits).argmax(axis=1).tolist() == [0, 1, 2]
