"""Pixels of a decoded image, and how they become plain RGB."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image as Pillow


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """A decoded image, upright, as its file has it.

    Args:
        pixels: Array (height, width) or (height, width, channels); uint8, uint16, int32 or float32.
        mode: "L", "LA", "RGB", "RGBA", "CMYK" (uint8), "P" (uint8 indices into `palette`), "I;16", "LA;16",
            "RGB;16", "RGBA;16" (uint16), "I" (int32), or "F" (float32).
        palette: RGBA colours of mode "P", (256, 4) uint8; None otherwise.
    """

    pixels: np.ndarray[Any, Any]
    mode: str
    palette: np.ndarray[Any, Any] | None = None

    def rgb8(self) -> np.ndarray[Any, Any]:
        """Return the image as (height, width, 3) uint8.

        Grey is repeated, a palette is looked up, transparency is laid over white, CMYK is converted as Pillow
        does, 16 bits are divided by 257 and rounded, 32-bit integers are clipped to 16 bits first, floats are
        clipped to 0..1 (not-a-number becomes 0) and multiplied by 255.
        """
        pixels, mode = self.pixels, self.mode
        if mode == "RGB":
            return pixels
        if mode == "CMYK":
            size = (pixels.shape[1], pixels.shape[0])
            return np.array(Pillow.frombytes("CMYK", size, pixels.tobytes()).convert("RGB"))
        if mode == "P" and self.palette is not None:
            pixels = self.palette[pixels]
        elif mode == "F":
            pixels = np.rint(np.clip(np.nan_to_num(pixels, nan=0.0), 0.0, 1.0) * 255.0).astype(np.uint8)
        elif pixels.dtype != np.uint8:
            pixels = ((np.clip(pixels, 0, 65535).astype(np.uint32) + 128) // 257).astype(np.uint8)
        if pixels.ndim == 3 and pixels.shape[2] in (2, 4):
            pixels = _over_white(pixels)
        if pixels.ndim == 2 or pixels.shape[2] == 1:
            pixels = np.repeat(pixels.reshape(*pixels.shape[:2], 1), 3, axis=2)
        return np.ascontiguousarray(pixels)


def _over_white(pixels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    colour, alpha = pixels[..., :-1].astype(np.uint16), pixels[..., -1:].astype(np.uint16)
    return ((colour * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def upright(pixels: np.ndarray[Any, Any], orientation: int) -> np.ndarray[Any, Any]:
    """Turn and mirror pixels as EXIF says. Source: EXIF 2.32, tag 0x0112."""
    if orientation >= 5:
        pixels = np.swapaxes(pixels, 0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)
