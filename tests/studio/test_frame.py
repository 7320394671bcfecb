"""The frame: a page is a row in a table."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lucida.studio import frame
from lucida.studio.application import Site
from lucida.studio.frame import Page, Visit, header, register
from lucida.studio.text import words


async def build(visit: Visit) -> None:
    """Build an empty page."""


@pytest.fixture
def other() -> Iterator[Page]:
    """Another page, registered for the time of a test."""
    page = register(Page("other", "/other", "teach.freeze", '<path d="M0 0"/>', build))
    yield page
    del frame.PAGES["other"]


def visit(language: str) -> Visit:
    return Visit(Site(desk=object()), words(language), "auto")  # type: ignore[arg-type]


def test_a_registered_page_stands_in_the_navigation_in_the_visitors_words(other: Page) -> None:
    review = frame.PAGES["review"]
    english, chinese = header(review, visit("en")), header(other, visit("zh"))
    assert english.index('href="/" aria-current=page') < english.index('href="/other"')
    assert "Freeze and check" in english
    assert 'href="/other" aria-current=page' in chinese
    assert words("zh")["teach.freeze"] in chinese


def test_every_language_but_the_shown_one_is_offered() -> None:
    review = frame.PAGES["review"]
    assert 'data-language="zh"' in header(review, visit("en"))
    assert 'data-language="en"' not in header(review, visit("en"))
    assert 'data-language="en"' in header(review, visit("zh"))


def test_a_page_has_the_style_sheets_that_exist(other: Page) -> None:
    assert "review.css" in frame.head(frame.PAGES["review"], visit("en"))
    assert "other.css" not in frame.head(other, visit("en"))
