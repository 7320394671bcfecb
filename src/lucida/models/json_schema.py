"""Whether a JSON value follows a schema: the part of JSON Schema that forms of answers are written in.

Keywords that are not known here are let pass, as the standard says of unknown ones.
Source: JSON Schema, draft 2020-12.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from lucida.errors import InputError

Schema = dict[str, Any]
_DEEPEST = 60  # levels of references and of values: a schema may refer to itself

_TYPES: Final[dict[str, Callable[[Any], bool]]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: _number(value) and float(value).is_integer(),
    "number": lambda value: _number(value),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
}


def fault(value: Any, schema: Schema | bool, root: Schema | None = None) -> str:
    """Return the first thing in which a value departs from a schema, in words; "" where it follows it.

    Args:
        value: Plain JSON values.
        schema: What it is held to.
        root: Where references point into; the schema itself by default.
    """
    return next(_faults(value, schema, root if root is not None else schema, "the answer", 0), "")


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value


def _faults(value: Any, schema: Any, root: Any, where: str, depth: int) -> Iterator[str]:
    if schema is False:
        yield f"{where} must not be there"
    if not isinstance(schema, dict) or depth > _DEEPEST:
        return
    kinds = schema.get("type", [])
    wanted = [kinds] if isinstance(kinds, str) else kinds
    if wanted and not any(_TYPES.get(kind, lambda _: True)(value) for kind in wanted):
        yield f"{where} must be {' or '.join(wanted)}, and is {_shown(value)}"
        return
    if "enum" in schema and not any(_same(value, each) for each in schema["enum"]):
        yield f"{where} must be one of {_shown(schema['enum'])}, and is {_shown(value)}"
    if "const" in schema and not _same(value, schema["const"]):
        yield f"{where} must be {_shown(schema['const'])}, and is {_shown(value)}"
    if isinstance(value, dict):
        yield from _in_object(value, schema, root, where, depth)
    elif isinstance(value, list):
        yield from _in_array(value, schema, root, where, depth)
    elif isinstance(value, str):
        yield from _in_string(value, schema, where)
    if _number(value):
        yield from _in_number(value, schema, where)
    yield from _combined(value, schema, root, where, depth)


def _in_object(value: dict[str, Any], schema: Schema, root: Any, where: str, depth: int) -> Iterator[str]:
    known = schema.get("properties", {})
    for key in schema.get("required", []):
        if key not in value:
            yield f"{where} lacks {key!r}"
    further = schema.get("additionalProperties", True)
    for key, part in value.items():
        inside = f"{key!r}" if where == "the answer" else f"{key!r} of {where}"
        if key in known:
            yield from _faults(part, known[key], root, inside, depth + 1)
        elif further is False:
            yield f"{where} must not hold {key!r}"
        elif isinstance(further, dict):
            yield from _faults(part, further, root, inside, depth + 1)


def _in_array(value: list[Any], schema: Schema, root: Any, where: str, depth: int) -> Iterator[str]:
    yield from _counted(len(value), schema, "Items", f"{where} must hold", "entries")
    if schema.get("uniqueItems") and len({json.dumps(each, sort_keys=True) for each in value}) < len(value):
        yield f"{where} must not hold an entry twice"
    first = schema.get("prefixItems", [])
    for number, part in enumerate(value):
        own = first[number] if number < len(first) else schema.get("items", True)
        yield from _faults(part, own, root, f"entry {number + 1} of {where}", depth + 1)


def _in_string(value: str, schema: Schema, where: str) -> Iterator[str]:
    yield from _counted(len(value), schema, "Length", f"{where} must have", "characters")
    pattern = schema.get("pattern")
    try:
        if pattern is not None and not re.search(pattern, value):
            yield f"{where} must match {pattern}, and is {_shown(value)}"
    except re.error:
        return


def _in_number(value: float, schema: Schema, where: str) -> Iterator[str]:
    broken: dict[str, Callable[[float], bool]] = {
        "minimum": lambda bound: value < bound,
        "maximum": lambda bound: value > bound,
        "exclusiveMinimum": lambda bound: value <= bound,
        "exclusiveMaximum": lambda bound: value >= bound,
    }
    for name, breaks in broken.items():
        if _number(schema.get(name)) and breaks(schema[name]):
            yield f"{where} is {value:g}, and its {name} is {schema[name]:g}"


def _counted(count: int, schema: Schema, what: str, must: str, unit: str) -> Iterator[str]:
    least, most = schema.get(f"min{what}", 0), schema.get(f"max{what}", count)
    if count < least:
        yield f"{must} at least {least} {unit}, and has {count}"
    if count > most:
        yield f"{must} at most {most} {unit}, and has {count}"


def _combined(value: Any, schema: Schema, root: Any, where: str, depth: int) -> Iterator[str]:
    if "$ref" in schema:
        yield from _faults(value, _pointed(root, schema["$ref"]), root, where, depth + 1)
    for part in schema.get("allOf", []):
        yield from _faults(value, part, root, where, depth + 1)
    for name in ("anyOf", "oneOf"):
        parts = schema.get(name, [])
        said = [next(_faults(value, part, root, where, depth + 1), "") for part in parts]
        if parts and all(said):
            yield said[0]
        elif name == "oneOf" and said.count("") > 1:
            yield f"{where} must be of one kind only, and is of {said.count('')}"


def _pointed(root: Any, pointer: Any) -> Any:
    """Return what "#/$defs/name" points to; anything goes where it points nowhere."""
    if not isinstance(pointer, str) or not pointer.startswith("#"):
        return True
    found = root
    for step in pointer[1:].split("/")[1:]:
        if not isinstance(found, dict):
            return True
        found = found.get(step.replace("~1", "/").replace("~0", "~"), True)
    return found


def _same(one: Any, other: Any) -> bool:
    # True equals 1 in Python, and not in JSON.
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:59] + "…"


def check_schema(schema: Any, where: str = "the schema") -> None:
    """Refuse what is no schema, before anything is asked by it.

    Raises:
        InputError: A keyword has a value that it cannot have.
    """
    if isinstance(schema, bool):
        return
    if not isinstance(schema, dict):
        raise _no_schema(where, "an object such as {...}", schema)
    kinds = schema.get("type", [])
    for kind in [kinds] if isinstance(kinds, str) else kinds:
        if kind not in _TYPES:
            raise _no_schema(f"'type' of {where}", f"one of {', '.join(_TYPES)}", kind)
    for key, (kind, shape) in _SHAPES.items():
        if key in schema and (
            not isinstance(schema[key], kind) or (isinstance(schema[key], bool) and kind is not _ANY)
        ):
            raise _no_schema(f"{key!r} of {where}", shape, schema[key])
    for key in ("properties", "$defs", "definitions"):
        for name, part in schema.get(key, {}).items():
            check_schema(part, f"{name!r} in {where}")
    for key in ("items", "additionalProperties"):
        check_schema(schema.get(key, True), f"{key!r} of {where}")
    for key in ("anyOf", "oneOf", "allOf", "prefixItems"):
        for part in schema.get(key, []):
            check_schema(part, f"{key!r} of {where}")


_ANY: Final = (dict, bool)
_SHAPES: Final[dict[str, tuple[Any, str]]] = {
    "properties": (dict, "an object of schemas"),
    "$defs": (dict, "an object of schemas"),
    "definitions": (dict, "an object of schemas"),
    "required": (list, "a list of names"),
    "enum": (list, "a list of values"),
    "anyOf": (list, "a list of schemas"),
    "oneOf": (list, "a list of schemas"),
    "allOf": (list, "a list of schemas"),
    "prefixItems": (list, "a list of schemas"),
    "items": (_ANY, "a schema"),
    "additionalProperties": (_ANY, "true, false or a schema"),
    "pattern": (str, "a regular expression"),
    **dict.fromkeys(("minItems", "maxItems", "minLength", "maxLength"), (int, "a number of 0 or more")),
}


def _no_schema(where: str, expected: str, got: Any) -> InputError:
    return InputError(
        "The form of answers is no JSON schema.",
        expected=f"{where}: {expected}",
        got=_shown(got),
        hint='{"type": "object", "properties": {"count": {"type": "integer"}}, "required": ["count"]}',
    )
