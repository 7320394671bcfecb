"""Find JSON in what a model wrote, whatever it wrote around it."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from itertools import islice
from typing import Any

THOUGHTS = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL)
LONGEST_LINE = 400  # characters; more is cut
_STARTS = 200  # braces tried; nonsense has thousands


def find_json(text: str) -> Any:
    """Return the first JSON object or list in a text, whatever stands around it; None where there is none."""
    return next((value for value, _, _ in json_values(text)), None)


def json_values(text: str) -> Iterator[tuple[Any, int, int]]:
    """Yield the JSON objects and lists in a text, none within another, with where each begins and ends."""
    decoder, after = json.JSONDecoder(), 0
    for start in (found.start() for found in islice(re.finditer(r"[{\[]", text), _STARTS)):
        if start < after:
            continue
        try:
            value, after = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            continue
        yield value, start, after


def one_line(text: str) -> str:
    """Return a text as one line without control characters, cut to a length that can be shown."""
    plain = "".join(" " if unicodedata.category(sign)[0] == "C" else sign for sign in text[: 4 * LONGEST_LINE])
    line = " ".join(plain.split())
    return line if len(line) <= LONGEST_LINE else line[: LONGEST_LINE - 1] + "…"


def plain(text: str) -> str:
    """Return a text without control characters, lines kept: they steer a terminal; databases refuse some."""
    return "".join(sign for sign in text if sign in "\n\t" or unicodedata.category(sign) != "Cc").strip()


def short(text: str) -> str:
    """Return the beginning of a text, as it is quoted in a message."""
    line = one_line(text)
    return line if len(line) <= 80 else line[:79] + "…"
