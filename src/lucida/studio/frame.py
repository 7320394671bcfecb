"""The frame around every page: navigation, theme, language. A page is a row in a table.

A page registers itself with `register(Page(...))`; the frame gives it a place in the navigation, its words in the
language of the browser, and what the studio serves at the moment (`Visit.site`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from lucida.studio.gate import LANGUAGE_COOKIE, THEME_COOKIE
from lucida.studio.text import LANGUAGES, Words, choose, words

if TYPE_CHECKING:
    from fastapi import Request

    from lucida.studio.application import Site

Theme = Literal["auto", "light", "dark"]
THEMES: tuple[Theme, ...] = ("auto", "light", "dark")
STATIC = Path(__file__).parent / "static"


@dataclass(frozen=True)
class Visit:
    """One opening of a page by one browser: what is served, in which words."""

    site: Site
    words: Words
    theme: Theme


@dataclass(frozen=True)
class Page:
    """One page of the studio.

    Attributes:
        name: Short name, also of its style sheet `static/<name>.css`.
        path: Route, beginning with "/".
        title: Key of its title among the words.
        icon: Inner part of a 24 x 24 SVG, drawn with the text's colour.
        build: Builds the page's content; called within the frame, once a visit.
        available: Whether there is such a page for what is served.
        sheets: Style sheets of other pages that it is drawn with, before its own.
    """

    name: str
    path: str
    title: str
    icon: str
    build: Callable[[Visit], Awaitable[None]]
    available: Callable[[Site], bool] = lambda site: True
    sheets: tuple[str, ...] = ()


PAGES: dict[str, Page] = {}

_THEME_ICONS: dict[Theme, str] = {
    "auto": '<circle cx="12" cy="12" r="8.5"/><path d="M12 3.5v17a8.5 8.5 0 0 0 0-17z" fill="currentColor"/>',
    "light": '<circle cx="12" cy="12" r="4.2"/><path d="M12 2.5v2.6M12 18.9v2.6M2.5 12h2.6M18.9 12h2.6'
    'M5.3 5.3l1.8 1.8M16.9 16.9l1.8 1.8M18.7 5.3l-1.8 1.8M7.1 16.9l-1.8 1.8"/>',
    "dark": '<path d="M20 14.2A8.3 8.3 0 0 1 9.8 4 8.3 8.3 0 1 0 20 14.2z"/>',
}
_MARK = '<path d="M4 18.5 12 4l8 14.5z"/><path d="M12 4v14.5M8 11.3l8 3.4"/>'  # a prism and the ray through it


def register(page: Page, *, first: bool = False) -> Page:
    """Put a page into the navigation; the order of registering is the order shown, but for the one that is first."""
    others = {name: one for name, one in PAGES.items() if name != page.name}
    PAGES.clear()
    PAGES.update({page.name: page} | others if first else others | {page.name: page})
    return page


def icon(inner: str, size: int = 20) -> str:
    """Return an icon as inline SVG, hidden from screen readers."""
    return (
        f'<svg class="icon" width="{size}" height="{size}" viewBox="0 0 24 24" fill="none" stroke="currentColor" '
        f'stroke-width="1.7" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">{inner}</svg>'
    )


def visit(site: Site, request: Request) -> Visit:
    """Return the visit behind a request: language and theme as chosen before, or as the browser asks."""
    language = choose(request.headers.get("accept-language", ""), request.cookies.get(LANGUAGE_COOKIE))
    chosen = request.cookies.get(THEME_COOKIE, "auto")
    theme: Theme = next((t for t in THEMES if t == chosen), "auto")
    return Visit(site, words(language), theme)


def head(page: Page, here: Visit) -> str:
    """Return what goes into the page's head: theme and language are set before anything is drawn."""
    sheets = [name for name in ("studio", *page.sheets, page.name) if (STATIC / f"{name}.css").exists()]
    links = "".join(f'<link rel="stylesheet" href="/static/{name}.css">' for name in sheets)
    root = "document.documentElement"
    return (
        f"{links}<script>{root}.lang='{here.words.tag}';{root}.dataset.theme='{here.theme}';</script>"
        '<script type="module" src="/static/frame.js"></script>'
    )


def header(page: Page, here: Visit) -> str:
    """Return the bar at the top: name, navigation, theme, language.

    It is plain HTML, so that it stands before the page's scripts have come.
    """
    say = here.words
    places = "".join(
        f'<a class="place" href="{p.path}"{" aria-current=page" if p is page else ""}>{icon(p.icon)}'
        f"<span>{escape(say(p.title))}</span></a>"
        for p in PAGES.values()
        if p.available(here.site)
    )
    themes = "".join(f'<span data-for="{t}">{icon(_THEME_ICONS[t])}</span>' for t in THEMES)
    names = "".join(f' data-{t}="{escape(say("frame.theme", name=say(f"frame.theme_{t}")))}"' for t in THEMES)
    languages = "".join(
        f'<button type="button" class="quiet" data-language="{code}" lang="{code}">{escape(name)}</button>'
        for code, name in LANGUAGES.items()
        if code != say.language
    )
    return (
        f'<a class="skip" href="#page">{escape(say("frame.skip"))}</a>'
        f'<header class="bar"><a class="brand" href="/">{icon(_MARK, 24)}<span>{escape(say("frame.brand"))}</span></a>'
        f'<nav aria-label="{escape(say("frame.pages"))}">{places}</nav>'
        f'<div class="choices-of-frame"><button type="button" class="quiet theme" id="theme"{names}>{themes}</button>'
        f'<span role="group" aria-label="{escape(say("frame.language"))}">{languages}</span></div></header>'
    )
