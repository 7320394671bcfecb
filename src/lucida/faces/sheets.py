"""A sheet of faces for each group, for the person who names them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import PIL.Image

from lucida.errors import ImageError
from lucida.images import decode
from lucida.models.opencv_zoo.align import cut_out
from lucida.models.opencv_zoo.layouts import CROP
from lucida.runs.files import NewFiles

if TYPE_CHECKING:
    from lucida.catalog import Catalog
    from lucida.faces.records import Face

ACROSS: Final = 6
MOST: Final = 24


def write_sheets(
    catalog: Catalog, groups: Mapping[int, Sequence[Face]], names: Mapping[int, str], folder: Path
) -> list[Path]:
    """Write one JPEG for each group; return the files.

    Args:
        catalog: An open catalog.
        groups: The faces of each; the surest are shown.
        names: Of the groups that have one.
        folder: Where to write.
    """
    files, written = NewFiles(folder), []
    for number, faces in groups.items():
        shown = [one for face in sorted(faces, key=lambda face: -face.score)[:MOST] if (one := _cut(catalog, face))]
        if not shown:
            continue
        rows = -(-len(shown) // ACROSS)
        sheet = PIL.Image.new("RGB", (min(ACROSS, len(shown)) * CROP, rows * CROP))
        for place, face in enumerate(shown):
            sheet.paste(face, (place % ACROSS * CROP, place // ACROSS * CROP))
        name = f"-{names[number]}" if number in names else ""
        file = files.free(f"group-{number:03d}{name}.x", ".jpg")
        sheet.save(file, "JPEG", quality=90)
        written.append(file)
    return written


def _cut(catalog: Catalog, face: Face) -> PIL.Image.Image | None:
    try:
        pixels = decode(catalog.images.read(face.image)).rgb8()
    except ImageError:
        return None
    return PIL.Image.fromarray(np.ascontiguousarray(cut_out(pixels, face.points)))
