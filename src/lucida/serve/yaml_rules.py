"""What each key of a YAML table may hold, as data; every mistake is told with its line and the nearest known key."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from lucida.errors import InputError, UnknownName
from lucida.screen.nodes import Node

Rule = Callable[[Node, str], Any]  # reads a value, given the name of its key for messages

_SIZE: Final = re.compile(r"([0-9][0-9_]*(?:\.[0-9]+)?) ?([KMGT]?)B?", re.IGNORECASE)
_UNITS: Final = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_YES, _NO = ("true", "yes", "on"), ("false", "no", "off")


def read_table(node: Node, rules: Mapping[str, Rule], where: str, *, required: tuple[str, ...] = ()) -> dict[str, Any]:
    """Check a table against its rules and return what stands in it; a key without a value is not there.

    Args:
        node: The table.
        rules: What reads the value of each key that may appear.
        where: What the table is, for messages: "the table tls".
        required: Keys that must be there.

    Raises:
        UnknownName: A key that no rule names; the nearest known ones are given.
        InputError: It is no table, a key is missing, or its value is not what it must be.
    """
    if node.value is None and not required:
        return {}
    if not isinstance(node.value, dict):
        raise node.wrong(f"{where} is no table.", f"keys {', '.join(rules)}", f"{next(iter(rules))}: …")
    for name, value in node.value.items():
        if name not in rules:
            raise UnknownName(f"key of {where}", name[:100], rules, hint=f"correct it in {value.place}")
    there = {name: value for name, value in node.value.items() if value.value is not None}
    for name in required:
        if name not in there:
            raise node.wrong(f"{where} lacks the key {name!r}.", f"{name}: …", "add it")
    try:
        return {name: rules[name](value, f"the key {name!r} of {where}") for name, value in there.items()}
    except InputError as error:
        if error.hint:
            raise
        hint = "correct it there; docs/serving.md shows how"
        raise InputError(error.what, expected=error.expected, got=error.got, hint=hint) from None


def text(node: Node, what: str) -> str:
    """Read a text that is not empty."""
    return node.text(what)


def texts(node: Node, what: str) -> tuple[str, ...]:
    """Read a text, or a list of them."""
    return node.texts(what)


def switch(node: Node, what: str) -> bool:
    """Read true or false."""
    word = node.value.strip().casefold() if isinstance(node.value, str) else ""
    if word not in _YES + _NO:
        raise node.wrong(f"{what} is neither on nor off.", "true or false")
    return word in _YES


def choice(*words: str) -> Rule:
    """Return what reads one of some words."""

    def read(node: Node, what: str) -> str:
        if node.value not in words:
            raise node.wrong(f"{what} is none of its words.", " or ".join(words))
        return str(node.value)

    return read


def path(node: Node, what: str) -> Path:
    """Read the path of a file or folder."""
    return Path(node.text(what)).expanduser()


def number(least: float, most: float) -> Rule:
    """Return what reads a number within bounds."""

    def read(node: Node, what: str) -> float:
        return _within(node, what, float, least, most, "a number")

    return read


def whole(least: float, most: float) -> Rule:
    """Return what reads a whole number within bounds."""

    def read(node: Node, what: str) -> int:
        return int(_within(node, what, int, least, most, "a whole number"))

    return read


def size(least: float, most: float) -> Rule:
    """Return what reads a size in bytes within bounds: "32 MB" is 32 times 2 to the 20th."""

    def read(node: Node, what: str) -> int:
        return int(_within(node, what, _bytes, least, most, "a size such as 32 MB"))

    return read


def moment(node: Node, what: str) -> datetime:
    """Read a day or a moment; without a zone it is in UTC."""
    try:
        found = datetime.fromisoformat(node.text(what))
    except ValueError:
        raise node.wrong(f"{what} is no day.", "2027-01-31, or 2027-01-31T12:00+01:00") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _bytes(given: str) -> float:
    found = _SIZE.fullmatch(given)
    if found is None:
        raise ValueError
    return float(found[1].replace("_", "")) * _UNITS[found[2].upper()]


def _within(node: Node, what: str, kind: Callable[[str], float], least: float, most: float, words: str) -> float:
    expected = f"{words} from {least:,.15g} to {most:,.15g}"
    try:
        found = kind(node.text(what))
    except ValueError:
        raise node.wrong(f"{what} is not what it must be.", expected) from None
    # Not-a-number is in no range.
    if not least <= found <= most:
        raise node.wrong(f"{what} is out of range.", expected)
    return found
