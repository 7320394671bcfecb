"""Words of a query, and how well a text answers them: English by words, Chinese by pairs of characters."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

_QUOTED = re.compile(r'["“”「」]([^"“”「」]+)["“”「」]')
_CJK: Final = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uac00-\ud7af"
_RUNS = re.compile(rf"[{_CJK}]+|[^\W{_CJK}]+")
_IS_CJK = re.compile(f"[{_CJK}]")
# Said in nearly every sentence, so they tell nothing apart.
_EMPTY: Final = frozenset(
    ("a", "an", "and", "are", "as", "at", "by", "for", "from", "has", "have", "in", "is", "it", "its", "of", "on", "or",
     "that", "the", "this", "to", "was", "were", "with", "的", "了", "和", "在", "是", "一个", "一张")
)  # fmt: skip
_BETWEEN: Final = frozenset("的了")  # a pair that holds one of these lies across two words
WHOLE, BEGINS, WITHIN = 1.0, 0.8, 0.4  # of a term that is a word, that a word begins with, that stands in a word


@dataclass(frozen=True)
class Term:
    """One thing to look for in texts.

    Attributes:
        text: Folded; see `fold_text`.
        chinese: Whether it is of characters that need no spaces: then any place will do.
    """

    text: str
    chinese: bool

    def fits(self, folded: str) -> float:
        """Return how well a folded text has it, 0 to 1."""
        if self.text not in folded:
            return 0.0
        if self.chinese:
            return WHOLE
        word = re.escape(self.text)
        if re.search(rf"(?<![^\W_]){word}(?![^\W_])", folded):
            return WHOLE
        # A short word is within many others by chance: "red" in "shared". "dress" is meant by "dresses".
        if len(self.text) < 4:
            return 0.0
        return BEGINS if re.search(rf"(?<![^\W_]){word}", folded) else WITHIN


def fold_text(text: str) -> str:
    """Return a text as it is compared: without case, full-width forms as usual ones."""
    return unicodedata.normalize("NFKC", text).casefold()


def read_terms(query: str) -> list[Term]:
    """Return the terms of a query, in order, each once.

    What stands in quotes is one term. Chinese without spaces is taken by overlapping pairs of characters, as words of
    two are the usual ones and nothing marks where they end. Words that say nothing are left out, unless there is no
    other.
    """
    folded = fold_text(query)
    quoted = [part.strip() for part in _QUOTED.findall(folded) if part.strip()]
    found = [Term(part, bool(_IS_CJK.search(part))) for part in quoted]
    said: list[Term] = []
    for run in _RUNS.findall(_QUOTED.sub(" ", folded)):
        if not _IS_CJK.match(run):
            said.append(Term(run, False))
        elif len(run) <= 2:
            said.append(Term(run, True))
        else:
            said += [Term(run[at : at + 2], True) for at in range(len(run) - 1)]
    telling = [term for term in said if not _is_empty(term)]
    return list(dict.fromkeys(found + (telling or ([] if found else said))))


def _is_empty(term: Term) -> bool:
    return term.text in _EMPTY or (term.chinese and len(term.text) == 2 and not _BETWEEN.isdisjoint(term.text))
