"""The Watch page: how a server is now, which model of a route is better, what has drifted, how often it is right."""

from __future__ import annotations

import asyncio

from lucida.studio.frame import Page, Visit, register
from lucida.studio.review_page import browser_words, data

ICON = (
    '<path d="M2.8 12S6.2 5.8 12 5.8 21.2 12 21.2 12 17.8 18.2 12 18.2 2.8 12 2.8 12z"/><circle cx="12" cy="12" r="3"/>'
)
SECTIONS = ("watch", "drift", "changed", "train", "keys", "state", "find", "search", "review")


async def build(visit: Visit) -> None:
    """Build the page for one browser."""
    from nicegui import ui

    from lucida.studio.board import Watcher

    watching = visit.site.watching
    assert watching is not None, "this page is there for a catalog only"
    view = await asyncio.to_thread(watching.look)
    ui.add_body_html(data("lucida-words", browser_words(visit.words, SECTIONS)) + data("lucida-watch", view))
    Watcher()


PAGE = register(
    Page(
        "watch",
        "/watch",
        "frame.watch",
        ICON,
        build,
        available=lambda site: site.watching is not None,
        sheets=("train",),
    )
)
