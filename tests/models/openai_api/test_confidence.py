"""Probabilities from tokens, votes and self-reports, against sums by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lucida.models.openai_api.answers import Answer
from lucida.models.openai_api.confidence import Token, by_tokens, by_votes, self_report


def token(text: str, chance: float = 1.0, **others: float) -> Token:
    tops = {text: chance, **others}
    return Token(text.encode(), math.log(chance), tuple((t.encode(), math.log(p)) for t, p in tops.items()))


def likely(tokens: list[Token], label: str, classes: tuple[str, ...]) -> dict[str, float] | None:
    return by_tokens(tokens, [label], classes)[0]


def test_one_token_a_class():
    tokens = [token('{"class": "'), token("cat", 0.7, dog=0.2, bird=0.1), token('"}')]
    assert likely(tokens, "cat", ("cat", "dog", "bird")) == pytest.approx({"cat": 0.7, "dog": 0.2, "bird": 0.1})


def test_alternatives_that_are_no_class_are_left_out():
    tokens = [token('{"class":"'), token("cat", 0.6, dog=0.2, The=0.2), token('"}')]
    assert likely(tokens, "cat", ("cat", "dog")) == pytest.approx({"cat": 0.75, "dog": 0.25})


def test_a_common_beginning_is_followed_to_where_classes_part():
    tokens = [
        token('{"class": "'),
        token("red", 0.8, blue=0.2),
        token(" hat", 0.5, **{" shoe": 0.5}),
        token('", "reason": "blue"}'),
    ]
    found = likely(tokens, "red hat", ("red hat", "red shoe", "blue hat"))
    assert found == pytest.approx({"red hat": 0.4, "red shoe": 0.4, "blue hat": 0.2})


def test_a_class_that_begins_another_ends_with_its_quote():
    tokens = [token('{"class": "shirt'), token('",', 0.9, **{" dress": 0.1}), token(' "reason": "x"}')]
    found = likely(tokens, "shirt", ("shirt", "shirt dress"))
    assert found == pytest.approx({"shirt": 0.9, "shirt dress": 0.1})


def test_a_token_may_begin_before_the_class_and_end_after_it():
    tokens = [token('{"class'), token('": "cat",', 0.75, **{'": "dog': 0.25, "x": 0.1}), token(' "a": 1}')]
    assert likely(tokens, "cat", ("cat", "dog")) == pytest.approx({"cat": 0.75, "dog": 0.25})


def test_signs_in_pieces_of_bytes():
    raw = "裙".encode()
    tokens = [
        Token(b'{"class": "', 0.0),
        Token(raw[:2], math.log(0.75), ((raw[:2], math.log(0.75)), ("帽".encode(), math.log(0.25)))),
        Token(raw[2:], 0.0),
        Token(b'"}', 0.0),
    ]
    assert likely(tokens, "裙", ("裙", "帽")) == pytest.approx({"裙": 0.75, "帽": 0.25})


def test_escaped_signs_and_capitals_are_the_same_class():
    tokens = [token('{"class": "'), token("CAF\\u00e9", 0.9, tea=0.1), token('"}')]
    found = likely(tokens, "café", ("café", "tea"))
    assert found == pytest.approx({"café": 0.9, "tea": 0.1})


def test_what_no_token_explains_is_shared_by_the_unseen_but_never_much():
    tokens = [token('{"class": "'), token("a", 0.6, b=0.1), token('"}')]
    found = likely(tokens, "a", ("a", "b", "c", "d"))
    assert found == pytest.approx({"a": 0.6 / 0.9, "b": 0.1 / 0.9, "c": 0.1 / 0.9, "d": 0.1 / 0.9})


@pytest.mark.parametrize(
    "tokens",
    [
        [],
        [token('{"label": "cat"}')],
        [token('{"class": "dog"}')],
        [token('{"class": "cat"} {"class": "cat"}')],
        [token('{"class": "'), token("cat", 0.2, x=0.5), token('"}')],
        [token('{"class": "'), Token(b"cat", -math.inf), token('"}')],
        [token('{"class": "c')],
    ],
)
def test_tokens_that_do_not_fit_the_answer_say_nothing(tokens):
    assert likely(tokens, "cat", ("cat", "dog", "cow")) is None


def test_several_answers_in_one_text():
    tokens = [
        token('[{"class": "'),
        token("a", 0.9, b=0.1),
        token('"}, {"class": "'),
        token("b", 0.8, a=0.2),
        token('"}]'),
    ]
    found = by_tokens(tokens, ["a", "b"], ("a", "b"))
    assert found == [pytest.approx({"a": 0.9, "b": 0.1}), pytest.approx({"a": 0.2, "b": 0.8})]
    swapped = by_tokens(tokens, ["b", "a"], ("a", "b"))
    assert swapped == [None, None], "answers in another order than the images are not mixed up"


@pytest.mark.parametrize(
    ("said", "sure"), [(0.9, 0.9), (1.0, 0.999), (0.0, 0.35), (None, 0.5), (0.34, 0.35), (0.36, 0.36)]
)
def test_by_its_own_word(said, sure):
    found = self_report(Answer("b", said), ("a", "b", "c"))
    assert found["b"] == pytest.approx(sure)
    assert found["a"] == found["c"]
    assert max(found, key=found.__getitem__) == "b"
    assert sum(found.values()) == pytest.approx(1)


def test_votes_with_one_that_follows_the_models_own_doubt():
    sure, unsure = {"a": 0.9, "b": 0.1}, {"a": 0.4, "b": 0.6}
    found = by_votes([sure, sure, unsure], ["a", "a", "b"])
    mean = (0.9 + 0.9 + 0.4) / 3
    assert found == pytest.approx({"a": (2 + mean) / 4, "b": (1 + 1 - mean) / 4})
    assert by_votes([sure] * 3, ["a"] * 3)["a"] == pytest.approx(3.9 / 4), "three of three is no certainty"


@given(st.data())
def test_probabilities_are_probabilities_whatever_the_tokens(data):
    classes = ("ab", "abc", "b", "裙子")
    pieces = st.sampled_from(["a", "b", "c", "ab", "裙", "子", '"', '",', " ", "x", '{"class": "', "}"])
    made = st.builds(
        lambda text, p, others: Token(text.encode(), math.log(p), tuple((t.encode(), math.log(q)) for t, q in others)),
        pieces,
        st.floats(0.01, 1),
        st.lists(st.tuples(pieces, st.floats(0.01, 1)), max_size=4),
    )
    tokens = [token('{"class": "'), *data.draw(st.lists(made, max_size=6))]
    for label in classes:
        found = likely(tokens, label, classes)
        if found is not None:
            assert sum(found.values()) == pytest.approx(1)
            assert all(0 <= value <= 1 for value in found.values())
