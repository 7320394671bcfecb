"""Contact sheets: what is drawn, a row a class; and beside it the training image that is nearest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

from lucida.whole import whole

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

SHOWN: Final = 64  # pixels of a picture on the sheet, about
GAP: Final = 4
NAME: Final = 96  # pixels that the names of rows take
TEXT: Final = 12


def contact_sheet(rows: Sequence[tuple[str, NDArray[np.uint8]]]) -> PIL.Image.Image:
    """Return a picture of rows of pictures, each with its name.

    Args:
        rows: Name and pictures uint8 (n, h, w, 3) of each, all of one size.
    """
    side = rows[0][1].shape[1]
    factor = max(1, SHOWN // side)
    cell = side * factor + GAP
    left = NAME if any(name for name, _ in rows) else GAP
    most = max(len(pictures) for _, pictures in rows)
    sheet = PIL.Image.new("RGB", (left + most * cell, GAP + len(rows) * cell), "white")
    pen, font = PIL.ImageDraw.Draw(sheet), PIL.ImageFont.load_default(TEXT)
    for row, (name, pictures) in enumerate(rows):
        pen.text((GAP, GAP + row * cell + cell // 2), shortened(name), "black", font, anchor="lm")
        for column, pixels in enumerate(pictures):
            large = PIL.Image.fromarray(pixels.repeat(factor, 0).repeat(factor, 1))
            sheet.paste(large, (left + column * cell, GAP + row * cell))
    return sheet


def by_class(
    pictures: NDArray[np.uint8], classes: Sequence[str], most: int = 10
) -> list[tuple[str, NDArray[np.uint8]]]:
    """Return rows of pictures that were drawn of the classes in turn: at most ten rows of ten."""
    if not classes:
        shown = pictures[: most * most]
        return [("", shown[start : start + most]) for start in range(0, len(shown), most)]
    return [
        (name, chosen)
        for number, name in enumerate(classes[:most])
        if len(chosen := pictures[number :: len(classes)][:most])
    ]


def shortened(name: str, longest: int = 14) -> str:
    """Return a name that fits beside a row."""
    return name if len(name) <= longest else f"{name[: longest - 1]}…"


def write_sheet(path: Path, rows: Sequence[tuple[str, NDArray[np.uint8]]]) -> None:
    """Write a contact sheet, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as partial:
        contact_sheet(rows).save(partial, "PNG")
