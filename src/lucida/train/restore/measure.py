"""How near a restored image is to the good one, as the papers measure it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Luma of BT.601 on 16..235, as MATLAB's rgb2ycbcr.
LUMA: Final = (65.481 / 255, 128.553 / 255, 24.966 / 255)
BEST: Final = 100.0  # dB that equal images get


def rounded(image: NDArray[Any]) -> NDArray[np.uint8]:
    """Return an image on 0..1 as uint8."""
    return np.clip(np.floor(image * 255 + 0.5), 0, 255).astype(np.uint8)


def luma_psnr(found: NDArray[np.uint8], good: NDArray[np.uint8], border: int) -> float:
    """Return the peak signal-to-noise ratio of luma in dB.

    Args:
        found: uint8 (height, width, 3).
        good: The same size.
        border: Pixels on each side that are left out: the scale, by convention.
    """
    inside = tuple(slice(border, length - border) for length in good.shape[:2])
    off = (found[inside].astype(np.float64) - good[inside].astype(np.float64)) @ np.asarray(LUMA)
    return psnr(float((off**2).mean()))


def mean_psnr(found: NDArray[np.uint8], good: NDArray[np.uint8]) -> float:
    """Return the peak signal-to-noise ratio of all channels in dB, as denoisers are judged."""
    return psnr(float(((found.astype(np.float64) - good.astype(np.float64)) ** 2).mean()))


def psnr(error: float) -> float:
    """Return a mean squared error in grey levels of 0..255 as dB."""
    return BEST if error == 0 else min(BEST, 10 * math.log10(255**2 / error))
