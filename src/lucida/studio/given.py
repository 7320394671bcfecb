"""Images that a picture is drawn from, kept in the catalog's folder: the picture can be drawn again next year."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lucida.errors import ImageError, LucidaError
from lucida.images import content_id, read

if TYPE_CHECKING:
    from lucida.catalog import Catalog

FOLDER: Final = "given"


class GivenImages:
    """Keeps what browsers sent by its content id; what is in the catalog anyway is not kept twice.

    Args:
        catalog: An open catalog.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self.folder = catalog.path / FOLDER

    def keep(self, file: Path) -> Path | bytes:
        """Return an image as `lucida.generate.Order` takes it: its bytes where the catalog has it, else a lasting path.

        Raises:
            InputError: The disk is full.
        """
        from lucida.generate.writing import write

        data = file.read_bytes()
        id = content_id(data)
        if self._known(id) is not None:
            return data
        path = self.folder / f"{id}{file.suffix.lower()}"
        if not path.is_file():
            write(path, data)
        return path

    def find(self, known: dict[str, Any]) -> bytes | None:
        """Return an image of an earlier request; None where it is not there any more.

        Args:
            known: Its content id, and the path that it had.
        """
        id = str(known.get("id", ""))
        if not id.isalnum():
            return None
        found = self._known(id)
        if found is not None:
            return found
        for path in (*self.folder.glob(f"{id}.*"), Path(str(known.get("path") or "?"))):
            try:
                data = read(path)
            except ImageError:
                continue
            if content_id(data) == id:
                return data
        return None

    def _known(self, id: str) -> bytes | None:
        try:
            return self._catalog.images.read(id)
        except LucidaError:
            return None
