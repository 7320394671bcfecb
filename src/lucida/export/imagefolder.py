"""One folder a class, as torchvision's ImageFolder and `datasets` read it; the bytes are copied unchanged."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from lucida.export import names
from lucida.export.folder import Folder

if TYPE_CHECKING:
    from lucida.export.selection import Row


def layout(rows: Iterable[Row], folders: dict[str, str]) -> dict[str, str]:
    """Return the path of each image in the export, by content id: `[split/]class/file`.

    Args:
        rows: The images, with their split ("" without splits).
        folders: Class -> folder name.
    """
    by_folder: dict[str, dict[str, str]] = defaultdict(dict)
    for row in rows:
        folder = f"{row.split}/{folders[row.label]}" if row.split else folders[row.label]
        by_folder[folder][row.image] = row.file
    return {
        image: f"{folder}/{name}"
        for folder, files in by_folder.items()
        for image, name in names.distinct(files).items()
    }


def write(
    folder: Folder,
    paths: dict[str, str],
    read: Callable[[str], bytes | None],
    step: Callable[[], None],
    *,
    changed: bool = False,
) -> list[str]:
    """Copy every image to its path; one that is there already is not read again. Return the paths written.

    Args:
        folder: The folder of the export.
        paths: Content id -> path in the folder.
        read: Gives the bytes of an image, or None when they are gone.
        step: Called after each image.
        changed: What `read` gives are not the bytes of the catalog, so that none is there already.
    """
    written = []
    for image, path in paths.items():
        if not changed and folder.holds(path, image):
            written.append(path)
        elif (data := read(image)) is not None:
            folder.write(path, data)
            written.append(path)
        step()
    return written
