"""YAML as people write it: words stay words ("no", "1.10", "007"), and a key that is there twice is a mistake."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from lucida.errors import InputError

_YES = {"true", "yes", "on"}
_NO = {"false", "no", "off", ""}


class _Words(yaml.BaseLoader):
    """Scalars are text, or None where there is nothing; tables have each key once."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            name = str(key.value)
            if name in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{name!r} is there twice", key.start_mark)
            seen.add(name)
        return super().construct_mapping(node, deep)


_NULL = "tag:yaml.org,2002:null"
_Words.add_implicit_resolver(_NULL, re.compile("^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""])
_Words.add_constructor(_NULL, lambda loader, node: None)


def read_text(path: Path, kind: str, hint: str) -> str:
    """Return the text of a file.

    Args:
        path: The file.
        kind: What it is, for messages: "file of classes".
        hint: What to try instead.

    Raises:
        InputError: It cannot be read, or is no UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(
            f"The {kind} {path} cannot be read.", expected="a text file", got=error.strerror or str(error), hint=hint
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(
            f"The {kind} {path} is not valid YAML.", expected="UTF-8", got=str(error), hint="save it as UTF-8"
        ) from error


def load_words(text: str, where: str, expected: str) -> Any:
    """Return the value of a YAML text: tables, lists, texts, and None where there is nothing.

    Args:
        text: The YAML.
        where: Where it stands, for messages.
        expected: What it should hold, for messages.

    Raises:
        InputError: It is not valid YAML, or a table has a key twice.
    """
    try:
        # A subclass of the loader that makes nothing but tables, lists and texts.
        return yaml.load(text, _Words)
    except (yaml.YAMLError, RecursionError) as error:
        raise InputError(
            f"{where} is not valid YAML.",
            expected=expected,
            got=" ".join(str(error).split())[:200],
            hint="quote names with colons or other signs in them",
        ) from error


def switch(value: Any, name: str, where: str) -> bool:
    """Return a value that is on or off.

    Raises:
        InputError: It is neither.
    """
    word = "" if value is None else str(value).strip().casefold()
    if not isinstance(value, list | dict) and word in _YES | _NO:
        return word in _YES
    raise InputError(
        f"The key {name!r} of {where} is neither on nor off.",
        expected="true or false",
        got=repr(value)[:80],
        hint=f"{name}: true",
    )
