"""The order in which lines are read: columns from the left, each from top to bottom, a row from left to right."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lucida.results import Line

DEEPEST = 40  # cuts within cuts; a page has a few
GAP = 1.0  # of the usual height of a line: what is between columns is wider
LONG = 6.0  # times its height: lines of a column of text are longer, cells of a table shorter


def reading_order(lines: Sequence[Line]) -> list[Line]:
    """Return lines in the order of reading.

    The page is cut where a blank strip goes through all of it: into bands, one above the other; bands that go on in
    the same columns of text belong together and are read column by column. A table is read row by row.

    Source: the XY-cut of Nagy and Seth, "Hierarchical representation of optically scanned documents" (ICPR 1984).
    """
    return [placed.line for placed in _ordered(_upright(lines), 0)]


@dataclass(frozen=True)
class _Placed:
    """A line, and left, top, right and bottom of it on the upright page."""

    line: Line
    box: tuple[float, float, float, float]


def _upright(lines: Sequence[Line]) -> list[_Placed]:
    """Return the lines of a page that is turned until most of them run level: the boxes of slanted ones overlap."""
    across = sum(line.corners[1][0] - line.corners[0][0] for line in lines)
    down = sum(line.corners[1][1] - line.corners[0][1] for line in lines)
    length = math.hypot(across, down)
    cosine, sine = (across / length, down / length) if length else (1.0, 0.0)
    found = []
    for line in lines:
        xs = [x * cosine + y * sine for x, y in line.corners]
        ys = [y * cosine - x * sine for x, y in line.corners]
        found.append(_Placed(line, (min(xs), min(ys), max(xs), max(ys))))
    return found


def _ordered(lines: list[_Placed], depth: int) -> list[_Placed]:
    bands = _parted(lines, 1, 0.0)
    if depth > DEEPEST:
        return _rows(lines)
    found = []
    for group in _in_columns(bands, _usual(lines)) if lines else []:
        together = [line for band in group for line in band]
        columns = _columns(together, _usual(lines))
        if columns:
            found += [line for column in columns for line in _ordered(column, depth + 1)]
        else:
            found += [line for band in group for line in _rows(band)]
    return found


def _usual(lines: list[_Placed]) -> float:
    return sorted(_height(line) for line in lines)[len(lines) // 2]


def _in_columns(bands: list[list[_Placed]], usual: float) -> list[list[list[_Placed]]]:
    """Return groups of bands: those one after the other that leave the same strips free."""
    groups: list[list[list[_Placed]]] = []
    for band in bands:
        if groups:
            before = [line for each in groups[-1] for line in each]
            parts = len(_parted(before, 0, GAP * usual))
            if parts > 1 and len(_parted([*before, *band], 0, GAP * usual)) == parts:
                groups[-1].append(band)
                continue
        groups.append([band])
    return groups


def _columns(lines: list[_Placed], usual: float) -> list[list[_Placed]]:
    """Return columns of text; none where these lines are in no columns."""
    parts = _parted(lines, 0, GAP * usual)
    if len(parts) < 2:
        return []
    for part in parts:
        lengths = sorted((line.box[2] - line.box[0]) / max(1.0, _height(line)) for line in part)
        if len(_parted(part, 1, 0.0)) < 2 or lengths[len(lengths) // 2] < LONG:
            return []
    return parts


def _parted(lines: list[_Placed], axis: int, gap: float) -> list[list[_Placed]]:
    """Return groups of lines with a blank strip between them: along 0, across, or 1, down."""
    parts: list[list[_Placed]] = []
    end = 0.0
    for line in sorted(lines, key=lambda line: line.box[axis]):
        start, stop = line.box[axis], line.box[axis + 2]
        # Boxes of neighbouring lines touch by a pixel or two.
        slack = 0.25 * (stop - start) if axis == 1 else 0.0
        if parts and start + slack < end + gap:
            parts[-1].append(line)
            end = max(end, stop)
        else:
            parts.append([line])
            end = stop
    return parts


def _rows(lines: list[_Placed]) -> list[_Placed]:
    """Return lines that no strip parts: in rows by the height of their middles, each from the left."""
    rows: list[list[_Placed]] = []
    for line in sorted(lines, key=_middle):
        if rows and _middle(line) - _middle(rows[-1][0]) < 0.5 * min(_height(line), _height(rows[-1][0])):
            rows[-1].append(line)
        else:
            rows.append([line])
    return [line for row in rows for line in sorted(row, key=lambda line: line.box[0])]


def _middle(line: _Placed) -> float:
    return (line.box[1] + line.box[3]) / 2


def _height(line: _Placed) -> float:
    return line.box[3] - line.box[1]
