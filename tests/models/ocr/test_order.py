"""The order in which lines are read."""

from __future__ import annotations

import math

import pytest

from lucida.models.ocr.order import reading_order
from lucida.models.ocr.pieces import merged
from lucida.results import Line


def line(text: str, left: float, top: float, width: float = 200, height: float = 20, score: float = 0.9) -> Line:
    right, bottom = left + width, top + height
    return Line(text, score, ((left, top), (right, top), (right, bottom), (left, bottom)))


def texts(*lines: Line) -> str:
    found = reading_order(lines)
    assert found == reading_order(lines[::-1])
    return " ".join(one.text for one in found)


def test_lines_are_read_from_top_to_bottom_and_rows_from_the_left():
    assert texts() == ""
    assert texts(line("c", 0, 40), line("b", 230, 3, 60), line("a", 0, 0)) == "a b c"
    # Boxes that overlap by a few pixels.
    assert texts(line("a", 0, 0), line("b", 0, 18), line("c", 0, 36)) == "a b c"


def test_columns_are_read_one_after_the_other():
    left = [line(f"l{i}", 0, 60 + 30 * i) for i in range(3)]
    right = [line(f"r{i}", 260, 65 + 30 * i) for i in range(3)]
    title, foot = line("title", 60, 0, 340), line("foot", 100, 200, 300)
    assert texts(title, *left, *right, foot) == "title l0 l1 l2 r0 r1 r2 foot"
    shorter = left[:2]
    assert texts(title, *shorter, *right) == "title l0 l1 r0 r1 r2"


@pytest.mark.parametrize("degrees", [-8, 5, 90, 180, 270])
def test_a_page_that_is_turned_is_read_in_the_same_order(degrees):
    angle = math.radians(degrees)

    def turned(one: Line) -> Line:
        cosine, sine = math.cos(angle), math.sin(angle)
        return Line(one.text, one.score, tuple((x * cosine - y * sine, x * sine + y * cosine) for x, y in one.corners))

    lines = [line(f"{i}", 0, 21 * i, 400 + 20 * i) for i in range(5)]
    assert texts(*map(turned, lines)) == "0 1 2 3 4"


def test_a_table_is_read_row_by_row():
    cells = [line(f"{row}{column}", 150 * column, 40 * row, 60) for row in range(3) for column in range(3)]
    assert texts(*cells) == "00 01 02 10 11 12 20 21 22"


def test_what_was_seen_twice_is_kept_once():
    whole, parts = line("SALE", 0, 0, 400, 100), [line(sign, 100 * i, 0, 90, 90, 0.6) for i, sign in enumerate("SAL")]
    assert merged([whole], parts) == [whole]
    blurred = line("smoll prnt", 500, 0, 80, 10, 0.6)
    fine = [line("small", 500, 0, 38, 10), line("print", 542, 0, 38, 10)]
    assert merged([whole, blurred], [*parts, *fine]) == [whole, *fine]
    assert merged([], fine) == fine
