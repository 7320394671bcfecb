"""Words of a policy in what people ask to be drawn: whole words, however they are written."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

ACTIONS: Final = ("block", "flag")
PATTERN: Final = "re:"  # what a regular expression begins with
# Scripts that write no spaces between words: there a word is found wherever it stands.
_UNSPACED: Final = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff\u0e00-\u0e7f"
_PARTS: Final = re.compile(rf"[{_UNSPACED}]|[^\s{_UNSPACED}]+")
_ANY, _SOME = r"[\W_]*", r"[\W_]+"


@dataclass(frozen=True)
class PromptRule:
    """Words that a prompt may not say.

    Attributes:
        name: What it is called.
        text: The words, phrases, and patterns after "re:".
        action: "block", or "flag" for a person to decide.
    """

    name: str
    text: tuple[str, ...]
    action: str = "block"

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"name": self.name, "text": list(self.text), "action": self.action}


@dataclass(frozen=True)
class Hit:
    """A rule that a prompt breaks.

    Attributes:
        rule: Its name.
        action: What follows.
        said: The words of the rule.
    """

    rule: str
    action: str
    said: str


def read_prompt(rules: Sequence[PromptRule], prompt: str) -> list[Hit]:
    """Return the rules that a prompt breaks, each once, those that block first."""
    text = folded(prompt)
    hits = [
        Hit(rule.name, rule.action, words)
        for rule in rules
        if (words := next((one for one in rule.text if pattern_of(one).search(text)), None)) is not None
    ]
    return sorted(hits, key=lambda hit: ACTIONS.index(hit.action))


def folded(text: str) -> str:
    """Return text as it is compared: plain letters without case, accents and what cannot be seen; single spaces."""
    apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    seen = "".join(letter for letter in apart if unicodedata.category(letter) not in ("Mn", "Cf", "Me"))
    return " ".join(unicodedata.normalize("NFKC", seen).split())


@cache
def pattern_of(words: str) -> re.Pattern[str]:
    """Return what finds words in a text that was folded.

    Raises:
        re.error: It is no pattern.
    """
    if words.startswith(PATTERN):
        return re.compile(words.removeprefix(PATTERN), re.IGNORECASE)
    parts = _PARTS.findall(folded(words))
    body = ""
    for before, part in zip(["", *parts], parts, strict=False):
        # Between words, and within words of unspaced scripts, may stand whatever is no letter: "b 52", "炸-弹".
        gap = "" if not before else _ANY if _unspaced(before) or _unspaced(part) else _SOME
        body += gap + re.escape(part)
    # "ass" must not be found in "glass".
    start = "" if _unspaced(parts[0]) else rf"(?<![^\W_{_UNSPACED}])"
    end = "" if _unspaced(parts[-1]) else rf"(?![^\W_{_UNSPACED}])"
    return re.compile(start + body + end)


def _unspaced(part: str) -> bool:
    return re.match(f"[{_UNSPACED}]", part) is not None
