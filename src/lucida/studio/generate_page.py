"""The Generate page: pictures from words, from an image, under a mask, along a sketch; and all that were drawn."""

from __future__ import annotations

import asyncio

from lucida.studio.frame import Page, Visit, register
from lucida.studio.review_page import browser_words, data

ICON = (
    '<path d="M4 20l1-4L15.5 5.5a2.1 2.1 0 0 1 3 3L8 19z"/><path d="M13.5 7.5l3 3"/>'
    '<path d="M19 14.5v5M16.5 17h5M5.5 4v4M3.5 6h4"/>'
)
SECTIONS = ("generate", "job", "note", "paint", "restore", "look", "find", "state", "review", "keys")


async def build(visit: Visit) -> None:
    """Build the page for one browser."""
    from nicegui import ui

    from lucida.studio.board import Drawer

    generating = visit.site.generating
    assert generating is not None, "this page is there for a catalog only"
    view = await asyncio.to_thread(generating.offers)
    ui.add_body_html(data("lucida-words", browser_words(visit.words, SECTIONS)) + data("lucida-generate", view))
    Drawer()


PAGE = register(
    Page(
        "generate",
        "/generate",
        "frame.generate",
        ICON,
        build,
        available=lambda site: site.generating is not None,
        sheets=("look", "objects", "paint", "form"),
    )
)
