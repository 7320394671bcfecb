"""The Search page: words and images to look for, what was found and why, and where relevance ends."""

from __future__ import annotations

import asyncio

from lucida.studio.frame import Page, Visit, register
from lucida.studio.review_page import browser_words, data

ICON = '<circle cx="10.5" cy="10.5" r="6"/><path d="m15 15 5.5 5.5"/>'
SECTIONS = ("find", "state", "review")


async def build(visit: Visit) -> None:
    """Build the page for one browser."""
    from nicegui import ui

    from lucida.studio.board import Finder

    searching = visit.site.searching
    assert searching is not None, "this page is there for a catalog only"
    view = await asyncio.to_thread(searching.look) | {"look": visit.site.looking is not None}
    ui.add_body_html(data("lucida-words", browser_words(visit.words, SECTIONS)) + data("lucida-search", view))
    Finder()


PAGE = register(
    Page("search", "/search", "frame.search", ICON, build, available=lambda site: site.searching is not None),
    first=True,
)
