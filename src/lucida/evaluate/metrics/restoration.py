"""How near a restored image is to its reference, as the papers of super-resolution and denoising measure it.

PSNR and SSIM are of luma (BT.601 as MATLAB's rgb2ycbcr has it, 16 to 235, not rounded), of grey images of their values,
after a border of as many pixels as the scale is cut off each side. SSIM has a Gaussian window of 11 x 11 with a
deviation of 1.5, only where it lies wholly inside.

Source: Wang et al. 2004, Image quality assessment: from error visibility to structural similarity.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy import ndimage

from lucida.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

BEST: Final = 100.0  # dB that equal images are said to have, so that means stay finite
_LUMA: Final = np.array([65.481, 128.553, 24.966]) / 255
_WINDOW: Final = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def luma(pixels: NDArray[Any]) -> Floats:
    """Return the luma of an image, float64 (height, width).

    Args:
        pixels: (height, width, 3) RGB in 0..255, or (height, width[, 1]) grey, which stays as it is.
    """
    values = np.asarray(pixels, np.float64)
    if values.ndim == 2 or values.shape[2] == 1:
        return values.reshape(values.shape[:2])
    found: Floats = values @ _LUMA + 16
    return found


def shaved(plane: Floats, border: int) -> Floats:
    """Return a plane without its border.

    Raises:
        InputError: Nothing would be left of it.
    """
    if 2 * border >= min(plane.shape):
        raise InputError(
            "Nothing is left of the image without its border.",
            expected=f"more than {2 * border} pixels on each side",
            got=f"{plane.shape[1]} x {plane.shape[0]}",
            hint="--border 0",
        )
    return plane[border : plane.shape[0] - border, border : plane.shape[1] - border]


def psnr(ours: Floats, reference: Floats) -> float:
    """Return the peak signal-to-noise ratio in dB of planes (height, width) in 0..255."""
    error = float(np.mean((ours - reference) ** 2))
    return BEST if error == 0 else min(BEST, 10 * np.log10(255**2 / error))


def ssim(ours: Floats, reference: Floats) -> float:
    """Return the structural similarity of planes (height, width) in 0..255, at most 1; NaN below 11 x 11 pixels."""
    if min(ours.shape) < len(_WINDOW):
        return float("nan")
    a, b = _blurred(ours), _blurred(reference)
    aa, bb, ab = _blurred(ours**2) - a * a, _blurred(reference**2) - b * b, _blurred(ours * reference) - a * b
    found = ((2 * a * b + _C1) * (2 * ab + _C2)) / ((a * a + b * b + _C1) * (aa + bb + _C2))
    return float(np.mean(found))


def _blurred(plane: Floats) -> Floats:
    weights = _WINDOW / _WINDOW.sum()
    found = ndimage.correlate1d(ndimage.correlate1d(plane, weights, axis=0), weights, axis=1)
    return np.asarray(found[5:-5, 5:-5])
