"""The elements of the pages. Imported when a page is built: they need the web framework."""

from __future__ import annotations

from nicegui import ui


class Board(ui.element, component="static/board.js"):
    """Draw the review in the browser, and tell it when another tab has changed something.

    Only the number of the turn is pushed; the page then asks for what there is to see. A push to the page that made
    the change says nothing new and costs nothing.

    Args:
        turn: The turn at which the page was built.
    """

    def __init__(self, turn: int) -> None:
        super().__init__()
        self.props["turn"] = turn

    def changed(self, turn: int) -> None:
        """Tell the browser that the review has moved on to another turn."""
        self.props["turn"] = turn
        self.update()


class Gallery(ui.element, component="static/gallery.js"):
    """Draw where two label runs differ, in the browser."""


class Trainer(ui.element, component="static/trainer.js"):
    """Draw the training runs, in the browser."""


class Finder(ui.element, component="static/finder.js"):
    """Draw the search, in the browser."""


class Viewer(ui.element, component="static/viewer.js"):
    """Draw one image and what was said of it, in the browser."""


class Mender(ui.element, component="static/mender.js"):
    """Draw an image before and after it was restored, in the browser."""


class Drawer(ui.element, component="static/drawer.js"):
    """Draw what a model is asked to draw, and what it drew, in the browser."""


class Watcher(ui.element, component="static/watcher.js"):
    """Draw how a server is, in the browser."""
