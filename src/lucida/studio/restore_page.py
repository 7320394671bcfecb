"""The Restore page: an image larger, with less noise, without what was painted over; before and after side by side."""

from __future__ import annotations

import asyncio

from lucida.studio.frame import Page, Visit, register
from lucida.studio.review_page import browser_words, data

ICON = (
    '<path d="M12 3.5v17" stroke-dasharray="2.5 2.5"/><path d="M9 5.5H5.5a2 2 0 0 0-2 2v9a2 2 0 0 0 2 2H9"/>'
    '<path d="M15 5.5h3.5a2 2 0 0 1 2 2v9a2 2 0 0 1-2 2H15" fill="currentColor" fill-opacity="0.35"/>'
)
SECTIONS = ("restore", "job", "note", "paint", "look", "find", "state", "review", "keys")


async def build(visit: Visit) -> None:
    """Build the page for one browser."""
    from nicegui import ui

    from lucida.studio.board import Mender

    restoring = visit.site.restoring
    assert restoring is not None, "this page is there for a catalog only"
    view = await asyncio.to_thread(restoring.offers)
    ui.add_body_html(data("lucida-words", browser_words(visit.words, SECTIONS)) + data("lucida-restore", view))
    Mender()


PAGE = register(
    Page(
        "restore",
        "/restore",
        "frame.restore",
        ICON,
        build,
        available=lambda site: site.restoring is not None,
        sheets=("look", "objects", "paint", "form"),
    )
)
