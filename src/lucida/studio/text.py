"""All words of the page, in every language it speaks. Each language is one TOML file under `words/`."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

# Code of the language -> its name in itself, in the order in which they are offered.
LANGUAGES = {"en": "English", "zh": "中文"}
TAGS = {"en": "en", "zh": "zh-CN"}  # for the `lang` attribute, from which browsers choose a font


class Words(Mapping[str, str]):
    """The words of one language: "section.name" -> text, with {placeholders} to fill in.

    Args:
        language: Code of the language, one of LANGUAGES.
        table: Texts by key.
    """

    def __init__(self, language: str, table: dict[str, str]) -> None:
        self.language, self._table = language, table

    def __call__(self, key: str, **values: object) -> str:
        """Return the text of a key, its placeholders filled in."""
        return self._table[key].format(**values)

    def __getitem__(self, key: str) -> str:
        return self._table[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._table)

    def __len__(self) -> int:
        return len(self._table)

    @property
    def tag(self) -> str:
        """The language tag of BCP 47, for the `lang` attribute."""
        return TAGS[self.language]


@cache
def words(language: str) -> Words:
    """Return the words of one language.

    Raises:
        KeyError: If the page does not speak it.
    """
    if language not in LANGUAGES:
        raise KeyError(language)
    path = Path(__file__).parent / "words" / f"{language}.toml"
    sections = tomllib.loads(path.read_text(encoding="utf-8"))
    table = {f"{section}.{name}": text for section, part in sections.items() for name, text in part.items()}
    return Words(language, table)


def placeholders(text: str) -> set[str]:
    """Return the names of the {placeholders} in a text."""
    return set(re.findall(r"\{(\w+)\}", text))


def choose(accept_language: str, remembered: str | None = None) -> str:
    """Choose the language of the page.

    Args:
        accept_language: The browser's header, for example "zh-CN,zh;q=0.9,en;q=0.8".
        remembered: The language the person chose before; wins when the page speaks it.

    Returns:
        A code of LANGUAGES; English when the browser asks for none of them.
    """
    if remembered in LANGUAGES:
        return str(remembered)
    wishes = []
    for place, part in enumerate(accept_language.split(",")):
        tag, _, parameter = part.partition(";")
        quality = re.fullmatch(r"\s*q\s*=\s*([01](?:\.\d{1,3})?)\s*", parameter)
        weight = float(quality[1]) if quality else 1.0
        wishes.append((-weight, place, tag.strip().lower().split("-")[0]))
    return next((code for weight, _, code in sorted(wishes) if code in LANGUAGES and weight < 0), "en")
