"""How words and phrases are understood: known ones, their forms, Chinese, and what nobody knows."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from lucida.errors import ModelError
from lucida.models.embedded.family import weights
from lucida.models.embedded.lexicon import Lexicon, load_lexicon

WORDS = (
    "bottle",
    "city",
    "dress",
    "fire truck",
    "hat",
    "knife",
    "man",
    "red",
    "sleeve",
    "sports car",
    "t-shirt",
    "wine",
)
SMALL = Lexicon(WORDS, np.eye(len(WORDS), dtype=np.float32), {"连衣裙": "dress", "消防车": "fire truck", "牛": "wine"})


@pytest.fixture(scope="module")
def shipped() -> Lexicon:
    return load_lexicon(weights() / "words")


@pytest.mark.parametrize(
    ("text", "read_as"),
    [
        ("dress", "dress"),
        ("Dresses", "dress"),
        ("cities", "city"),
        ("knives", "knife"),
        ("men", "man"),
        ("T-shirt", "t-shirt"),
        ("t shirts", "t-shirt"),
        ("tshirt", "t-shirt"),
        ("fire_truck", "fire truck"),
        ("firetrucks", "fire truck"),
        ("dréss", "dress"),
        ("a photo of a dress", "dress"),
        ("a dress.", "dress"),
        ("连衣裙", "dress"),
        ("红色的连衣裙", "dress"),
        ("消防车", "fire truck"),
    ],
)
def test_a_known_word_in_any_of_its_forms(text, read_as):
    reading = SMALL.read(text)
    assert (reading.read_as, reading.known, reading.text) == (read_as, True, text)
    assert reading.vector[WORDS.index(read_as)] == 1


@pytest.mark.parametrize(
    ("text", "head", "read_as"),
    [
        ("red dress", "dress", "dress + red"),
        ("shiny red sports car", "sports car", "sports car + red"),
        ("bottle of red wine", "bottle", "bottle + red + wine"),
        ("hat with a sleeve", "hat", "hat + sleeve"),
        ("beautiful dress", "dress", "dress"),
    ],
)
def test_the_head_of_a_phrase_outweighs_what_colours_it(text, head, read_as):
    reading = SMALL.read(text)
    assert reading.read_as == read_as
    assert reading.known
    assert np.linalg.norm(reading.vector) == pytest.approx(1)
    assert reading.vector.argmax() == WORDS.index(head)
    assert reading.vector.max() > 0.85


@pytest.mark.parametrize(
    ("text", "read_as"),
    [
        ("dres", "dress"),
        ("bottel", "bottle"),
        ("redsleeve", "sleeve"),
        ("manhats", "hat"),
        ("蜗牛", "wine"),
        ("连衣群", "dress"),
    ],
)
def test_an_unknown_word_is_read_as_the_nearest_and_says_so(text, read_as):
    reading = SMALL.read(text)
    assert not reading.known
    assert reading.read_as == read_as


@pytest.mark.parametrize("text", ["", " ", "1", "😀", "собака", "犇", "...", "qqqqqq"])
def test_what_is_like_no_word_is_near_to_nothing(text):
    reading = SMALL.read(text)
    assert (reading.read_as, reading.known) == ("", False)
    assert not reading.vector.any()


def test_the_shipped_table_knows_common_nouns_of_both_languages(shipped):
    assert len(shipped) > 20_000
    english = "dog cat airplane truck outerwear refrigerator scissors sunglasses crane broccoli x-ray blood cell weld"
    for word in [*english.split(), "polar bear", "shopping cart", "people", "mice", "leaves"]:
        assert shipped.read(word).known, word
    chinese = "狗 猫 飞机 卡车 裤子 T恤 划痕 红细胞 冰箱 自行车 西兰花 电脑 桥 山 花"
    for word in chinese.split():
        reading = shipped.read(word)
        assert reading.known, word
        assert reading.read_as


@pytest.mark.parametrize(
    ("word", "near", "far"),
    [
        ("dog", "chihuahua", "ship"),
        ("ship", "lifeboat", "horse"),
        ("airplane", "jet", "banana"),
        ("shoe", "sandal", "hat"),
        ("连衣裙", "gown", "shoe"),
        ("卡车", "lorry", "cat"),
        ("old rusty bicycle", "bike", "rust"),
    ],
)
def test_what_means_alike_lies_near(shipped, word, near, far):
    vector = shipped.read(word).vector
    assert vector @ shipped.read(near).vector > vector @ shipped.read(far).vector + 0.1


def test_every_chinese_word_leads_to_an_english_entry(shipped):
    lines = (weights() / "words" / "chinese.tsv").read_text(encoding="utf-8").splitlines()
    assert len(lines) > 2000
    for line in lines:
        chinese, english = line.split("\t")
        assert shipped.read(chinese).read_as == english
        assert shipped.read(chinese).known


def test_the_shipped_table_is_small():
    assert sum(file.stat().st_size for file in (weights() / "words").iterdir()) < 5_000_000


@pytest.mark.parametrize("harm", ["gone", "cut", "another dtype", "rows missing"])
def test_a_damaged_table_is_refused(tmp_path: Path, harm):
    folder = tmp_path / "words"
    shutil.copytree(weights() / "words", folder)
    vectors = folder / "vectors.npy"
    if harm == "gone":
        (folder / "english.txt").unlink()
    elif harm == "cut":
        vectors.write_bytes(vectors.read_bytes()[:5000])
    else:
        stored = np.load(vectors)
        np.save(vectors, stored.astype(np.float32) if harm == "another dtype" else stored[1:])
    with pytest.raises(ModelError, match="word table") as caught:
        load_lexicon(folder)
    assert all((caught.value.expected, caught.value.got, caught.value.hint))
