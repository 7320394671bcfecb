"""Images as they may leave the house: parts made unrecognisable, and nothing beside the picture."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import PIL.Image
import PIL.ImageFilter

from lucida.images import decode
from lucida.images.metadata import strip

if TYPE_CHECKING:
    from numpy.typing import NDArray

Box = tuple[float, float, float, float]
WIDER: Final = 0.1  # share of a box that is added on each side: detectors cut hair and edges of plates
CELLS: Final = 6  # across the shorter side of what is made unrecognisable


def safe_copy(data: bytes, boxes: Sequence[Box] = ()) -> tuple[bytes, str]:
    """Return an image file that may leave the house, and its suffix.

    Args:
        data: The encoded file.
        boxes: What to make unrecognisable: left, top, right, bottom, in pixels of the upright image.

    Returns:
        Without boxes the same pixels, not encoded again where the format allows; with boxes a new file, JPEG of
        quality 95 for a JPEG, else PNG. No EXIF, XMP, comments or thumbnails in either.

    Raises:
        ImageError: It cannot be decoded.
    """
    from lucida.images import recognise

    kind = recognise(data)
    if not boxes:
        return strip(data), {"JPEG": ".jpg", "WEBP": ".webp"}.get(kind or "", ".png")
    pixels = hide(decode(data).rgb8(), boxes)
    out = io.BytesIO()
    if kind == "JPEG":
        PIL.Image.fromarray(pixels).save(out, "JPEG", quality=95, subsampling=0)
        return out.getvalue(), ".jpg"
    PIL.Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue(), ".png"


def hide(pixels: NDArray[np.uint8], boxes: Sequence[Box]) -> NDArray[np.uint8]:
    """Return pixels (height, width, 3) in which boxes show a few blurred cells only.

    A blur alone can be undone; what was averaged into a few cells is gone.
    """
    height, width = pixels.shape[:2]
    hidden = pixels.copy()
    for left, top, right, bottom in boxes:
        across, down = (right - left) * WIDER, (bottom - top) * WIDER
        x0, x1 = max(0, int(left - across)), min(width, int(np.ceil(right + across)))
        y0, y1 = max(0, int(top - down)), min(height, int(np.ceil(bottom + down)))
        if x1 <= x0 or y1 <= y0:
            continue
        part = PIL.Image.fromarray(np.ascontiguousarray(hidden[y0:y1, x0:x1]))
        cell = max(1, min(part.size) / CELLS)
        size = (max(1, round(part.width / cell)), max(1, round(part.height / cell)))
        small = part.resize(size, PIL.Image.Resampling.BOX)
        hidden[y0:y1, x0:x1] = np.asarray(small.resize(part.size, PIL.Image.Resampling.BICUBIC))
    return hidden
