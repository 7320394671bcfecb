"""Sentences for people that a page can say in its own language."""

from __future__ import annotations

from typing import Any


class Note(str):
    """An English sentence that also tells which one it is, and what it is filled with.

    Args:
        key: Its name among the words of the studio: "memory" is `note.memory` in `studio/words`.
        text: The sentence, with {placeholders}.
        values: What fills them; a part that has to be translated as well is a note itself.
    """

    __slots__ = ("key", "template", "values")

    key: str
    template: str
    values: dict[str, Any]

    def __new__(cls, key: str, text: str, /, **values: Any) -> Note:
        note = super().__new__(cls, text.format(**values))
        note.key, note.template, note.values = key, text, values
        return note

    def __getnewargs_ex__(self) -> tuple[tuple[str, str], dict[str, Any]]:
        return (self.key, self.template), self.values


def told(sentence: str) -> dict[str, Any]:
    """Return a sentence as plain JSON values: `text`; and where it is a note, its `key` and `values`."""
    if not isinstance(sentence, Note):
        return {"text": str(sentence)}
    values = {name: told(value) if isinstance(value, Note) else value for name, value in sentence.values.items()}
    return {"text": str(sentence), "key": sentence.key, "values": values}
