"""What models write, and what is read in it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lucida.models.json_text import LONGEST_LINE
from lucida.models.openai_api.answers import Answer, read_answers
from lucida.models.openai_api.completion import read_completion

CLASSES = ("T-shirt", "连衣裙", "ice cream")


def one(text: str) -> Answer:
    (found,) = read_answers(text, CLASSES, 1)
    return found


@pytest.mark.parametrize(
    "text",
    [
        '{"class": "ice cream", "confidence": 0.8, "reason": "A cone."}',
        '```json\n{"class": "ice cream", "confidence": 0.8, "reason": "A cone."}\n```',
        'Here {you} are: {"class": " Ice   CREAM ", "confidence": "80%", "reason": "A cone."} I hope it helps.',
        '<think>{"class": "T-shirt"}?</think>{"label": "ice cream.", "confidence": 80, "reason": "A cone."}',
        '{"Class": "ice cream", "CONFIDENCE": 0.8, "Reason": "A cone."}',
        '[{"class": "ice cream", "confidence": 0.8, "reason": "A\\ncone."}]',
        '{"answers": [{"image": 1, "class": "ice cream", "confidence": 0.8, "reason": "A cone."}]}',
    ],
)
def test_a_good_answer_in_any_wrapping(text):
    assert one(text) == Answer("ice cream", 0.8, "A cone.")


@pytest.mark.parametrize("text", ["ice cream", ' "Ice cream." ', "**ICE CREAM**"])
def test_a_bare_class_will_do(text):
    assert one(text) == Answer("ice cream")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "was empty"),
        ("  \n", "was empty"),
        ("I cannot say.", "no JSON"),
        ('{"class": "ice cr', "no JSON"),
        ('{"class": "hat"}', "outside the classes: hat"),
        ('{"class": null}', "no class"),
        ('{"class": true}', "no class"),
        ("[1, 2]", "2 entries"),
        ("[1]", "no JSON object"),
        ("{}", "no class"),
        ("[" * 100_000, "no JSON"),
        ('{"class":' * 5_000, "no JSON"),
    ],
)
def test_an_answer_that_cannot_be_used(text, problem):
    found = one(text)
    assert problem in found.problem
    assert not found.label
    assert len(found.problem) < 200


@pytest.mark.parametrize("said", ["NaN", "Infinity", "-0.1", "101", '"sure"', "true", "null", "[]", "1e999"])
def test_a_confidence_that_is_none(said):
    assert one(f'{{"class": "ice cream", "confidence": {said}}}') == Answer("ice cream")


def test_a_reason_is_one_plain_line():
    found = one(json.dumps({"class": "ice cream", "reason": "a\x1b[31m\nb\u202e c" + "x" * 1000}))
    assert found.reason.startswith("a [31m b c")
    assert len(found.reason) == LONGEST_LINE


def test_several_images_are_told_apart_by_number():
    entries = [
        {"image": n, "class": name} for n, name in ((2, "连衣裙"), ("1", "t-shirt"), (9, "t-shirt"), (None, "x"))
    ]
    found = read_answers(json.dumps({"answers": entries}), CLASSES, 3)
    assert [answer.label for answer in found] == ["T-shirt", "连衣裙", ""]
    assert "lacked the number" in found[2].problem


def test_one_image_with_two_answers_has_none():
    entries = [{"image": 1, "class": "T-shirt"}, {"image": 1, "class": "连衣裙"}, {"image": 2, "class": "连衣裙"}]
    first, second = read_answers(json.dumps(entries), CLASSES, 2)
    assert "answered twice" in first.problem
    assert second.label == "连衣裙"


def test_a_list_that_was_cut_off_keeps_what_is_whole():
    text = '{"answers": [{"image": 1, "class": "T-shirt"}, {"image": 2, "cla'
    first, second = read_answers(text, CLASSES, 2)
    assert first.label == "T-shirt"
    assert second.problem


@given(
    st.text()
    | st.recursive(
        st.none() | st.floats() | st.text(),
        lambda j: (
            st.lists(j) | st.dictionaries(st.sampled_from(["class", "image", "confidence", "reason", "answers"]), j)
        ),
    ).map(json.dumps),
    st.integers(1, 3),
)
def test_whatever_is_written_is_an_answer_or_a_problem(text, images):
    found = read_answers(text, CLASSES, images)
    assert len(found) == images
    for answer in found:
        assert (answer.label in CLASSES) != bool(answer.problem)
        assert answer.confidence is None or 0 <= answer.confidence <= 1


@pytest.mark.parametrize("body", [None, [], {}, {"choices": []}, {"choices": None}, {"error": {"message": "busy"}}])
def test_what_is_no_completion(body):
    with pytest.raises(ValueError, match=r"busy|no choices"):
        read_completion(body)


@pytest.mark.parametrize(
    "choice", [None, {}, {"message": {}}, {"message": {"content": 3}}, {"message": {"content": [1]}}]
)
def test_what_servers_leave_out_is_not_missed(choice):
    (found,), usage = read_completion({"choices": [choice]})
    assert found.text == ""
    assert usage is None


def test_thoughts_that_only_the_total_counts_are_paid_for():
    usage = {"prompt_tokens": 100, "completion_tokens": 5, "total_tokens": 405}
    assert read_completion({"choices": [{}], "usage": usage})[1] == (100, 305)
