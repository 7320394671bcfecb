"""The review page: one image, one question, and what is proven by now."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from lucida.studio.frame import Page, Visit, register

if TYPE_CHECKING:
    from lucida.studio.text import Words

ICON = '<rect x="3.5" y="4.5" width="17" height="15" rx="2.5"/><path d="m8 12.2 2.8 2.8L16 9.5"/>'
SECTIONS = (
    *("review", "steps", "teach", "check", "done", "paused", "handed", "state", "search", "keys"),
    *("unit", "text", "objects", "boxkeys", "paint"),
)


def data(name: str, value: Any) -> str:
    """Return a value as JSON in a script element that the page's own script reads."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    # "<" never stands in it: nothing in a file's name can end the element or begin another.
    return f'<script type="application/json" id="{name}">{text.replace("<", chr(92) + "u003c")}</script>'


def browser_words(say: Words, sections: tuple[str, ...] = SECTIONS) -> dict[str, Any]:
    """Return the words that a page's own script needs."""
    table = {key: text for key, text in say.items() if key.split(".")[0] in sections}
    return {"language": say.tag, "table": table}


async def build(visit: Visit) -> None:
    """Build the review page for one browser."""
    from nicegui import ui

    from lucida.studio.board import Board

    desk = visit.site.desk
    assert desk is not None, "this page is there for a review only"
    view = await desk.view()
    if view["card"] is not None:
        ui.add_head_html(f'<link rel="preload" as="image" href="{view["card"]["url"]}">')
    ui.add_body_html(data("lucida-words", browser_words(visit.words)) + data("lucida-view", view))
    board = Board(view["turn"])
    desk.listeners.add(board.changed)
    ui.context.client.on_delete(lambda: desk.listeners.discard(board.changed))


PAGE = register(Page("review", "/", "frame.review", ICON, build, available=lambda site: site.desk is not None))
