"""A title, an alternative text and keywords of an image, by a model that answers in JSON or one that only captions."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from lucida.models.chat import Said, Talk, Turn
from lucida.results import Description

if TYPE_CHECKING:
    from lucida.models.spec import Spec

SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "title": {"type": "string"},
        "alternative": {"type": "string"},
        "keywords": {"type": "array", "items": {"type": "string"}},
        "scene": {"type": "string"},
    },
    "required": ["title", "alternative", "keywords", "scene"],
    "additionalProperties": False,
}
ASKED: Final = (
    'Describe this image for its publication. "title": a few words. "alternative": what somebody who cannot see it'
    ' should be told, one or two sentences, without "image of". "keywords": 3 to 12 words that it may be searched by.'
    ' "scene": where it plays, a word or two, or "" where that cannot be told. Name nobody.'
)
MOST = 30  # keywords
TITLE = 60  # signs of a title that is made of a caption
# Words of a caption that nobody searches by.
_EMPTY: Final = frozenset(
    word
    for line in (
        "a an and are as at be by for from has his her in into is it its next of off on or over some that the their",
        "there this to two under up very while who with",
    )
    for word in line.split()
)


def describe(
    spec: Spec, say: Callable[[Talk], Said], data: bytes, wishes: Sequence[str] = ()
) -> tuple[Description | None, Said]:
    """Describe an image.

    Args:
        spec: A model that answers in JSON ("ask" is among its tasks), or one that captions.
        say: Has it say what comes next in a talk.
        data: The encoded image.
        wishes: What else is asked of the words: "in French".

    Returns:
        The description, or None; and what the model said, with its problem and what it took.
    """
    if "ask" in spec.tasks:
        said = say(Talk((Turn("\n".join([ASKED, *wishes]), (data,)),), schema=SCHEMA, longest=500))
        return (None if said.problem else _of_data(said.data)), said
    said = say(Talk((Turn("", (data,)),)))
    return (None if said.problem else of_caption(said.text)), said


def _of_data(data: dict[str, Any]) -> Description:
    keywords = (" ".join(str(word).split()) for word in data["keywords"])
    once: dict[str, str] = {}
    for word in filter(None, keywords):
        once.setdefault(word.casefold(), word)
    line = {name: " ".join(data[name].split()) for name in ("title", "alternative", "scene")}
    return Description(line["title"], line["alternative"], tuple(once.values())[:MOST], line["scene"])


def of_caption(text: str) -> Description:
    """Return what can be made of one sentence: itself, its beginning, and its words of more than a letter."""
    sentence = " ".join(text.split())
    words = re.findall(r"[^\W\d_]+(?:-[^\W\d_]+)*", sentence)
    once = {word.casefold(): None for word in words if len(word) > 1 and word.casefold() not in _EMPTY}
    title = sentence.rstrip(".。")
    if len(title) > TITLE:
        title = title[: TITLE - 1].rsplit(" ", 1)[0] + "…"
    return Description(title[:1].upper() + title[1:], sentence[:1].upper() + sentence[1:], tuple(once)[:MOST])
