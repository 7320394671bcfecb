"""The form of an answer: asked for, read back whatever stands around it, asked for again."""

from __future__ import annotations

import json
import math

import pytest

from lucida.models.answer_form import LONGER, REPAIRS, Written, converse, form_of, in_pieces, worded
from lucida.models.chat import Said, Talk, Turn, Usage

COUNT = {"type": "object", "properties": {"count": {"type": "integer"}}, "required": ["count"]}


def talk(text: str = "How many?", **more: object) -> Talk:
    return Talk((Turn(text, (b"image",)),), **more)


def answered(text: str, asked: Talk) -> Said:
    return converse(lambda _: Written(text), asked)


def pieces(*parts: tuple[str, float]) -> Written:
    return Written("".join(text for text, _ in parts), tuple((text.encode(), math.log(p)) for text, p in parts))


def test_images_alone_are_described():
    assert worded(talk("")).turns[0].text == "Describe this image in one sentence."
    assert "these images" in worded(Talk((Turn("", (b"1", b"2")),))).turns[0].text
    assert worded(talk()) == talk()


def test_the_form_stands_in_the_last_turn_alone():
    turns = (Turn("What?", (b"image",)), Turn("A cat.", by="assistant"), Turn("Sure?"))
    found = worded(Talk(turns, reason=True)).turns
    assert found[:2] == turns[:2]
    assert found[2].text.startswith("Sure?\n\nAnswer with JSON only")


@pytest.mark.parametrize(
    ("text", "answer", "reason"),
    [
        ('{"answer": "two", "reason": "I count two."}', "two", "I count two."),
        ('Sure!\n```json\n{"answer": "two",\n "reason": "so"}\n```\nAnything else?', "two", "so"),
        ('<think>{"answer": "one"}</think>{"Answer": "two", "Reason": "so"}', "two", "so"),
        ('See image [1]. {"answer": "two", "reason": ["no", "words"]}', "two", ""),
        ('{"answer": 2}', "2", ""),
        ('{"answer": ["cat", "dog"]}', "cat, dog", ""),
        ("Two cars, I think.", "Two cars, I think.", ""),
    ],
)
def test_an_answer_with_its_reason_is_read_whatever_stands_around_it(text, answer, reason):
    found = answered(text, talk(reason=True))
    assert (found.text, found.reason, found.problem, found.data) == (answer, reason, "", None)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "The answer was empty."),
        ("<think>hm, let me see", "The answer was empty."),
        ('{"answer": "tw', "The answer was no JSON"),
        ('{"reply": "two"}', "The answer lacks 'answer'."),
        ('{"answer": null}', "The answer must be string, and is null."),
    ],
)
def test_what_cannot_be_read_is_a_problem(text, problem):
    found = answered(text, talk(reason=True))
    assert found.problem.startswith(problem)
    assert not found.text


def test_an_answer_to_a_schema_is_checked_and_kept_as_data():
    found = answered('Here: {"count": 3}', talk(schema=COUNT))
    assert found.data == {"count": 3}
    assert json.loads(found.text) == found.data
    assert answered('{"count": "three"}', talk(schema=COUNT)).problem == "'count' must be integer, and is \"three\"."
    assert answered("three", talk(schema=COUNT)).problem == "The answer was no JSON: three"


def test_a_schema_with_a_reason_or_of_a_list_is_wrapped():
    both = answered('{"answer": {"count": 3}, "reason": "so"}', talk(schema=COUNT, reason=True))
    assert (both.data, both.reason) == ({"count": 3}, "so")
    # Some leave the wrapping out.
    assert answered('{"count": 3}', talk(schema=COUNT, reason=True)).data == {"count": 3}
    names = {"type": "array", "items": {"type": "string"}}
    assert form_of(talk(schema=names)).schema["type"] == "object"
    assert answered('{"answer": ["a"]}', talk(schema=names)).data == ["a"]
    assert answered('["a"]', talk(schema=names)).data == ["a"]


def test_an_answer_is_asked_for_again_with_what_was_wrong_with_it():
    said, asked = iter(["no idea", '{"count": 1.5}', '{"count": 2}']), []

    def write(one: Talk) -> Written:
        asked.append(one)
        return Written(next(said), usage=Usage(10, 1, 0.5))

    found = converse(write, talk(schema=COUNT))
    assert found.data == {"count": 2}
    assert found.usage == Usage(30, 3, 1.5)
    assert "no JSON: no idea" in asked[1].turns[-1].text
    assert "'count' must be integer, and is 1.5" in asked[2].turns[-1].text
    assert "no idea" not in asked[2].turns[-1].text


def test_an_answer_is_asked_for_no_more_than_twice_again():
    asked = []
    found = converse(lambda one: asked.append(one) or Written("nonsense"), talk(schema=COUNT))
    assert len(asked) == 1 + REPAIRS
    assert found.problem
    asked.clear()
    converse(lambda one: asked.append(one) or Written(problem="refused", hopeless=True), talk())
    assert len(asked) == 1


def test_an_answer_that_was_cut_off_may_be_longer_the_next_time():
    asked = []
    found = converse(lambda one: asked.append(one.longest) or Written('{"count"', cut=True), talk(schema=COUNT))
    assert asked == [300, 300 * LONGER, 300 * LONGER]
    assert found.problem == "The answer was cut off."
    # Words that were cut off are words.
    assert converse(lambda _: Written("A long tale", cut=True), talk()).text == "A long tale"


def test_the_score_is_the_mean_probability_of_the_tokens_of_the_answer():
    free = converse(lambda _: pieces(("a", 0.5), (" cat", 0.125), ("", 0.9)), talk())
    assert free.score == pytest.approx(0.25)
    parts = (('{"answer": ', 0.1), ('"tw', 0.5), ('o"', 0.125), (', "reason": "so"}', 0.1))
    assert converse(lambda _: pieces(*parts), talk(reason=True)).score == pytest.approx(0.25)
    assert converse(lambda _: Written("a cat"), talk()).score is None


def test_signs_that_control_a_terminal_are_left_out():
    assert answered("a\x1b[2Jcat\x00\nand more\n", talk()).text == "a[2Jcat\nand more"
    assert answered("\x00", talk()).problem


def test_a_sign_of_several_tokens_goes_to_the_last_of_them():
    bytes_ = "猫 x".encode()
    found = in_pieces(lambda part: bytes(part).decode(errors="replace"), list(bytes_), [-1.0] * len(bytes_))
    assert found.text == "猫 x"
    assert [text.decode() for text, _ in found.pieces] == ["", "", "猫", " ", "x"]
    assert converse(lambda _: found, talk()).score == pytest.approx(math.exp(-1))
