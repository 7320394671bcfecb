"""From any prompt to the class that a model with a few classes draws for it, and what to say of that.

The classes are found in the prompt by name, else by the word table that comes with the package: the nearest of what the
prompt names. Nothing is refused; what is like no word at all has the classes drawn in turn.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from lucida.models.embedded.family import weights
from lucida.models.embedded.lexicon import Lexicon, forms, load_lexicon
from lucida.notes import Note

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Cosine from which a word means a class: "puppy" is a dog (.76), "boat" a ship (.71), but a car no truck (.56).
KIN: Final = 0.66
LIKE: Final = 0.45  # cosine from which a word counts though another follows: "golden retriever running"
LONGEST: Final = 4  # words of a name, or twice as many characters of a Chinese one
SHOWN: Final = 12  # classes that are named at most
READ: Final = 1000  # characters of a prompt: more say nothing new of its class
_RUNS: Final = re.compile("[\u3400-\u9fff]+|[^\\W\u3400-\u9fff][^\\W\u3400-\u9fff'’-]*|[,;:!?/()，；：！？、。]")
_ARTICLE: Final = re.compile("^(?:an?|the) ")
# What may stand beside a Chinese word of one character, which else is a part of another: "一只狗和猫".
_BESIDE: Final = frozenset("的和与跟或在一两二三几只条匹头辆架艘个朵棵张位名座台把件有坐骑画")


@dataclass(frozen=True)
class Named:
    """A word of a prompt that the model or the table has.

    Attributes:
        word: As it stands in the prompt.
        number: Of the class nearest to it.
        near: Cosine to that; more than 1 where it is the name of the class.
        leads: The next word is another, which this one colours: "red" of a red bicycle.
    """

    word: str
    number: int
    near: float
    leads: bool = False


@dataclass(frozen=True)
class Match:
    """What a prompt means to a model with classes.

    Attributes:
        number: Of the class; None for all in turn.
        remark: What a person should know of it, None for nothing.
        classes: How many the model has.
    """

    number: int | None
    remark: Note | None
    classes: int

    def draw(self, seeds: Sequence[int]) -> NDArray[np.int64]:
        """Return the number of the class of each picture, int64 (n,)."""
        turns = [seed % max(1, self.classes) if self.number is None else self.number for seed in seeds]
        return np.asarray(turns, np.int64)


class ClassReader:
    """Finds the class that a prompt means.

    Args:
        classes: Names of the model's classes, in the order of their numbers; none for a model without.
    """

    def __init__(self, classes: Sequence[str]) -> None:
        self.classes = tuple(classes)
        self._names = {_plain(name): i for i, name in reversed(list(enumerate(self.classes)))}

    def read(self, prompt: str) -> Match:
        """Return the class to draw for a prompt."""
        if not self.classes:
            said = Note("class_none", "This model was trained without classes: the prompt is not read.")
            return self._match(None, said if prompt.strip() else None)
        if len(self.classes) == 1:
            only = "This model knows nothing but {name}: the prompt is not read."
            return self._match(0, Note("class_only", only, name=repr(self.classes[0])))
        named = self._named(prompt[:READ])
        meant = [one for one in named if one.near >= KIN]
        if meant:
            return self._meant(prompt, meant)
        if named:
            best = max((one for one in named if not one.leads or one.near >= LIKE), key=lambda one: one.near)
            return self._nearest(best.number, repr(best.word))
        reading = self._lexicon.read(prompt[:READ])
        near = self._vectors @ reading.vector
        if reading.read_as and near.max() > 0:
            word = Note("class_read_as", "{prompt} (read as {word})", prompt=_shown(prompt), word=repr(reading.read_as))
            return self._nearest(int(near.argmax()), word)
        if not prompt.strip():
            all_of = "No prompt was given: it draws all in turn: {names}."
            return self._match(None, Note("class_no_prompt", all_of, names=self._list()))
        far = "Nothing in {prompt} is near to a class of this model: it draws all in turn: {names}."
        return self._match(None, Note("class_far", far, prompt=_shown(prompt), names=self._list()))

    def avoid(self, negative: str) -> Match:
        """Return the class that a negative prompt leads away from; none where it names none."""
        meant = [one for one in self._named(negative[:READ]) if one.near >= KIN]
        if not meant:
            unread = "The negative prompt names none of {names}: it is not read."
            return self._match(None, Note("negative_unread", unread, names=self._list()))
        name = repr(self.classes[meant[0].number])
        return self._match(meant[0].number, Note("negative_class", "The pictures are led away from {name}.", name=name))

    def _match(self, number: int | None, remark: Note | None) -> Match:
        return Match(number, remark, len(self.classes))

    def _meant(self, prompt: str, meant: Sequence[Named]) -> Match:
        first = next((one for one in meant if one.near > 1), meant[0])
        name = self.classes[first.number]
        others = list(dict.fromkeys(self.classes[one.number] for one in meant if one.number != first.number))
        if others:
            said = "The prompt names {several}: this model draws one class at a time, the first, {name}."
            several = _all_of([name, *others])
            return self._match(first.number, Note("class_several", said, several=several, name=repr(name)))
        whole = _ARTICLE.sub("", _plain(prompt)) == first.word
        what = repr(name)
        if first.near <= 1:
            what = Note("class_for", "{name} for {word}", name=what, word=repr(first.word))
        if whole:
            return self._match(first.number, Note("class_drawn", "This model draws its class {what}.", what=what))
        more = "This model draws its class {what}, and reads nothing else of the prompt."
        return self._match(first.number, Note("class_drawn_only", more, what=what))

    def _nearest(self, number: int, what: str) -> Match:
        said = (
            "This model knows only {names}: it draws {name}, the nearest to {what}. That is not what a text-to-image"
            " model gives: --model sdxl draws what the words say."
        )
        name = repr(self.classes[number])
        return self._match(number, Note("class_nearest", said, names=self._list(), name=name, what=what))

    def _list(self) -> str:
        more = len(self.classes) - SHOWN
        names = ", ".join(self.classes[:SHOWN])
        return Note("class_more", "{names} and {more} more", names=names, more=more) if more > 0 else names

    def _named(self, text: str) -> list[Named]:
        """Return what a text names, in order, the longest names first."""
        found: list[Named] = []
        words = list(_words(text))
        at = end = 0
        while at < len(words):
            length, one = next(
                (
                    (n, one)
                    for n in range(min(2 * LONGEST, len(words) - at), 0, -1)
                    if (one := self._name(words, at, n))
                ),
                (1, None),
            )
            if one:
                if found and words[end:at] in ([], ["的"]):
                    found[-1] = replace(found[-1], leads=True)
                found.append(one)
                end = at + length
            at += length
        return found

    def _name(self, words: Sequence[str], at: int, length: int) -> Named | None:
        part = words[at : at + length]
        chinese = [_is_chinese(word) for word in part]
        if any(chinese) and not all(chinese):
            return None
        if all(chinese) and length == 1 and not _alone(words, at):
            return None
        if not any(chinese) and length > LONGEST:
            return None
        word = "".join(part) if all(chinese) else " ".join(part)
        for form in forms(word):
            if form in self._names:
                return Named(word, self._names[form], 2.0)
        entry = self._lexicon.entry(word)
        if not entry:
            return None
        near = self._vectors @ self._lexicon.read(entry).vector
        return Named(word, int(near.argmax()), min(1.0, float(near.max()))) if near.any() else None

    @cached_property
    def _lexicon(self) -> Lexicon:
        return load_lexicon(weights() / "words")

    @cached_property
    def _vectors(self) -> NDArray[np.float32]:
        """Unit vectors of the classes, float32 (classes, d); zeros for a name that is no word: "n01440764"."""
        nothing = self._lexicon.read("").vector
        return np.stack([self._vector(name, nothing) for name in self.classes])

    def _vector(self, name: str, nothing: NDArray[np.float32]) -> NDArray[np.float32]:
        # Asked for word by word first: to look for what is spelled alike takes long, and is wrong for codes.
        if not any(_is_chinese(word) or self._lexicon.entry(word) for word in _RUNS.findall(_plain(name))):
            return nothing
        reading = self._lexicon.read(name)
        return reading.vector if reading.known else nothing


def _plain(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(re.sub(r"[_\-]", " ", folded).split()).strip(" .,;:!?\"'")


def _words(text: str) -> Iterator[str]:
    """Yield words, Chinese characters one by one, and marks, which keep words apart."""
    for run in _RUNS.findall(_plain(text)):
        yield from run if _is_chinese(run) else [run]


def _is_chinese(word: str) -> bool:
    return "\u3400" <= word[0] <= "\u9fff"


def _alone(words: Sequence[str], at: int) -> bool:
    """Tell whether a Chinese character stands for itself."""
    sides = [words[i] for i in (at - 1, at + 1) if 0 <= i < len(words)]
    return words[at] not in _BESIDE and all(not _is_chinese(side) or side in _BESIDE for side in sides)


def _all_of(names: Sequence[str]) -> str:
    found = repr(names[0])
    for name in names[1:]:
        found = Note("and", "{first} and {second}", first=found, second=repr(name))
    return found


def _shown(prompt: str) -> str:
    return repr(prompt if len(prompt) <= 60 else f"{prompt[:57]}…")
