"""Images that a browser hands in, or that are taken from the catalog, for a page to work on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lucida.errors import LucidaError, UnknownName
from lucida.images import LIMITS, Header, check
from lucida.images.admission import check_bytes
from lucida.images.companions import companions
from lucida.studio.shelf import Kept, Shelf
from lucida.studio.showing import is_whole

if TYPE_CHECKING:
    from pathlib import Path

    from lucida.catalog import Catalog


class Tray:
    """Takes images in for one page.

    Args:
        catalog: An open catalog, whose images can be opened; None where there is none.
        shelf: Keeps what was sent.
    """

    def __init__(self, catalog: Catalog | None, shelf: Shelf) -> None:
        self.catalog, self.shelf = catalog, shelf

    def admit(self, size: int) -> None:
        """Refuse an image by its number of bytes, before any of them has come.

        Raises:
            ImageError: It is too large.
        """
        check_bytes(size, LIMITS)

    def add(self, token: str, path: Path) -> dict[str, Any]:
        """Take an image that was written where the shelf said.

        Raises:
            ImageError: It is damaged, too large, or none.
        """
        try:
            data = path.read_bytes()
            header = check(data, LIMITS)
            frames = companions(data, LIMITS).frames
        except LucidaError:
            self.shelf.forget(token)
            raise
        return shown(self.shelf.keep(_kept(token, path, header, frames)))

    def open(self, image: str) -> dict[str, Any]:
        """Take an image of the catalog.

        Raises:
            LucidaError: There is no such image, or it cannot be read any more.
        """
        if self.catalog is None:
            raise UnknownName("image", image, [])
        return self.put(self.catalog.images.name(image), self.catalog.images.read(image))

    def put(self, name: str, data: bytes) -> dict[str, Any]:
        """Take an image that is at hand.

        Raises:
            ImageError: It is damaged, too large, or none.
        """
        token, path = self.shelf.place(name)
        path.write_bytes(data)
        return self.add(token, path)


def shown(kept: Kept) -> dict[str, Any]:
    """Return what a page is told of an image."""
    return {
        "token": kept.token,
        "name": kept.name,
        "width": kept.width,
        "height": kept.height,
        "format": kept.kind,
        "bytes": kept.bytes,
        "frames": kept.frames,
        "whole": is_whole(kept),
    }


def _kept(token: str, path: Path, header: Header, frames: int) -> Kept:
    return Kept(token, path, header.width, header.height, header.format, header.mode, path.stat().st_size, frames)
