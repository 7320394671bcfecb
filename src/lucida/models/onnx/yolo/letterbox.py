"""Images as networks of the YOLO kind were trained on them: scaled as they are, with grey around."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lucida.models.onnx.yolo.layouts import Layout

GREY: Final = 114


@dataclass(frozen=True)
class Place:
    """Where an image lies in what was prepared of it.

    Attributes:
        width: Of the image, in pixels.
        height: Of the image, in pixels.
        gain: Prepared pixels a pixel of the image.
        left: Prepared pixels left of it.
        top: Prepared pixels above it.
    """

    width: int
    height: int
    gain: float
    left: int
    top: int

    def back(self, boxes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return boxes float32 (n, 4) of the prepared image as boxes of the image, cut to it."""
        found = (boxes - np.array([self.left, self.top] * 2, np.float32)) / np.float32(self.gain)
        return np.asarray(np.clip(found, 0, np.array([self.width, self.height] * 2)), np.float32)


def letterbox(pixels: NDArray[np.uint8], size: tuple[int, int], layout: Layout) -> tuple[NDArray[np.float32], Place]:
    """Prepare one image.

    Args:
        pixels: uint8 (height, width, 3), RGB; not changed.
        size: Height and width of the input.
        layout: Where the image lies, the order of colours and their range.

    Returns:
        float32 (3, height, width), and where the image lies in it.

    Source: `LetterBox` of YOLOv5 and its successors; `preproc` of YOLOX.
    """
    height, width = pixels.shape[:2]
    gain = min(size[0] / height, size[1] / width)
    whole = round if layout.centred else int
    down, across = max(1, whole(height * gain)), max(1, whole(width * gain))
    # As trained: of an odd number of rows the larger half lies below.
    top = round((size[0] - down) / 2 - 0.1) if layout.centred else 0
    left = round((size[1] - across) / 2 - 0.1) if layout.centred else 0
    square = np.full((*size, 3), GREY, np.uint8)
    square[top : top + down, left : left + across] = resize_linear(pixels, (down, across))
    ordered = square if layout.channels == "RGB" else square[..., ::-1]
    values = np.ascontiguousarray(ordered.transpose(2, 0, 1), np.float32) * np.float32(layout.scale)
    return values, Place(width, height, gain, left, top)


def resize_linear(pixels: NDArray[np.uint8], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Return pixels (height, width, 3) at a shape, each made of its four nearest alone, as OpenCV has it.

    Source: `cv2.resize` with INTER_LINEAR, within one grey level.
    """
    if pixels.shape[:2] == shape:
        return pixels
    (above, below, down), (left, right, across) = (_taps(pixels.shape[k], shape[k]) for k in (0, 1))
    down, across = down[:, None, None], across[None, :, None]
    upper = pixels[above[:, None], left] * (1 - across) + pixels[above[:, None], right] * across
    lower = pixels[below[:, None], left] * (1 - across) + pixels[below[:, None], right] * across
    return np.asarray(np.rint(upper * (1 - down) + lower * down), np.uint8)


def _taps(before: int, after: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Return the two neighbours of each new pixel, and the share of the second."""
    place = np.clip((np.arange(after) + 0.5) * before / after - 0.5, 0, before - 1)
    first = place.astype(np.int64)
    return first, np.minimum(first + 1, before - 1), np.asarray(place - first, np.float32)
