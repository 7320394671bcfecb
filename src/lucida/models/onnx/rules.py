"""Rules that the keys of a TOML table must keep, as data, and the one form of message when they do not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lucida.errors import InputError, UnknownName

REQUIRED = object()


@dataclass(frozen=True)
class Rule:
    """What one key may hold.

    Attributes:
        kind: The type: str, int, float (an int will do), bool, tuple (a list of numbers), list (of texts) or
            dict (a table).
        default: Value where the key is absent; REQUIRED refuses its absence.
        allowed: The only values that will do; empty for any.
        above: Numbers must be greater than this; None for no limit.
    """

    kind: type
    default: Any = REQUIRED
    allowed: tuple[str, ...] = ()
    above: float | None = None

    def expectation(self) -> str:
        """Say in words what is expected."""
        if self.allowed:
            return f"one of {', '.join(map(repr, self.allowed))}"
        limit = f" greater than {self.above:g}" if self.above is not None else ""
        return _WORDS[self.kind] + limit

    def read(self, value: Any) -> Any:
        """Return the value in its type, or None where it does not keep the rule."""
        read = _READERS[self.kind](value)
        if read is None or (self.allowed and read not in self.allowed):
            return None
        if self.above is not None and min(read if isinstance(read, tuple) else (read,)) <= self.above:
            return None
        return read


_WORDS = {
    str: "a text that is not empty",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    tuple: "a list of numbers, one a channel",
    list: "a list of texts",
    dict: "a table",
}


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _numbers(value: Any) -> tuple[float, ...] | None:
    if not isinstance(value, list) or not value or any(_number(v) is None for v in value):
        return None
    return tuple(float(v) for v in value)


def _texts(value: Any) -> list[str] | None:
    return value if isinstance(value, list) and value and all(isinstance(v, str) and v for v in value) else None


_READERS: dict[type, Callable[[Any], Any]] = {
    str: lambda v: v if isinstance(v, str) and v.strip() else None,
    int: lambda v: v if isinstance(v, int) and not isinstance(v, bool) else None,
    float: _number,
    bool: lambda v: v if isinstance(v, bool) else None,
    tuple: _numbers,
    list: _texts,
    dict: lambda v: v if isinstance(v, dict) else None,
}


def read_table(table: Mapping[str, Any], rules: Mapping[str, Rule], *, where: str, file: Path) -> dict[str, Any]:
    """Check a table against its rules and return every key's value, defaults filled in.

    Args:
        table: The keys as they came from the file.
        rules: The rule of each key that may appear.
        where: Name of the table for messages: "[input]".
        file: The file, for messages.

    Raises:
        UnknownName: A key that no rule names; the nearest known ones are given.
        InputError: A key is missing, or its value does not keep its rule.
    """
    for key in table:
        if key not in rules:
            raise UnknownName(f"key in {where} of {file}", key, rules, hint=f"correct it in {file.name}")
    values = {}
    for key, rule in rules.items():
        value = table.get(key, rule.default)
        if value is REQUIRED:
            raise InputError(
                f"{where} of {file} lacks the key {key!r}.",
                expected=f"{key} = {rule.expectation()}",
                got=f"keys {', '.join(table) or '(none)'}",
                hint=f"add it to {file.name}",
            )
        if key in table:
            value = rule.read(value)
            if value is None:
                raise InputError(
                    f"The key {key!r} in {where} of {file} is not what it must be.",
                    expected=rule.expectation(),
                    got=repr(table[key]),
                    hint=f"correct it in {file.name}",
                )
        values[key] = value
    return values
