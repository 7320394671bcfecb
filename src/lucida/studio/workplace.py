"""Where a page has images worked on: what was sent to it, and the jobs that make something of that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from lucida.studio.jobs import Jobs, Trade
from lucida.studio.shelf import Shelf
from lucida.studio.tray import Tray

if TYPE_CHECKING:
    from lucida.catalog import Catalog


class Workplace:
    """Takes images and work for any number of browsers; a context manager that leaves nothing behind that was sent.

    Args:
        catalog: An open catalog, whose images can be opened; None where there is none.
        trade: What is done.
        shelf: Keeps what is sent.
    """

    def __init__(self, catalog: Catalog | None, trade: Trade, shelf: Shelf | None = None) -> None:
        self.shelf = shelf or Shelf()
        self.tray, self.jobs = Tray(catalog, self.shelf), Jobs(trade)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End what is under way, and remove what was sent."""
        self.jobs.close()
        self.shelf.close()
