"""What a person has painted, as an image: a mask, or a drawing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import Image as Pillow

from lucida.errors import InputError
from lucida.results import run_lengths

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

MOST: Final = 40_000_000  # pixels that are painted on; of larger images a smaller grid is
SHEET: Final = 8192  # pixels of the side of a sheet that is drawn on


def write_mask(mask: dict[str, Any], path: Path, width: int, height: int) -> None:
    """Write a mask as an image of the size of another, white where it is.

    Args:
        mask: Run lengths on a grid of the image's form, of its size or smaller.
        path: A PNG.
        width: Of the image.
        height: Of the image.

    Raises:
        InputError: It is damaged, of another form, or covers nothing or everything.
    """
    down, across = (int(side) for side in mask["size"])
    if not (0 < across <= width and 0 < down <= height and across * down <= MOST) or (
        abs(across - width * down / height) > 1 and abs(down - height * across / width) > 1
    ):
        raise InputError(
            "The mask has another form than the image.",
            expected=f"a grid of the form of {width:,} x {height:,}",
            got=f"{across:,} x {down:,}",
        )
    painted = _painted(mask)
    if painted.all() or not painted.any():
        raise InputError(
            f"The mask covers {'everything' if painted.all() else 'nothing'}.",
            expected="a part of the image that is to be filled",
            got=f"{int(painted.sum()):,} of {painted.size:,} pixels",
            hint="erase what should stay" if painted.all() else "paint over what is to be removed",
        )
    _write(painted, path, (width, height))


def write_drawing(lines: dict[str, Any], path: Path) -> None:
    """Write what was drawn on an empty sheet: white lines on black.

    Args:
        lines: Run lengths on a grid of the sheet's size.
        path: A PNG.

    Raises:
        InputError: It is damaged or too large, or nothing is drawn.
    """
    down, across = (int(side) for side in lines["size"])
    if not (0 < across <= SHEET and 0 < down <= SHEET and across * down <= MOST):
        raise InputError("The drawing is no sheet.", expected=f"sides of 1 to {SHEET:,}", got=f"{across:,} x {down:,}")
    painted = _painted(lines)
    if not painted.any():
        raise InputError(
            "Nothing is drawn.", expected="a line", got="an empty sheet", hint="draw with the mouse what is to be seen"
        )
    _write(painted, path, (across, down))


def read_mask(path: Path) -> dict[str, Any]:
    """Return a mask that was written as run lengths."""
    with Pillow.open(path) as opened:
        return run_lengths.encode(np.asarray(opened.convert("L")) > 127)


def _painted(mask: dict[str, Any]) -> NDArray[np.bool_]:
    try:
        return run_lengths.decode(mask)
    except (ValueError, IndexError, OverflowError) as error:
        raise InputError("The mask cannot be read.", expected="packed run lengths", got=str(error)) from error


def _write(painted: NDArray[np.bool_], path: Path, size: tuple[int, int]) -> None:
    white = Pillow.fromarray(np.where(painted, np.uint8(255), np.uint8(0)))
    if white.size != size:
        white = white.resize(size, Pillow.Resampling.NEAREST)
    path.parent.mkdir(parents=True, exist_ok=True)
    white.save(path, "PNG", compress_level=1)
