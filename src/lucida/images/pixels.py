"""Pixels of a decoded image, and how they become plain RGB."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from PIL import Image as Pillow


class Spacing(NamedTuple):
    """How far apart pixels lie in the world.

    Attributes:
        down: From row to row.
        across: From column to column.
        unit: "mm" of a medical image, "m" or "degree" of a map.
    """

    down: float
    across: float
    unit: str


# Channels and bits of each mode but "MULTI"; a palette stands for colours.
MODES: Final = {
    "L": (1, 8), "LA": (2, 8), "RGB": (3, 8), "RGBA": (4, 8), "CMYK": (4, 8), "P": (3, 8), "I;16": (1, 16),
    "LA;16": (2, 16), "RGB;16": (3, 16), "RGBA;16": (4, 16), "I": (1, 32), "F": (1, 32),
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """A decoded image, upright, as its file has it.

    Args:
        pixels: Array (height, width) or (height, width, channels); uint8, uint16, int32 or float32.
        mode: "L", "LA", "RGB", "RGBA", "CMYK" (uint8), "P" (uint8 indices into `palette`), "I;16", "LA;16",
            "RGB;16", "RGBA;16" (uint16), "I" (int32), "F" (float32), or "MULTI": any number of channels of any of
            these types, as a satellite or microscope takes them.
        palette: RGBA colours of mode "P", (256, 4) uint8; None otherwise.
        spacing: How far apart the pixels lie, where the file says.
        window: What values are shown black and white, where the file says: of mode "L", "I;16", "I" or "F".
    """

    pixels: np.ndarray[Any, Any]
    mode: str
    palette: np.ndarray[Any, Any] | None = None
    spacing: Spacing | None = None
    window: tuple[float, float] | None = None

    def stored(self) -> np.ndarray[Any, Any]:
        """Return all channels as the file has them, (height, width, channels); of a palette its colours."""
        pixels = self.pixels if self.palette is None else self.palette[self.pixels][..., :3]
        return pixels.reshape(*pixels.shape[:2], -1)

    def rgb8(self) -> np.ndarray[Any, Any]:
        """Return the image as (height, width, 3) uint8.

        Grey is repeated, a palette is looked up, transparency is laid over white, CMYK is converted as Pillow
        does, 16 bits are divided by 257 and rounded, 32-bit integers are clipped to 16 bits first, floats are
        clipped to 0..1 (not-a-number becomes 0) and multiplied by 255. With a window its ends become 0 and 255; of many
        channels the first three are shown, deep ones from their 2nd to their 98th percentile.
        """
        pixels, mode = self.pixels, self.mode
        if mode == "RGB":
            return pixels
        if self.window is not None:
            return _shown(pixels.reshape(*pixels.shape[:2], 1), [self.window])
        if mode == "MULTI":
            return _shown_channels(pixels)
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


def _shown_channels(pixels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the first three channels, or the first as grey, as (height, width, 3) uint8."""
    some = pixels[..., :3] if pixels.shape[2] >= 3 else pixels[..., :1]
    if some.dtype == np.uint8:
        return np.ascontiguousarray(np.broadcast_to(some, (*some.shape[:2], 3)))
    step = max(1, some.shape[0] // 512), max(1, some.shape[1] // 512)
    sample = some[:: step[0], :: step[1]].astype(np.float64)
    windows = []
    for channel in range(some.shape[2]):
        values = sample[..., channel][np.isfinite(sample[..., channel])]
        low, high = np.percentile(values, (2, 98)).tolist() if values.size else (0.0, 1.0)
        windows.append((low, high))
    return _shown(some, windows)


def _shown(pixels: np.ndarray[Any, Any], windows: list[tuple[float, float]]) -> np.ndarray[Any, Any]:
    """Return channels (height, width, 1 or 3), each from black to white of its window, as (height, width, 3) uint8."""
    low, high = (np.array(ends, np.float32) for ends in zip(*windows, strict=True))
    shares = (pixels.astype(np.float32) - low) / np.maximum(high - low, 1e-6)
    grey = np.rint(np.clip(np.nan_to_num(shares, nan=0.0), 0.0, 1.0) * 255.0).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(grey, (*grey.shape[:2], 3)))


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
