"""The word table: English nouns as vectors, Chinese ones through English, phrases by their head.

A word that is not in the table is read as the nearest one that is, and the reading says so: nothing is refused, and
nothing is guessed in silence. What is like no word at all ("1", "😀") gets a vector of zeros, which is near to nothing.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lucida.errors import ModelError
from lucida.models.onnx.text import unit

if TYPE_CHECKING:
    from numpy.typing import NDArray

# What stands before the head of a phrase colours its meaning and must not outweigh it: "red dress" is a dress.
MODIFIER = 0.35
ALIKE = 0.6  # of the letters that two spellings must share, in order, for the one to stand in for the other
# Words that end the part of a phrase in which its head is the last word: "bottle of wine", "hat with a feather".
_TAILS = frozenset(
    ("of", "with", "without", "on", "in", "at", "by", "for", "from", "to", "under", "over", "near", "that", "which")
)
_EMPTY = frozenset(("a", "an", "the", "some", "any", "one", "this", "these", "those", "my", "his", "her", "its"))
_OPENINGS = re.compile(r"^(?:an? |the )?(?:\w+ )?(?:photo|photograph|picture|image|close-up|kind|type|piece)s? of ")
_CJK = re.compile("[\u3400-\u9fff]")
_IRREGULAR = {
    "people": "person", "men": "man", "women": "woman", "children": "child", "mice": "mouse", "geese": "goose",
    "feet": "foot", "teeth": "tooth", "oxen": "ox", "dice": "die", "lice": "louse", "cacti": "cactus",
    "fungi": "fungus", "bacteria": "bacterium", "leaves": "leaf", "knives": "knife", "wolves": "wolf",
    "shelves": "shelf", "loaves": "loaf", "scarves": "scarf", "calves": "calf", "halves": "half", "wives": "wife",
}  # fmt: skip
_PLURALS = (("ies", "y"), ("ves", "f"), ("ves", "fe"), ("es", ""), ("s", ""), ("men", "man"))


@dataclass(frozen=True)
class Reading:
    """How a text was understood.

    Attributes:
        text: The text as given.
        vector: float32 (d,), of length one; zeros where nothing is near.
        read_as: The entry of the table that stands for it, with what it was coloured by; "" where nothing is near.
        known: Whether the table has it; False where the nearest entry stands in.
    """

    text: str
    vector: NDArray[np.float32]
    read_as: str
    known: bool


class Lexicon:
    """Texts to vectors.

    Args:
        entries: English entries, lower case; the order of `vectors`.
        vectors: float32 (n, d), of length one.
        chinese: Chinese entries to English ones.
    """

    def __init__(self, entries: Sequence[str], vectors: NDArray[np.float32], chinese: dict[str, str]) -> None:
        self._place = {entry: i for i, entry in enumerate(entries)}
        self._joined = {_join(entry): entry for entry in reversed(entries)}
        self._vectors, self._chinese = vectors, chinese

    def __len__(self) -> int:
        return len(self._place)

    def read(self, text: str) -> Reading:
        """Return how a word or phrase, English or Chinese, is understood."""
        plain = " ".join(unicodedata.normalize("NFKC", text).casefold().replace("_", " ").split())
        if plain in self._chinese or _CJK.search(plain):
            return self._read_chinese(text, plain)
        letters = unicodedata.normalize("NFKD", plain)
        return self._read_english(text, "".join(c for c in letters if not unicodedata.combining(c)))

    def entry(self, word: str) -> str:
        """Return the entry that a word or short phrase is, in any of its usual spellings; "" where it is none.

        Nothing is guessed, and words that say nothing by themselves ("the", "with") are none.
        """
        plain = " ".join(unicodedata.normalize("NFKC", word).casefold().replace("_", " ").split())
        if plain in self._chinese:
            return self._read_english(word, self._chinese[plain]).read_as.partition(" + ")[0]
        return self._colour(plain)

    def _read_english(self, text: str, plain: str, *, known: bool = True) -> Reading:
        plain = _OPENINGS.sub("", plain).strip(" .,;:!?\"'")
        whole = self._find(plain)
        if whole:
            return self._reading(text, whole, known=known)
        words = [word for word in re.split(r"[\s/,()]+", plain) if word]
        before, after = _split_at_tail(words)
        for start in range(len(before)):
            head = self._find(" ".join(before[start:]))
            if head:
                colours = [found for word in (*before[:start], *after) if (found := self._colour(word))]
                return self._reading(text, head, colours, known=known)
        for word in reversed(words):
            # The head is unknown; what it is said to be like is better than a word that is spelled like it.
            found = self._colour(word)
            if found:
                return self._reading(text, found, known=False)
        return self._reading(text, self._in_two(plain) or _nearest(plain, self._place), known=False)

    def _read_chinese(self, text: str, plain: str) -> Reading:
        """Read Chinese by its longest known ending: its nouns have their head last."""
        if plain not in self._chinese:
            plain = re.sub(r"[\s的]+", "", plain)
        for start in range(len(plain)):
            english = self._chinese.get(plain[start:])
            if english:
                found = self._read_english(text, english)
                # One character of many may be an accident: "蜗牛" is no cattle.
                return Reading(text, found.vector, found.read_as, start == 0 or len(plain) - start > 1)
        nearest = _nearest(plain, self._chinese)
        return self._read_english(text, self._chinese.get(nearest, ""), known=False)

    def _reading(self, text: str, head: str, colours: Sequence[str] = (), *, known: bool = True) -> Reading:
        if not head:
            return Reading(text, np.zeros(self._vectors.shape[1], np.float32), "", False)
        vector = self._vectors[self._place[head]]
        if colours:
            vector = vector + MODIFIER * np.mean([self._vectors[self._place[c]] for c in colours], axis=0)
            vector = vector / np.linalg.norm(vector)
        return Reading(text, np.asarray(vector, np.float32), " + ".join([head, *colours]), known)

    def _colour(self, word: str) -> str:
        return "" if word in _EMPTY or word in _TAILS else self._find(word)

    def _find(self, word: str) -> str:
        """Return the entry for a word in any of its usual spellings, in the singular; "" where there is none."""
        for form in forms(word):
            if form in self._place:
                return form
            joined = self._joined.get(_join(form))
            if joined:
                return joined
        return ""

    def _in_two(self, word: str) -> str:
        """Return the second of two known words written as one: "longsleeve"."""
        cuts = range(3, len(word) - 2)
        return next((tail for i in cuts if self._find(word[:i]) and (tail := self._find(word[i:]))), "")


def _nearest(word: str, known: Iterable[str]) -> str:
    """Return the known word that is spelled most alike, "" where none is."""
    return next(iter(difflib.get_close_matches(word, list(known), n=1, cutoff=ALIKE)), "")


def _split_at_tail(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Divide a phrase into what leads up to its head and what comes after; the empty words fall out."""
    cut = next((i for i, word in enumerate(words) if i and word in _TAILS), len(words))
    full = [[word for word in part if word not in _EMPTY] for part in (words[:cut], words[cut + 1 :])]
    return full[0] or full[1], full[1] if full[0] else []


def _join(text: str) -> str:
    return re.sub(r"[\s\-'’.]+", "", text)


def forms(word: str) -> Iterator[str]:
    """Yield a word or phrase as it is, then with its last word in the singular."""
    yield word
    *others, last = word.rsplit(" ", 1)
    if last in _IRREGULAR:
        yield " ".join([*others, _IRREGULAR[last]])
    for ending, singular in _PLURALS:
        if last.endswith(ending) and len(last) > len(ending) + 2:
            yield " ".join([*others, last[: -len(ending)] + singular])


@cache
def load_lexicon(folder: Path) -> Lexicon:
    """Load the word table that ships with the encoder.

    Raises:
        ModelError: The folder is missing or damaged.
    """
    try:
        entries = (folder / "english.txt").read_text(encoding="utf-8").splitlines()
        stored = np.load(folder / "vectors.npy", allow_pickle=False)
        rows = (line.split("\t") for line in (folder / "chinese.tsv").read_text(encoding="utf-8").splitlines())
        chinese = {word.casefold(): english for word, english in rows}
        if stored.dtype != np.int8 or stored.ndim != 2 or len(stored) != len(entries):
            raise ValueError(f"{len(entries)} words, but vectors {stored.dtype} {stored.shape}")
    except (OSError, ValueError, EOFError) as error:
        raise ModelError(
            "The word table cannot be loaded.",
            expected=f"english.txt, vectors.npy and chinese.tsv in {folder}",
            got=str(error)[:200],
            hint="install camera-lucida again; labels by example work without it",
        ) from error
    return Lexicon(entries, unit(stored.astype(np.float32)), chinese)
