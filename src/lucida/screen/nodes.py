"""YAML whose values know their line and column, so that a mistake in a policy can be pointed at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lucida.errors import InputError
from lucida.plain_yaml import read_text


@dataclass(frozen=True)
class Node:
    """A value and where it stands.

    Attributes:
        value: A text, None, a list of nodes, or a table of them.
        place: "policy.yaml, line 3, column 5".
    """

    value: str | list[Node] | dict[str, Node] | None
    place: str

    def wrong(self, what: str, expected: str, hint: str = "") -> InputError:
        """Return the error for this value."""
        return InputError(f"{self.place}: {what}", expected=expected, got=self.short(), hint=hint)

    def short(self) -> str:
        """Return the value in a few words."""
        plain = self.plain()
        return (repr(plain) if plain is not None else "nothing")[:80]

    def plain(self) -> Any:
        """Return the value without its places."""
        if isinstance(self.value, list):
            return [one.plain() for one in self.value]
        if isinstance(self.value, dict):
            return {name: one.plain() for name, one in self.value.items()}
        return self.value

    def table(self, allowed: tuple[str, ...], what: str) -> dict[str, Node]:
        """Return the value as a table with no other keys than these.

        Raises:
            InputError: It is none, or has another key.
        """
        if not isinstance(self.value, dict):
            raise self.wrong(f"{what} is no table.", f"keys {', '.join(allowed)}")
        for name, node in self.value.items():
            if name not in allowed:
                raise node.wrong(f"{what} has the key {name!r}.", f"one of {', '.join(allowed)}")
        return self.value

    def text(self, what: str) -> str:
        """Return the value as a text that is not empty.

        Raises:
            InputError: It is none.
        """
        if not isinstance(self.value, str) or not self.value.strip():
            raise self.wrong(f"{what} is no text.", "a text")
        return self.value.strip()

    def texts(self, what: str) -> tuple[str, ...]:
        """Return the value, a text or a list of texts, as texts.

        Raises:
            InputError: It is neither, or empty.
        """
        if isinstance(self.value, list):
            if not self.value:
                raise self.wrong(f"{what} is empty.", "one or more texts")
            return tuple(one.text(what) for one in self.value)
        return (self.text(what),)

    def number(self, what: str) -> float:
        """Return the value as a number from 0 to 1.

        Raises:
            InputError: It is none.
        """
        try:
            found = float(self.text(what))
        except ValueError:
            found = -1.0
        if not 0 <= found <= 1:
            raise self.wrong(f"{what} is no number from 0 to 1.", "0 to 1, such as 0.7")
        return found


def read_nodes(path: Path, kind: str, hint: str) -> Node:
    """Read a YAML file.

    Args:
        path: The file.
        kind: What it is, for messages: "policy".
        hint: What to try instead.

    Raises:
        InputError: It cannot be read, or is no YAML; says in which line and column.
    """
    text = read_text(path, kind, hint)
    try:
        # Composed, not constructed: nothing but texts, lists and tables can come of it.
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if root is None:
            raise InputError(f"The {kind} {path} is empty.", expected=hint, got="nothing", hint=hint)
        return _node(root, path.name, frozenset())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{path.name}, line {mark.line + 1}, column {mark.column + 1}" if mark else path.name
        raise InputError(
            f"{place}: {error.problem or 'this is no YAML'}.",
            expected="valid YAML",
            got=str(error.context or "a mistake"),
            hint="quote texts with colons or other signs in them",
        ) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise InputError(f"{path} is no YAML.", expected="valid YAML", got=str(error)[:200], hint=hint) from error


def _node(node: Any, file: str, above: frozenset[int]) -> Node:
    place = f"{file}, line {node.start_mark.line + 1}, column {node.start_mark.column + 1}"
    if id(node) in above:
        raise InputError(f"{place}: this holds itself.", expected="a plain table", got="an alias of what it is in")
    inner = above | {id(node)}
    if isinstance(node, yaml.SequenceNode):
        return Node([_node(one, file, inner) for one in node.value], place)
    if isinstance(node, yaml.MappingNode):
        found: dict[str, Node] = {}
        for key, value in node.value:
            name = str(key.value)
            if name in found:
                line, column = key.start_mark.line + 1, key.start_mark.column + 1
                raise InputError(
                    f"{file}, line {line}, column {column}: {name!r} is there twice.",
                    expected="each key once",
                    got=repr(name),
                    hint="rename or merge them",
                )
            found[name] = _node(value, file, inner)
        return Node(found, place)
    empty = node.tag == "tag:yaml.org,2002:null"
    return Node(None if empty else str(node.value), place)
