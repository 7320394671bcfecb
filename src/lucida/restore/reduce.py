"""Images made smaller by antialiased bicubic, in bands, so that memory stays bounded."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import Image as Pillow

from lucida.restore.tiles import as_floats, as_integers

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROWS: Final = 256  # of the result at a time
REACH: Final = 2  # pixels of the result that the cubic kernel reaches to each side


def reduce(
    source: NDArray[Any],
    width: int,
    height: int,
    write: Callable[[NDArray[Any]], None],
    *,
    kind: type[np.uint8] | type[np.uint16],
    step: Callable[[float], None] | None = None,
) -> None:
    """Make an image smaller and write it, rows from top to bottom.

    Args:
        source: (height, width, channels) uint8 or uint16.
        width: Of the result, at most that of the source.
        height: Of the result, at most that of the source.
        write: Takes rows (n, width, channels) of `kind`.
        kind: Type of the values that are written.
        step: Called with the share that is done.
    """
    high, wide, channels = source.shape
    ratio, top = high / height, np.float32(np.iinfo(kind).max)
    for first in range(0, height, ROWS):
        last = min(first + ROWS, height)
        begin = max(0, math.floor((first - REACH - 1) * ratio))
        end = min(high, math.ceil((last + REACH + 1) * ratio))
        slab = as_floats(source[begin:end])
        # Pillow reads beyond the box what its kernel reaches: bands meet without a seam.
        box = (0.0, first * ratio - begin, float(wide), min(last * ratio, float(high)) - begin)
        planes = [
            np.asarray(
                Pillow.fromarray(np.ascontiguousarray(slab[..., channel])).resize(
                    (width, last - first), Pillow.Resampling.BICUBIC, box=box
                )
            )
            for channel in range(channels)
        ]
        write(as_integers(np.stack(planes, axis=2), top, kind))
        if step is not None:
            step(last / height)
