"""Read what a model answered: JSON if it can be found, a class if it is one, else what was wrong with it."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from lucida.models.json_text import THOUGHTS, find_json, one_line, short

_QUOTES = " \t\r\n.\"'`*“”‘’。"


@dataclass(frozen=True)
class Answer:
    """What a model says of one image.

    Attributes:
        label: A class of the question; "" where there is no usable answer.
        confidence: What the model says of its own certainty, 0 to 1; None where it says nothing usable.
        reason: Its reason, one line; "" for none.
        problem: Why there is no usable answer; "" where there is one.
    """

    label: str = ""
    confidence: float | None = None
    reason: str = ""
    problem: str = ""


def read_answers(text: str, classes: Sequence[str], images: int) -> list[Answer]:
    """Read the answers about so many images, in their order.

    Args:
        text: What the model wrote.
        classes: The classes that are allowed.
        images: How many images were asked about.
    """
    text = THOUGHTS.sub("", text).strip()
    if not text:
        return [Answer(problem="The answer was empty.")] * images
    known = {fold(name): name for name in classes}
    found = find_json(text)
    if found is None:
        plain = known.get(fold(text.strip(_QUOTES)))
        if plain is not None and images == 1:
            return [Answer(plain)]
        return [Answer(problem=f"The answer was no JSON: {short(text)}")] * images
    entries = [_plain_keys(entry) for entry in _entries(_plain_keys(found))]
    if images == 1:
        return [_read(entries[0], known) if len(entries) == 1 else Answer(problem=_counted(entries, 1))]
    return _numbered(entries, known, images)


def fold(name: str) -> str:
    """Return a class as it is compared: without case, and with single spaces, as different classes are told apart."""
    return " ".join(unicodedata.normalize("NFC", name).casefold().split())


def _entries(found: Any) -> list[Any]:
    if isinstance(found, dict) and not _named(found):
        lists = [value for value in found.values() if isinstance(value, list)]
        return lists[0] if len(lists) == 1 else [found]
    return found if isinstance(found, list) else [found]


def _plain_keys(entry: Any) -> Any:
    return {str(key).strip().casefold(): value for key, value in entry.items()} if isinstance(entry, dict) else entry


def _named(entry: dict[str, Any]) -> bool:
    return any(key in entry for key in ("class", "label", "answer"))


def _numbered(entries: list[Any], known: dict[str, str], images: int) -> list[Answer]:
    found: dict[int, Answer] = {}
    for entry in entries:
        number = entry.get("image") if isinstance(entry, dict) else None
        if isinstance(number, str) and number.strip().isdecimal():
            number = int(number)
        if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= images:
            continue
        answer = _read(entry, known)
        before = found.setdefault(number, answer)
        if before.label != answer.label:
            found[number] = Answer(problem=f"Image {number} was answered twice.")
    missing = Answer(problem=_counted(entries, images))
    return [found.get(number, missing) for number in range(1, images + 1)]


def _counted(entries: list[Any], images: int) -> str:
    return f"The answer held {len(entries)} entries for {images} images, or lacked the number of one."


def _read(entry: Any, known: dict[str, str]) -> Answer:
    if not isinstance(entry, dict):
        return Answer(problem=f"The answer was no JSON object: {short(json.dumps(entry, ensure_ascii=False))}")
    said = next((entry[key] for key in ("class", "label", "answer") if key in entry), None)
    if not isinstance(said, str | int | float) or isinstance(said, bool):
        return Answer(problem="The answer named no class.")
    label = known.get(fold(str(said))) or known.get(fold(str(said).strip(_QUOTES)))
    if label is None:
        return Answer(problem=f"The answer was outside the classes: {short(str(said))}")
    reason = entry.get("reason", "")
    return Answer(label, _confidence(entry.get("confidence")), one_line(reason) if isinstance(reason, str) else "")


def _confidence(value: Any) -> float | None:
    if isinstance(value, str):
        try:
            value = float(value.strip().rstrip("%")) / (100 if value.strip().endswith("%") else 1)
        except ValueError:
            return None
    if not isinstance(value, int | float) or isinstance(value, bool) or not isfinite(value) or value < 0:
        return None
    value = value / 100 if 1 < value <= 100 else value
    return float(value) if value <= 1 else None
