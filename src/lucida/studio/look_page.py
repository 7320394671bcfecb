"""The Look page: one image, all that was said of it, and whatever else a person asks of it."""

from __future__ import annotations

import asyncio

from lucida.studio.frame import Page, Visit, register
from lucida.studio.review_page import browser_words, data

ICON = '<path d="M3 12s3.3-6.2 9-6.2 9 6.2 9 6.2-3.3 6.2-9 6.2S3 12 3 12z"/><circle cx="12" cy="12" r="2.8"/>'
SECTIONS = ("look", "find", "state", "review", "keys")


async def build(visit: Visit) -> None:
    """Build the page for one browser."""
    from nicegui import ui

    from lucida.studio.board import Viewer

    looking = visit.site.looking
    assert looking is not None, "this page is there for a catalog only"
    view = {
        "models": await asyncio.to_thread(looking.asking.offers),
        "restore": visit.site.restoring is not None,
        "generate": visit.site.generating is not None,
    }
    ui.add_body_html(data("lucida-words", browser_words(visit.words, SECTIONS)) + data("lucida-look", view))
    Viewer()


PAGE = register(Page("look", "/look", "frame.look", ICON, build, available=lambda site: site.looking is not None))
