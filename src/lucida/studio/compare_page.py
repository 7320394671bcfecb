"""The page of differences: where two label runs say different things, and who is right."""

from __future__ import annotations

import asyncio

from lucida.studio.frame import Page, Visit, register
from lucida.studio.review_page import browser_words, data

ICON = '<rect x="3.5" y="5" width="7.5" height="14" rx="1.8"/><rect x="13" y="5" width="7.5" height="14" rx="1.8"/>'
SECTIONS = ("compare", "review", "state", "keys")


async def build(visit: Visit) -> None:
    """Build the page for one browser."""
    from nicegui import ui

    from lucida.studio.board import Gallery

    differences = visit.site.differences
    assert differences is not None, "this page is there for two runs only"
    # The first images come with the page: nothing is seen to load.
    view = await asyncio.to_thread(differences.look)
    view["rows"] = await asyncio.to_thread(differences.rows, "", 0, 24)
    view["alone"] = visit.site.only_differences
    ui.add_body_html(data("lucida-words", browser_words(visit.words, SECTIONS)) + data("lucida-differences", view))
    Gallery()


PAGE = register(
    Page("compare", "/compare", "frame.compare", ICON, build, available=lambda site: site.differences is not None)
)
