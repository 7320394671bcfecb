"""The words that call what is learned by name."""

from __future__ import annotations

from lucida.errors import LucidaError

# No entries of the word table, and yet in everybody's mouth.
_SMALL = ("a", "an", "the", "my", "your", "this", "that", "our", "his", "her")


def class_word(token: str) -> str:
    """Return what a thing is a kind of: all but the first word, "bag" of "sks bag"; the token itself if it is one."""
    return token.partition(" ")[2] or token


def remarks(token: str) -> list[str]:
    """Return what a person should know of a token: an ordinary word has a meaning that training must first undo."""
    first = token.partition(" ")[0]
    if not _is_ordinary(first):
        return []
    rare = f"sks {class_word(token)}"
    return [
        f"{first!r} is an ordinary word, of which the model has an idea already: a rare one, such as in {rare!r}, is"
        " learned more cleanly."
    ]


def _is_ordinary(word: str) -> bool:
    from lucida.models.embedded.family import weights
    from lucida.models.embedded.lexicon import load_lexicon

    try:
        return word.casefold() in _SMALL or bool(load_lexicon(weights() / "words").entry(word))
    except LucidaError:
        return False
