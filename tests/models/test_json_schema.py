"""JSON schemas, as far as answers are held to them."""

from __future__ import annotations

import pytest

from lucida.errors import InputError
from lucida.models.json_schema import check_schema, fault

ROOM = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 2, "pattern": "^[a-z]+$"},
        "size": {"type": "number", "minimum": 0, "exclusiveMaximum": 100},
        "kind": {"enum": ["kitchen", "bath", 1]},
        "things": {"type": "array", "items": {"$ref": "#/$defs/thing"}, "maxItems": 2, "uniqueItems": True},
        "floor": {"type": ["integer", "null"]},
        "owner": {"anyOf": [{"type": "string"}, {"type": "object", "required": ["id"]}]},
    },
    "required": ["name"],
    "additionalProperties": False,
    "$defs": {"thing": {"type": "object", "properties": {"label": {"const": "x"}}}},
}


@pytest.mark.parametrize(
    "value",
    [
        {"name": "ab"},
        {"name": "ab", "size": 0, "floor": None},
        {"name": "ab", "floor": 2.0, "kind": 1, "owner": {"id": 1}, "things": [{"label": "x"}, {}]},
    ],
)
def test_what_follows_it(value):
    assert fault(value, ROOM) == ""


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([], "the answer must be object, and is []"),
        ({}, "the answer lacks 'name'"),
        ({"name": 1}, "'name' must be string, and is 1"),
        ({"name": "a"}, "'name' must have at least 2 characters, and has 1"),
        ({"name": "Ab"}, "'name' must match ^[a-z]+$, and is \"Ab\""),
        ({"name": "ab", "size": -1}, "'size' is -1, and its minimum is 0"),
        ({"name": "ab", "size": 100}, "'size' is 100, and its exclusiveMaximum is 100"),
        ({"name": "ab", "size": True}, "'size' must be number, and is true"),
        ({"name": "ab", "kind": True}, '\'kind\' must be one of ["kitchen", "bath", 1], and is true'),
        ({"name": "ab", "floor": 1.5}, "'floor' must be integer or null, and is 1.5"),
        ({"name": "ab", "owner": {}}, "'owner' must be string, and is {}"),
        ({"name": "ab", "things": [{"label": "y"}]}, "'label' of entry 1 of 'things' must be \"x\", and is \"y\""),
        ({"name": "ab", "things": [{}, {}]}, "'things' must not hold an entry twice"),
        ({"name": "ab", "more": 1}, "the answer must not hold 'more'"),
    ],
)
def test_what_does_not_is_said_in_words(value, said):
    assert fault(value, ROOM) == said


def test_a_schema_that_refers_to_itself_ends():
    endless = {"$ref": "#"}
    assert fault({}, endless) == ""
    tree = {"type": "object", "properties": {"left": {"$ref": "#"}}, "required": ["left"]}
    value: dict = {}
    for _ in range(3):
        value = {"left": value}
    assert fault(value, tree) == "'left' of 'left' of 'left' lacks 'left'"


def test_one_of_several_kinds_and_no_more():
    either = {"oneOf": [{"type": "number"}, {"type": "integer"}]}
    assert fault(1.5, either) == ""
    assert fault(1, either) == "the answer must be of one kind only, and is of 2"


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "text"}, "'type' of the schema: one of object"),
        ({"properties": ["a"]}, "'properties' of the schema: an object of schemas"),
        ({"properties": {"a": {"required": "b"}}}, "'required' of 'a' in the schema: a list of names"),
        ({"items": [1]}, "'items' of the schema: a schema"),
        ({"minItems": True}, "'minItems' of the schema: a number"),
        ({"anyOf": [3]}, "'anyOf' of the schema: an object"),
    ],
)
def test_what_is_no_schema_is_refused_before_anything_is_asked(schema, said):
    with pytest.raises(InputError) as caught:
        check_schema(schema)
    assert said in caught.value.expected
    assert caught.value.hint


def test_a_whole_schema_is_let_pass():
    check_schema(ROOM)
    check_schema({"items": True, "additionalProperties": False})
