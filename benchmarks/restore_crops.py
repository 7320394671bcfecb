"""Crops of what each way makes of the same small images, side by side in one PNG; for `restore`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from benchmarks.restore import bicubic, held_out, lanczos, restored, set5, smaller, worse
from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]

SCALE: Final = 4
SIDE: Final = 104  # pixels of the good image that are shown, twice as large
TIMES: Final = 2
GAP: Final = 4
TITLE: Final = 22
BACK: Final = (255, 255, 255)


class Shown(NamedTuple):
    """A small image, the good one, and where the crop begins."""

    low: Bytes
    high: Bytes
    top: int
    left: int


def crops(data: Path, target: Path) -> None:
    """Write the picture: a row for each image, a column for each way."""
    images = held_out(data)
    butterfly = list(set5(data, SCALE))[2]
    rows = [
        Shown(*butterfly, 60, 40),
        Shown(*smaller(images[13], SCALE), 20, 6),
        Shown(*list(worse(images, SCALE))[19], 60, 150),
    ]
    ways: dict[str, Callable[[Bytes], Bytes] | None] = {
        "original": None,
        "bicubic": bicubic(SCALE),
        "Lanczos": lanczos(SCALE),
        "embedded": restored("embedded", SCALE),
        "embedded-real": restored("embedded-real", SCALE),
    }
    step = SIDE * TIMES + GAP
    sheet = Image.new("RGB", (len(ways) * step - GAP, TITLE + len(rows) * step - GAP), BACK)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(15)
    for column, (name, way) in enumerate(ways.items()):
        pen.text((column * step + 2, 2), name, (0, 0, 0), font)
        for row, shown in enumerate(rows):
            found = shown.high if way is None else way(shown.low)
            piece = found[shown.top : shown.top + SIDE, shown.left : shown.left + SIDE]
            large = np.repeat(np.repeat(piece, TIMES, axis=0), TIMES, axis=1)
            sheet.paste(Image.fromarray(large), (column * step, TITLE + row * step))
    target.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(target, optimize=True)
    print(f"\n{target}: {target.stat().st_size / 1000:,.0f} kB, {SCALE} times larger, crops of {SIDE} pixels")
