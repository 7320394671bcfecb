"""Small videos, made by the tests themselves."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from lucida.video import Frame


def write_video(
    file: Path | io.BytesIO,
    pictures: Iterable[np.ndarray[Any, Any]],
    *,
    rate: int = 10,
    times: Sequence[float] | None = None,
    rotation: int = 0,
    codec: str = "libx264",
    kind: str | None = None,
    options: dict[str, str] | None = None,
    preset: str = "ultrafast",
) -> None:
    """Write RGB pictures as a video.

    Args:
        file: Where.
        pictures: uint8 (height, width, 3), of one size with even sides.
        rate: Frames a second, where no times are given.
        times: Seconds of each picture.
        rotation: Degrees that a player is to turn it against the clock.
        codec: Of libav.
        kind: Container; None for that of the file's name.
        options: Of the container.
        preset: Of libx264; from "veryfast" there are frames that no other refers to.
    """
    import av

    tick = Fraction(1, rate if times is None else 1000)
    with av.open(file if isinstance(file, io.BytesIO) else str(file), "w", format=kind, options=options or {}) as out:
        stream: Any = None
        for number, pixels in enumerate(pictures):
            if stream is None:
                stream = out.add_stream(codec, rate=rate)
                stream.height, stream.width = pixels.shape[:2]
                stream.pix_fmt = "yuv420p"
                stream.time_base = stream.codec_context.time_base = tick
                if codec == "libx264":
                    stream.options = {"crf": "12", "preset": preset}
                if rotation:
                    stream.set_display_rotation(rotation)
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            frame.pts, frame.time_base = number if times is None else round(times[number] * 1000), tick
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def squares(
    places: Sequence[tuple[float, float]], *, size: tuple[int, int] = (160, 96), side: int = 20, shade: int = 255
) -> np.ndarray[Any, Any]:
    """Return a dark picture with bright squares whose left top corners lie at these places."""
    pixels = np.full((size[1], size[0], 3), 30, np.uint8)
    for across, down in places:
        x, y = round(across), round(down)
        pixels[max(0, y) : max(0, y + side), max(0, x) : max(0, x + side)] = shade
    return pixels


def plain(colour: tuple[int, int, int], size: tuple[int, int] = (64, 48)) -> np.ndarray[Any, Any]:
    """Return a picture of one colour."""
    return np.full((size[1], size[0], 3), colour, np.uint8)


def frame(time: float, pixels: np.ndarray[Any, Any] | None = None, number: int = 0) -> Frame:
    """Return a frame that no decoder has made."""
    return Frame(time, number, plain((9, 9, 9)) if pixels is None else pixels)
