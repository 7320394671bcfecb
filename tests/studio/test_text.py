"""The words of the page: the same in every language, and all that are used."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import lucida.studio
from lucida.studio.text import LANGUAGES, TAGS, choose, placeholders, words

HERE = Path(lucida.studio.__file__).parent
SOURCES = [*HERE.glob("*.py"), *(HERE / "static").glob("*.js")]


@pytest.mark.parametrize("language", [code for code in LANGUAGES if code != "en"])
def test_every_language_has_the_same_words_and_placeholders(language: str) -> None:
    english, other = words("en"), words(language)
    assert set(other) == set(english)
    for key, text in other.items():
        assert placeholders(text) == placeholders(english[key]), key
        assert text.strip(), key


def test_every_note_of_the_library_has_its_words_with_its_placeholders() -> None:
    notes: dict[str, set[str | None]] = {}
    for path in sorted(HERE.parent.rglob("*.py")):
        for node in ast.walk(ast.parse(text)) if "Note(" in (text := path.read_text()) else ():
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Note":
                notes[_said(node.args[0], path)] = {keyword.arg for keyword in node.keywords}
    known = {key.removeprefix("note.") for key in words("en") if key.startswith("note.")}
    assert set(notes) == known
    for key, values in notes.items():
        assert placeholders(words("en")[f"note.{key}"]) <= values, key


def _said(key: ast.expr, path: Path) -> str:
    assert isinstance(key, ast.Constant), f"{path}: the words of a note are looked for by its key, which is no variable"
    return str(key.value)


def test_every_language_has_a_tag_and_a_name() -> None:
    assert set(TAGS) == set(LANGUAGES)


def test_every_word_that_is_used_exists_and_every_word_is_used() -> None:
    source = "\n".join(path.read_text() for path in SOURCES)
    known = set(words("en"))
    named = set(re.findall(r'"((?:[a-z]+)\.[a-z_-]+)"', source)) & known
    for key in re.findall(r'say\("([a-z]+\.[\w-]+)"', source):
        assert key in known, key
    # Keys put together from parts: `section.${name}` and f"frame.theme_{t}".
    made = re.compile(
        r"^(steps\.|state\.|frame\.theme_|done\.reason_|review\.nothing_|(teach|check)\.what|.*_one$"
        r"|changed\.|watch\.(is|trouble|job|kind|breaker|rollout|condition|what|noted)_|drift\.of_"
        r"|unit\.|note\.|objects\.((step|what|confirm|stop)_|promise)|paint\.)"
    )
    unused = {key for key in known - named if not made.match(key)}
    assert unused == set()


@pytest.mark.parametrize(
    ("header", "remembered", "expected"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", None, "zh"),
        ("en-GB,en;q=0.9,zh;q=0.8", None, "en"),
        ("fr;q=0.9, zh;q=0.5, en;q=0.4", None, "zh"),
        ("fr,de", None, "en"),
        ("", None, "en"),
        ("zh;q=0", None, "en"),
        ("*;q=nonsense,,;;", None, "en"),
        ("zh-CN", "en", "en"),
        ("en", "zh", "zh"),
        ("zh-TW", "xx", "zh"),
    ],
)
def test_the_language_is_the_chosen_one_or_what_the_browser_asks_for(
    header: str, remembered: str | None, expected: str
) -> None:
    assert choose(header, remembered) == expected


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(KeyError):
        words("../en")
