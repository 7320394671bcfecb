"""Channels as a file has them: resized one by one, without 8 bits in between; what is no number counts nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import PIL.Image

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

KNOWN: Final = 0.5  # share of what a pixel is made of that must be known for it to be known


def resize_known(picture: PIL.Image.Image, size: tuple[int, int], by: PIL.Image.Resampling) -> PIL.Image.Image:
    """Return a picture of mode "F" at another size (width, height), made of its known values alone.

    Not-a-number and infinity are unknown: a hole in the data would else swallow all that lies around it.
    """
    values = np.asarray(picture)
    known = np.isfinite(values)
    if known.all():
        return picture.resize(size, by)
    total, weight = (
        np.asarray(PIL.Image.fromarray(np.asarray(part, np.float32)).resize(size, by))
        for part in (np.where(known, values, 0), known)
    )
    there = weight >= KNOWN
    return PIL.Image.fromarray(np.where(there, total / np.where(there, weight, 1), np.nan).astype(np.float32))


def shrink(pixels: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """Return pixels (height, width, channels) at a smaller size (width, height), of their own type, averaged."""
    planes = [PIL.Image.fromarray(plane) for plane in np.moveaxis(pixels.astype(np.float32), 2, 0)]
    found = np.stack([np.asarray(resize_known(one, size, PIL.Image.Resampling.BILINEAR)) for one in planes], axis=2)
    if pixels.dtype.kind == "f":
        return found.astype(pixels.dtype)
    limits = np.iinfo(pixels.dtype)
    return np.asarray(np.clip(np.rint(found), limits.min, limits.max), pixels.dtype)


def filled(pixels: NDArray[np.float32], values: Sequence[float]) -> NDArray[np.float32]:
    """Return pixels (height, width, channels) whose unknown values are the one that stands for each channel."""
    known = np.isfinite(pixels)
    return pixels if known.all() else np.where(known, pixels, np.asarray(values, np.float32))
