"""Reads the text in which a server tells its metrics.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Final

Metrics = dict[str, list[tuple[dict[str, str], float]]]
_LINE: Final = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[^"}]|"(?:\\.|[^"\\])*")*)\})?\s+(\S+)')
_LABEL: Final = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:\\.|[^"\\])*)"')
_ESCAPES: Final = {"\\n": "\n", '\\"': '"', "\\\\": "\\"}


def read_metrics(text: str) -> Metrics:
    """Return the values by name, each with its labels; lines that are none are passed over."""
    found: Metrics = defaultdict(list)
    for line in text.splitlines():
        match = None if line.startswith("#") else _LINE.match(line)
        if match is None:
            continue
        name, labels, value = match.groups()
        try:
            number = float(value)
        except ValueError:
            continue
        given = {key: re.sub(r'\\[n"\\]', lambda m: _ESCAPES[m[0]], one) for key, one in _LABEL.findall(labels or "")}
        found[name].append((given, number))
    return dict(found)
