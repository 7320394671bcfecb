"""The antialiased bicubic resizing that super-resolution is trained with and judged by: MATLAB's `imresize`.

Cubic convolution with a = -0.5, the kernel widened by the factor where an image is made smaller.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from lucida.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

REACH = 2.0  # of the kernel to each side, in pixels of the smaller image


@overload
def resize(pixels: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]: ...
@overload
def resize(pixels: NDArray[np.floating[Any]], scale: float) -> NDArray[np.floating[Any]]: ...
def resize(pixels: NDArray[Any], scale: float) -> NDArray[Any]:
    """Return an image resized, of the same type.

    Args:
        pixels: (height, width) or (height, width, channels); uint8 is rounded and cut to 0..255 after the columns and
            again after the rows, as MATLAB does; floats of any range are neither rounded nor cut.
        scale: Factor of both sides, above 0; sides are rounded up.

    Returns:
        (ceil(height * scale), ceil(width * scale), ...). Beyond the border lie copies of the border's pixels, as in
        the published low-resolution images of Set5, Set14 and BSD100 (later versions of MATLAB mirror).

    Raises:
        InputError: The scale is not above 0, or there is no pixel.

    Source: Keys 1981, Cubic convolution interpolation for digital image processing; MATLAB's imresize.
    """
    if not (scale > 0 and math.isfinite(scale)) or min(pixels.shape[:2]) < 1:
        raise InputError(
            "There is nothing to resize, or no size to resize to.",
            expected="one pixel at least, and a scale above 0",
            got=f"{pixels.shape[1]} x {pixels.shape[0]} pixels, scale {scale:g}",
        )
    whole = pixels.dtype == np.uint8
    found = pixels if not whole else pixels.astype(np.float64)
    for axis in (0, 1):
        found = _along(found, axis, scale)
        if whole:
            found = np.clip(np.floor(found + 0.5), 0, 255)
    return found.astype(pixels.dtype)


def cubic(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weight of pixels so far away, float64; 0 from two pixels on."""
    away = np.abs(distance)
    near = 1.5 * away**3 - 2.5 * away**2 + 1
    far = -0.5 * away**3 + 2.5 * away**2 - 4 * away + 2
    return np.where(away <= 1, near, np.where(away < REACH, far, 0.0))


def _along(pixels: NDArray[Any], axis: int, scale: float) -> NDArray[Any]:
    length = pixels.shape[axis]
    sharp = min(scale, 1.0)
    centre = (np.arange(math.ceil(length * scale)) + 0.5) / scale - 0.5
    taps = math.ceil(2 * REACH / sharp) + 2
    places = np.floor(centre - REACH / sharp)[:, None] + np.arange(taps)
    weights = cubic(sharp * (centre[:, None] - places))
    weights = (weights / weights.sum(axis=1, keepdims=True)).astype(pixels.dtype)
    rows = np.clip(places.astype(np.int64), 0, length - 1)
    shape = [1] * pixels.ndim
    shape[axis] = len(centre)
    total = np.zeros((), pixels.dtype)
    for tap in range(taps):
        if weights[:, tap].any():
            total = total + weights[:, tap].reshape(shape) * pixels.take(rows[:, tap], axis=axis)
    return total
