"""`labels.csv`: one row for every labelled image."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from lucida.export.selection import Row

FILE = "labels.csv"
COLUMNS = ("path", "label", "score", "state", "kept")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write(file: IO[bytes], rows: Iterable[Row]) -> None:
    """Write the rows.

    Every value is written exactly as it is, so that the file can be read back; nothing is put in front of a cell
    that a spreadsheet might take for a formula (`looks_like_formula` finds those, and the export says so).

    Source: RFC 4180; UTF-8 without a byte order mark.
    """
    text = io.TextIOWrapper(file, encoding="utf-8", errors="surrogateescape", newline="", write_through=True)
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in rows:
        score = "" if row.score is None else f"{row.score:.6g}"
        writer.writerow((row.path, row.label, score, row.state, "true" if row.kept else "false"))
    text.detach()


def looks_like_formula(text: str) -> bool:
    """Return whether a spreadsheet that opens the file directly might run this cell as a formula."""
    return text.startswith(_FORMULA)
