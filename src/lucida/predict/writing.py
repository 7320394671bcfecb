"""Descriptions written into image files: into copies, or into the files themselves where that is asked for."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from lucida.errors import ImageError, InputError
from lucida.images.xmp import described
from lucida.runs.files import NewFiles
from lucida.whole import whole

if TYPE_CHECKING:
    from lucida.results import Description

Place = Literal["copy", "in-place"]


class Descriptions:
    """Writes descriptions, pixels untouched.

    Args:
        place: "copy" for files of their own, "in-place" for the images themselves.
        folder: Where copies go; beside each image where it is None, under a name with "-described".

    Raises:
        InputError: The folder cannot be made, or a folder is named for no copies.
    """

    def __init__(self, place: Place, folder: Path | None) -> None:
        if place == "in-place" and folder is not None:
            raise InputError(
                "Descriptions go into the images themselves or into copies.",
                expected="--write in-place or --save FOLDER",
                got="both",
                hint="--write copy --save FOLDER",
            )
        self._place = place
        self._files = NewFiles(folder) if folder is not None else None
        self._taken: set[Path] = set()
        self.problems: dict[str, str] = {}

    def write(self, path: str, data: bytes, said: Description) -> Path | None:
        """Write a description and return its file; None, with the reason kept, where that cannot be.

        Args:
            path: Of the image.
            data: The image.
            said: The description.
        """
        source = Path(path)
        # Never into what is no file by itself: an archive, an address.
        if not source.is_file() and (self._place == "in-place" or self._files is None):
            self.problems[path] = "no file of its own to write into; --write copy --save FOLDER makes one"
            return None
        try:
            words = [*said.keywords, *([said.scene] if said.scene and said.scene not in said.keywords else [])]
            body = described(data, title=said.title, alternative=said.alternative, keywords=words)
            file = source if self._place == "in-place" else self._free(source)
            _replace(file, body, source)
        except ImageError as error:
            self.problems[path] = error.what
            return None
        except OSError as error:
            self.problems[path] = f"cannot be written: {error.strerror or error}"
            return None
        return file

    def _free(self, source: Path) -> Path:
        """Return a file for a copy: never the image itself, nor another image's copy."""
        if self._files is not None:
            return self._files.free(source.name, source.suffix, str(source))
        stem, number = f"{source.stem}-described", 1
        file = source.with_name(f"{stem}{source.suffix}")
        while file in self._taken:
            number += 1
            file = source.with_name(f"{stem}-{number}{source.suffix}")
        self._taken.add(file)
        return file


def _replace(file: Path, body: bytes, source: Path) -> None:
    """Write a file at once: who reads it sees the old one or the new one."""
    with whole(file, shared=True) as partial:
        partial.write_bytes(body)
        if source.exists():
            shutil.copymode(source, partial)
