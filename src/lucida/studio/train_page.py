"""The Train page: training runs, how they go, how they compare, and where a finished one is wrong."""

from __future__ import annotations

import asyncio

from lucida.studio.frame import Page, Visit, register
from lucida.studio.review_page import browser_words, data

ICON = '<path d="M4 4.5v12a3 3 0 0 0 3 3h13"/><path d="M7.5 8.5c2.5 0 2 6 5.5 6s3-3.5 6.5-3.5"/>'
SECTIONS = ("train", "metric", "setting", "keys", "state")


async def build(visit: Visit) -> None:
    """Build the page for one browser."""
    from nicegui import ui

    from lucida.studio.board import Trainer

    training = visit.site.training
    assert training is not None, "this page is there for a catalog only"
    view = {"runs": await asyncio.to_thread(training.runs), "catalog": str(training.catalog.path)}
    ui.add_body_html(data("lucida-words", browser_words(visit.words, SECTIONS)) + data("lucida-train", view))
    Trainer()


PAGE = register(Page("train", "/train", "frame.train", ICON, build, available=lambda site: site.training is not None))
