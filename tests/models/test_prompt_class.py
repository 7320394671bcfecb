"""Which class a prompt means, and what is said of it."""

from __future__ import annotations

import pytest

from lucida.models.onnx.prompt_class import ClassReader

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
READER = ClassReader(CLASSES)


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("dog", "dog"),
        ("Dogs", "dog"),
        ("a photo of an Airplane!", "airplane"),
        ("cute kittens", "cat"),
        ("a red sports car at dawn", "automobile"),
        ("fire_truck", "truck"),
        ("狗", "dog"),
        ("一辆红色的汽车，摄影棚灯光", "automobile"),
        ("狗在草地上", "dog"),
    ],
)
def test_what_names_a_class_is_said_shortly(prompt, name):
    match = READER.read(prompt)
    assert CLASSES[match.number] == name
    assert match.remark.startswith(f"This model draws its class '{name}'")
    assert len(match.remark) < 100
    assert match.draw([4, 9]).tolist() == [CLASSES.index(name)] * 2


@pytest.mark.parametrize(
    ("prompt", "name", "word"),
    [
        ("a red bicycle, studio light", "automobile", "bicycle"),
        ("oil painting of a yacht", "ship", "yacht"),
        ("红色的自行车", "automobile", "自行车"),
        ("bicycel", "automobile", "bicycel"),
    ],
)
def test_what_names_none_has_the_nearest_and_is_told_all_of_it(prompt, name, word):
    match = READER.read(prompt)
    assert CLASSES[match.number] == name
    assert f"knows only {', '.join(CLASSES)}: it draws '{name}', the nearest to '{word}'" in match.remark
    assert "--model sdxl" in match.remark


@pytest.mark.parametrize("prompt", ["", " \n", "1", "😀", "?!", "<lora:x:1>"])
def test_what_is_no_word_has_the_classes_in_turn(prompt):
    match = READER.read(prompt)
    assert match.number is None
    assert match.draw([0, 9, 10, 2**63 - 1]).tolist() == [0, 9, 0, (2**63 - 1) % 10]
    assert "in turn" in match.remark


@pytest.mark.parametrize("prompt", ["a truck, and then a dog", "卡车和狗"])
def test_of_two_the_first_is_drawn(prompt):
    match = READER.read(prompt)
    assert CLASSES[match.number] == "truck"
    assert "'truck' and 'dog'" in match.remark
    assert "the first" in match.remark


def test_a_colour_does_not_decide():
    assert "nearest to 'bicycle'" in ClassReader(["cat", "dog", "ship"]).read("a red bicycle").remark
    assert "nearest to '自行车'" in ClassReader(["cat", "dog", "ship"]).read("红色的自行车").remark


def test_a_negative_prompt_leads_away_from_the_class_that_it_names():
    match = READER.avoid("blurry, low quality, dogs")
    assert (CLASSES[match.number], "away from 'dog'" in match.remark) == ("dog", True)
    match = READER.avoid("blurry, low quality")
    assert match.number is None
    assert "is not read" in match.remark


def test_names_that_are_no_words_are_known_by_name():
    reader = ClassReader(["n01440764", "Golden-Retriever", "7", "猫"])
    found = [reader.read(prompt).number for prompt in ("n01440764", "golden retrievers", "7", "一只猫", "cat")]
    assert found == [0, 1, 2, 3, 3]
    nameless = ClassReader(["n01440764", "n01440765"]).read("cat")
    assert nameless.number is None
    assert "in turn" in nameless.remark


def test_with_one_class_or_none_there_is_nothing_to_read():
    assert ClassReader(["cat"]).read("dog").number == 0
    assert "nothing but 'cat'" in ClassReader(["cat"]).read("dog").remark
    none = ClassReader([])
    assert none.read("dog").draw([5]).tolist() == [0]
    assert "the prompt is not read" in none.read("dog").remark
    assert not none.read("").remark


def test_many_classes_are_not_all_listed():
    reader = ClassReader([f"class{i}" for i in range(40)])
    assert "and 28 more" in reader.read("").remark
