"""One frame of a video, decoded but turned into pixels only when somebody looks at it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import simplejpeg

from lucida.images import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

SMALL = (64, 36)  # width and height at which frames are compared
QUALITY = 95  # of a JPEG


class Frame:
    """One frame.

    Args:
        time: Seconds since the beginning of the video; of a stream, since its first frame.
        number: Of all frames of the source from 0, those that were not taken included.
        decoded: A frame of PyAV, or RGB pixels uint8 (height, width, 3).
        turn: Quarter turns against the clock that put it upright.

    Attributes:
        arrived: When it was decoded, by the clock of the reader; 0 in a file.
        behind: Seconds by which the reader itself lags behind a stream.
        dropped: How many frames were dropped since the one before, because nobody was free to look at them.
        gap: Seconds without a picture before it, because the stream had died.
    """

    __slots__ = (
        "__weakref__", "_decoded", "_image", "_turn", "arrived", "behind", "dropped", "gap", "number", "time",
    )  # fmt: skip

    def __init__(self, time: float, number: int, decoded: Any, turn: int = 0) -> None:
        self.time, self.number = time, number
        self.arrived = self.behind = self.gap = 0.0
        self.dropped = 0
        self._decoded, self._turn = decoded, turn % 4
        self._image: Image | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, upright."""
        if isinstance(self._decoded, np.ndarray):
            height, width = self._decoded.shape[:2]
        else:
            height, width = self._decoded.height, self._decoded.width
        return (height, width) if self._turn % 2 else (width, height)

    @property
    def image(self) -> Image:
        """The frame as an image: RGB, uint8, upright."""
        if self._image is None:
            self._image = Image(self._upright(_pixels(self._decoded)), "RGB")
        return self._image

    def small(self) -> NDArray[np.uint8]:
        """Return it at a size at which frames are compared, uint8 (36, 64, 3), RGB, not turned."""
        width, height = SMALL
        if isinstance(self._decoded, np.ndarray):
            rows = np.arange(height) * self._decoded.shape[0] // height
            columns = np.arange(width) * self._decoded.shape[1] // width
            return np.asarray(self._decoded[rows][:, columns])
        return _pixels(self._decoded, width, height)

    def jpeg(self) -> bytes:
        """Return it as a JPEG file of quality 95, with the colours of two pixels in one, as most videos have them."""
        return bytes(simplejpeg.encode_jpeg(self.image.pixels, QUALITY, "RGB", "420"))

    def _upright(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return np.ascontiguousarray(np.rot90(pixels, self._turn)) if self._turn else pixels


def _pixels(decoded: Any, width: int | None = None, height: int | None = None) -> NDArray[np.uint8]:
    """Return RGB pixels uint8 (height, width, 3)."""
    if isinstance(decoded, np.ndarray):
        return decoded
    small = decoded.reformat(
        width=width, height=height, format="rgb24", interpolation="AREA" if width else "BILINEAR", threads=1
    )
    return np.asarray(small.to_ndarray(), np.uint8)
