"""Videos written as their frames come, each shown for as long as it was in the video that it came from."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
from PIL import Image as Pillow

from lucida.errors import InputError
from lucida.video.reading import package

if TYPE_CHECKING:
    from numpy.typing import NDArray

# The first that this build of libav has; the second is in all of them.
CODECS: Final[tuple[tuple[str, dict[str, str]], ...]] = (
    ("libx264", {"crf": "20", "preset": "veryfast"}),
    ("mpeg4", {"qscale": "4"}),
)
TICKS: Final = 60_000  # a second; MPEG-4 knows at most 65,535
FIRST_RATE: Final = 25  # frames a second, where a video is written of one frame


class VideoWriter:
    """Writes an MP4 file: H.264 where libav can, else MPEG-4.

    Its end is written when it is closed, so that whatever was written before an interrupt can be played.

    Args:
        file: Where; its folder is there.

    Raises:
        InputError: It cannot be written.
        MissingExtra: PyAV is not installed.
    """

    def __init__(self, file: Path) -> None:
        self._av = package()
        self.file = file
        self._stream: Any = None
        self._size = (0, 0)
        self._last = -1
        try:
            # libav opens it with the first frame, and that is late to say that it cannot.
            file.open("wb").close()
            self._out = self._av.open(str(file), "w", format="mp4")
        except (self._av.error.FFmpegError, OSError) as error:
            raise InputError(
                f"{file} cannot be written.", expected="a file", got=str(error.strerror or error), hint="another --save"
            ) from error

    def write(self, pixels: NDArray[np.uint8], time: float) -> None:
        """Write the next frame.

        Args:
            pixels: uint8 (height, width, 3), RGB. Frames of another size than the first are scaled to it.
            time: When it is shown, in seconds; a time that is not after that of the frame before is moved behind it.
        """
        if self._stream is None:
            self._begin(pixels.shape[1], pixels.shape[0])
        frame = self._av.VideoFrame.from_ndarray(self._fitted(pixels), format="rgb24")
        self._last = max(self._last + 1, round(time * TICKS))
        frame.pts, frame.time_base = self._last, Fraction(1, TICKS)
        self._out.mux(self._stream.encode(frame))

    def _begin(self, width: int, height: int) -> None:
        known = self._av.codecs_available
        name, options = next(((name, options) for name, options in CODECS if name in known), CODECS[-1])
        stream = self._out.add_stream(name, rate=FIRST_RATE, options=options)
        # Colours are kept for two pixels at a time, so both sides are even.
        self._size = (width, height)
        stream.width, stream.height, stream.pix_fmt = width + width % 2, height + height % 2, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, TICKS)
        self._stream = stream

    def _fitted(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if (pixels.shape[1], pixels.shape[0]) != self._size:
            pixels = np.asarray(Pillow.fromarray(pixels).resize(self._size))
        across, down = self._size[0] % 2, self._size[1] % 2
        if across or down:
            pixels = np.pad(pixels, ((0, down), (0, across), (0, 0)), mode="edge")
        return np.ascontiguousarray(pixels)

    def close(self) -> None:
        """Write what the encoder still holds, and the end of the file; a file without a frame is taken away."""
        if self._stream is not None:
            self._out.mux(self._stream.encode(None))
        self._out.close()
        if self._stream is None:
            self.file.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
