"""Plots as inline SVG and HTML tables: intervals, calibration, confusion. Colours are those of the page."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lucida.evaluate.figure import Figure
    from lucida.evaluate.judged import Bin, Confusion

MOST_CLASSES: Final = 32  # a larger table of confusion cannot be read


def interval(figure: Figure | None, *, width: int = 180) -> str:
    """Return a figure between 0 and 1 as a dot on its interval; "" for others."""
    if figure is None or not 0 <= figure.value <= 1:
        return ""
    height, edge = 18, 5
    low, at, high = (edge + (width - 2 * edge) * min(1.0, max(0.0, end)) for end in _ends(figure))
    middle = height / 2
    return (
        f'<svg class="interval" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img"'
        f' aria-label="{figure}"><line class="axis" x1="{edge}" x2="{width - edge}" y1="{middle}" y2="{middle}"/>'
        f'<line class="span" x1="{low:.1f}" x2="{high:.1f}" y1="{middle}" y2="{middle}"/>'
        f'<circle class="dot" cx="{at:.1f}" cy="{middle}" r="4"/></svg>'
    )


def _ends(figure: Figure) -> tuple[float, float, float]:
    return figure.low, figure.value, figure.high


def calibration(bins: Sequence[Bin], *, side: int = 320) -> str:
    """Return how sure against how right; the diagonal is a model that knows how sure to be."""
    left, bottom, top = 64, 40, 18
    span = side - left - top

    def x(share: float) -> float:
        return left + span * share

    def y(share: float) -> float:
        return top + span * (1 - share)

    parts = [f'<line class="axis" x1="{x(0)}" y1="{y(0)}" x2="{x(1)}" y2="{y(1)}" stroke-dasharray="4 4"/>']
    for tick in (0.0, 0.5, 1.0):
        parts.append(f'<line class="grid" x1="{x(0)}" x2="{x(1)}" y1="{y(tick)}" y2="{y(tick)}"/>')
        parts.append(f'<text x="{left - 8}" y="{y(tick) + 4}" text-anchor="end">{tick:.0%}</text>')
        parts.append(f'<text x="{x(tick)}" y="{y(0) + 18}" text-anchor="middle">{tick:.0%}</text>')
    most = max((one.right.n for one in bins), default=1)
    for one in bins:
        low, at, high = _ends(one.right)
        share = 3 + 6 * (one.right.n / most) ** 0.5
        parts.append(
            f'<line class="span" x1="{x(one.sure):.1f}" x2="{x(one.sure):.1f}" y1="{y(low):.1f}" y2="{y(high):.1f}"/>'
        )
        parts.append(
            f'<circle class="dot" cx="{x(one.sure):.1f}" cy="{y(at):.1f}" r="{share:.1f}"><title>sure {one.sure:.0%},'
            f" right {one.right.value:.0%} of {one.right.n:,}</title></circle>"
        )
    parts.append(f'<text x="{x(0.5)}" y="{side - 4}" text-anchor="middle">Probability of the chosen class</text>')
    parts.append(
        f'<text transform="translate(12 {y(0.5)}) rotate(-90)" text-anchor="middle">Share that is right</text>'
    )
    height = side + bottom - 34
    return (
        f'<svg width="{side}" height="{height}" viewBox="0 0 {side} {height}" role="img"'
        f' aria-label="Calibration">{"".join(parts)}</svg>'
    )


def confusion(table: Confusion) -> str:
    """Return what was taken for what: a table coloured by the share of each row, or a list where there are many."""
    if max(len(table.rows), len(table.columns)) > MOST_CLASSES:
        return most_confused(table)
    totals = np.maximum(table.counts.sum(axis=1, keepdims=True), 1)
    shares = table.counts / totals
    head = "".join(f'<th class="turned"><span>{escape(name)}</span></th>' for name in table.columns)
    rows = []
    for name, counts, row in zip(table.rows, table.counts, shares, strict=True):
        cells = []
        for column, count, share in zip(table.columns, counts, row, strict=True):
            kind = "right" if column == name else "wrong"
            text = _short(count) if count else ""
            cells.append(
                f'<td class="{kind}" style="--share:{share:.3f}" title="{escape(name)} called {escape(column)}:'
                f' {count:,.0f} ({share:.1%})">{text}</td>'
            )
        rows.append(f"<tr><th>{escape(name)}</th>{''.join(cells)}</tr>")
    return (
        f'<div class="wide"><table class="confusion"><thead><tr><th class="corner">true &darr; found &rarr;</th>{head}'
        f"</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def most_confused(table: Confusion, most: int = 20) -> str:
    """Return the pairs that are most often confused, as a table."""
    found = [
        (float(table.counts[i, j]), row, column)
        for i, row in enumerate(table.rows)
        for j, column in enumerate(table.columns)
        if row != column and table.counts[i, j]
    ]
    lines = "".join(
        f"<tr><td>{escape(row)}</td><td>{escape(column)}</td><td class='number'>{count:,.0f}</td></tr>"
        for count, row, column in sorted(found, key=lambda one: -one[0])[:most]
    )
    head = f"<tr><th>True</th><th>Found</th><th>{escape(table.unit)}</th></tr>"
    return f"<table><thead>{head}</thead><tbody>{lines}</tbody></table>"


def _short(count: float) -> str:
    for size, letter in ((1e6, "M"), (1e4, "k")):
        if count >= size:
            return f"{count / (1e3 if letter == 'k' else size):.3g}{letter}"
    return f"{count:,.0f}"
