"""The Watch page: how a server is now, which model of a route is better, what has drifted, how often it is right."""

from __future__ import annotations

import asyncio

from lucida.studio.frame import Page, Visit, register
from lucida.studio.review_page import browser_words, data

ICON = '<path d="M2.5 12.5h4.2l2.6-7 4.4 13 2.8-8 1.2 2h3.8"/>'
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
