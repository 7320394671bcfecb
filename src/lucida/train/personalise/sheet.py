"""Pictures of a training, kept whole: sheets to look at, and what the model drew of the class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image as Pillow

from lucida.errors import ImageError
from lucida.images import decode
from lucida.whole import whole

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST = 384  # pixels of a picture's side on a sheet


def write_sheet(path: Path, rows: Sequence[Sequence[NDArray[np.uint8]]]) -> None:
    """Write rows of pictures, all of one size, as one PNG file."""
    side = min(MOST, rows[0][0].shape[0])
    sheet = Pillow.new("RGB", (side * max(len(row) for row in rows), side * len(rows)), "white")
    for down, row in enumerate(rows):
        for across, pixels in enumerate(row):
            small = Pillow.fromarray(pixels).resize((side, side), Pillow.Resampling.LANCZOS)
            sheet.paste(small, (across * side, down * side))
    _save(path, sheet)


def write_picture(path: Path, pixels: NDArray[np.uint8]) -> None:
    """Write a picture as PNG, whole or not at all."""
    _save(path, Pillow.fromarray(pixels))


def read_pictures(folder: Path, most: int) -> list[NDArray[np.uint8]]:
    """Return the pictures of a folder in their order, up to the first that cannot be read."""
    found: list[Any] = []
    for file in sorted(folder.glob("*.png"))[:most]:
        try:
            found.append(decode(file).rgb8())
        except ImageError:
            break
    return found


def _save(path: Path, image: Pillow.Image) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Several processes may write the same picture.
    with whole(path, shared=True) as partial:
        image.save(partial, "PNG")
