"""Pixels of an image as a model takes them, whatever channels both have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import Image as Pillow

from lucida.models.restorer import needs_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lucida.models.spec import Model

# Source: ITU-R BT.601, full range as in JPEG.
_LUMA: Final = np.array([0.299, 0.587, 0.114], np.float32)
_BLUE, _RED = np.float32(0.564), np.float32(0.713)


def through(model: Model, pixels: NDArray[np.float32], noise: float | None = None) -> NDArray[np.float32]:
    """Return what a model makes of a piece.

    Grey goes through a model of colours three times alike, and its mean comes back. Through a model of one channel
    colours go one by one, or as luma alone, where it is one of luma.

    Args:
        model: A model that restores.
        pixels: float32 (height, width, 1 or 3) in 0..1.
        noise: As for `Model.restore`.

    Returns:
        float32 (height * scale, width * scale, 1 or 3) in 0..1.
    """
    needs, scale = needs_of(model.spec), model.spec.gives.scale
    grey = pixels.shape[2] == 1
    if needs.channels == 3:
        planes = np.broadcast_to(pixels, (*pixels.shape[:2], 3)).transpose(2, 0, 1)
        found = model.restore(np.ascontiguousarray(planes[None]), noise)[0].transpose(1, 2, 0)
        return np.asarray(found.mean(axis=2, keepdims=True) if grey else found, np.float32)
    if needs.luma and not grey:
        return _luma(model, pixels, scale, noise)
    planes = np.ascontiguousarray(pixels.transpose(2, 0, 1)[:, None])
    return model.restore(planes, noise)[:, 0].transpose(1, 2, 0)


def _luma(model: Model, pixels: NDArray[np.float32], scale: int, noise: float | None) -> NDArray[np.float32]:
    luma = pixels @ _LUMA
    blue, red = (enlarged((pixels[..., c] - luma) * gain, scale) for c, gain in ((2, _BLUE), (0, _RED)))
    light = model.restore(luma[None, None], noise)[0, 0]
    b, r = light + blue / _BLUE, light + red / _RED
    g = (light - _LUMA[0] * r - _LUMA[2] * b) / _LUMA[1]
    return np.asarray(np.clip(np.stack([r, g, b], axis=2), 0, 1), np.float32)


def enlarged(plane: NDArray[np.float32], scale: int) -> NDArray[np.float32]:
    """Return a plane float32 (height, width), larger by bicubic."""
    if scale == 1:
        return plane
    size = (plane.shape[1] * scale, plane.shape[0] * scale)
    return np.asarray(Pillow.fromarray(plane).resize(size, Pillow.Resampling.BICUBIC), np.float32)


def uncovered(colour: NDArray[Any], alpha: NDArray[Any]) -> NDArray[Any]:
    """Return an image whose colours under what is wholly transparent are the nearest that can be seen.

    Nobody sees these, but a model does, and lets them bleed into what is seen.

    Args:
        colour: (height, width, channels).
        alpha: (height, width); 0 is transparent.
    """
    from scipy import ndimage

    hidden = alpha == 0
    if not hidden.any() or hidden.all():
        return colour
    # Its first output, the distances, is not asked for.
    down, across = ndimage.distance_transform_edt(hidden, return_distances=False, return_indices=True)
    found: NDArray[Any] = colour[down, across]
    return found
