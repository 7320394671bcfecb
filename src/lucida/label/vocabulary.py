"""Class words: from a comma list or a YAML file, checked."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lucida.errors import InputError

NONE = "none of these"
_SWITCH = "none_of_these"
_LINES = "a list of names, or name: description lines"
_COMMAS = re.compile("[,，、]")
_HINT = 'lucida label --classes "dress,hat,shoes", or --classes classes.yaml'


@dataclass(frozen=True)
class Vocabulary:
    """Classes as words.

    Attributes:
        names: What the labels are called.
        descriptions: For each class the words or phrases that stand for it; its name where none are given.
        none_of_these: Whether an image may be none of them.
    """

    names: list[str]
    descriptions: list[list[str]]
    none_of_these: bool = False

    @property
    def labels(self) -> list[str]:
        """All labels that may be given: the names, and "none of these" where an image may be that."""
        return [*self.names, *([NONE] if self.none_of_these else [])]


def read_vocabulary(classes: str, *, none_of_these: bool = False) -> Vocabulary:
    """Read classes.

    Args:
        classes: "dress,hat,shoes"; or the path of a .yaml file with a list of names, or a table of each name to a
            description, a list of descriptions or nothing. The key `none_of_these: true` is an option, not a class.
        none_of_these: Whether an image may be none of them.

    Raises:
        InputError: The file cannot be read, or a name is empty, appears twice, or is the only one.
    """
    if Path(classes).suffix.lower() in (".yaml", ".yml"):
        table = _read_yaml(Path(classes))
        none_of_these = bool(table.pop(_SWITCH, False)) or none_of_these
        pairs = [(clean(name), _descriptions(name, value)) for name, value in table.items()]
    else:
        pairs = [(clean(name), [clean(name)]) for name in _COMMAS.split(classes)]
    check_names([name for name, _ in pairs], classes)
    return Vocabulary([name for name, _ in pairs], [words for _, words in pairs], none_of_these)


def clean(name: object) -> str:
    """Return a name as it is kept: composed characters, single spaces; "" for None."""
    return "" if name is None else unicodedata.normalize("NFC", " ".join(str(name).split()))


def _read_yaml(path: Path) -> dict[Any, Any]:
    from lucida.plain_yaml import load_words, read_text, switch

    found = load_words(read_text(path, "file of classes", _HINT), str(path), _LINES)
    if isinstance(found, list):
        switches = [each[_SWITCH] for each in found if isinstance(each, dict) and list(each) == [_SWITCH]]
        names = [name for name in found if not (isinstance(name, dict) and list(name) == [_SWITCH])]
        odd = next((name for name in names if isinstance(name, dict | list)), None)
        if odd is not None:
            raise InputError(
                f"A class in {path} is no plain name.",
                expected=_LINES,
                got=repr(odd)[:80],
                hint="leave the dashes out where classes have descriptions",
            )
        check_names([clean(name) for name in names], str(path))
        found = {**dict.fromkeys(names), **({_SWITCH: switches[-1]} if switches else {})}
    if not isinstance(found, dict):
        raise InputError(
            f"{path} names no classes.",
            expected=_LINES,
            got="nothing" if found is None else type(found).__name__,
            hint=_HINT,
        )
    return {**found, **({_SWITCH: switch(found[_SWITCH], _SWITCH, str(path))} if _SWITCH in found else {})}


def _descriptions(name: object, value: object) -> list[str]:
    values = value if isinstance(value, list) else [value]
    given = [clean(v) for v in values if v is not None and clean(v)]
    if any(isinstance(v, dict | list) for v in values):
        raise InputError(
            f"The class {name!r} is not described by plain text.",
            expected="a text, or a list of texts",
            got=repr(value)[:80],
            hint="name: [first description, second description]",
        )
    return given or [clean(name)]


def check_names(names: list[str], classes: str) -> None:
    """Refuse names that are not clear.

    Args:
        names: The names, cleaned.
        classes: Where they come from, for messages.

    Raises:
        InputError: A name is empty, appears twice, is the only one, or is kept for an option.
    """
    folded = [name.casefold() for name in names]
    twice = next((name for name in names if folded.count(name.casefold()) > 1 and name), None)
    problem = (
        "A class name is empty."
        if "" in names
        else f"The class {twice!r} is named twice."
        if twice
        else f"{NONE!r} is an option, not a class."
        if NONE in folded
        else "There is only one class."
        if len(names) < 2
        else ""
    )
    if problem:
        raise InputError(problem, expected="two or more different class names", got=repr(classes), hint=_HINT)
