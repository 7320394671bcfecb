"""What an answer says in short: two answers that say the same agree, and what is right can be compared with it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any, Final


def said(task: str, answer: bytes | Mapping[str, Any]) -> str:
    """Return what the answer to a task says, without scores and places.

    Args:
        task: Name of the service.
        answer: Its JSON.
    """
    body = json.loads(answer) if isinstance(answer, bytes) else answer
    return _SAID[task](body)


def in_words(text: str) -> str:
    """Return what stands for words about an image: they may be about a person, and are not kept."""
    return "sha256:" + sha256(" ".join(text.split()).casefold().encode(errors="replace")).hexdigest()[:32]


def _names(rows: Any) -> str:
    return json.dumps(sorted(rows), ensure_ascii=False)


def _segments(body: Mapping[str, Any]) -> str:
    parts = body.get("objects") if body.get("objects") is not None else body.get("regions")
    return _names(one["label"] for one in parts or [])


_SAID: Final[dict[str, Callable[[Mapping[str, Any]], str]]] = {
    "classify": lambda body: str(body["label"]),
    "tag": lambda body: _names(name for name, _ in body["tags"]),
    "detect": lambda body: _names(one["label"] for one in body["objects"]),
    "segment": _segments,
    "caption": lambda body: in_words(body["text"]),
    "ask": lambda body: in_words(body["text"]),
    "read": lambda body: in_words(body["text"]),
}
# A person can say what is right in a word or a line; of the others, only whether they are.
LABELLED: Final[dict[str, Callable[[str], str]]] = {"classify": str, "read": in_words}
WORDS: Final = ("caption", "ask")  # two answers that differ may both be right
ROUTED: Final = tuple(_SAID)  # the tasks that routes are for: vectors of different models cannot be compared
