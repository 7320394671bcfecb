"""One opened video: what its header says, and its frames one after the other."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, Self

from lucida.errors import ImageError, InputError, MissingExtra
from lucida.images import LIMITS
from lucida.images.admission import check_pixels
from lucida.video.frame import Frame

if TYPE_CHECKING:
    from lucida.video.sampling import Sampling
    from lucida.video.source import Source

THREADS: Final = 4  # of the decoder; each holds a frame
PATIENCE: Final = 10.0  # seconds that a stream may be silent
BROKEN: Final = 500  # packets in a row that cannot be decoded
SHORT: Final = 1.0  # seconds that a video may end before its header says so
USUAL_RATE: Final = 25.0  # frames a second where no time stamps are kept
# Cameras that send one JPEG after the other: libav makes time stamps up as if they came at its usual rate.
UNSTAMPED: Final = ("mpjpeg", "mjpeg", "image2pipe", "jpeg_pipe")


def package() -> ModuleType:
    """Return PyAV.

    Raises:
        MissingExtra: It is not installed.
    """
    try:
        import av
    except ImportError as error:
        raise MissingExtra("av", "see", "Reading videos") from error
    # What a decoder finds odd in a broken file is said once, by this module.
    av.logging.set_level(None)
    return av


class Reading:
    """A video, stream or camera that was opened; read once, from its beginning.

    Args:
        source: What to open.

    Attributes:
        rate: Frames a second as the header says, on average; 0 where it does not.
        seconds: Length as the header says; 0 where it does not.
        live: Whether it never waits for its reader.
        problem: Why it broke off; "" as long as it did not. Whatever came before is good.
        broken: How many packets could not be decoded, and were passed over.

    Raises:
        InputError: It cannot be opened, or holds no pictures.
        MissingExtra: PyAV is not installed.
    """

    def __init__(self, source: Source) -> None:
        self._av = package()
        self.source = source
        self.problem = ""
        self.broken = 0
        self._container = self._open(source)
        try:
            streams = [one for one in self._container.streams.video if not _is_cover(one)]
            if not streams:
                raise InputError(
                    f"{source.name} holds no moving pictures.",
                    expected="a video stream",
                    got=", ".join(sorted({one.type for one in self._container.streams})) or "nothing",
                    hint="check the file",
                )
            self._stream = streams[0]
            self._check()
        except BaseException:
            self.close()
            raise
        self.rate = float(self._stream.average_rate or self._stream.guessed_rate or 0)
        own = float(self._stream.duration * self._stream.time_base) if self._stream.duration else 0.0
        self.seconds = own or float(self._container.duration or 0) / 1e6
        # What has no length is being made while it is read.
        self.live = source.live or (source.kind == "stream" and not self.seconds)
        coder = self._stream.codec_context
        coder.options = {**coder.options, "max_pixels": str(LIMITS.pixels)}
        # Threads that take a frame each are faster, but as many frames late.
        coder.thread_type = "SLICE" if self.live else "AUTO"
        coder.thread_count = min(THREADS, _cores())

    def _open(self, source: Source) -> Any:
        if source.kind == "file":
            _check_file(Path(source.address.removeprefix("file:")), source.name)
        try:
            return self._av.open(
                source.address,
                format=source.format,
                options=dict(source.options),
                timeout=None if source.kind == "file" else PATIENCE,
            )
        except (self._av.error.FFmpegError, OSError, ValueError) as error:
            raise InputError(
                f"{source.name} cannot be opened as a video: {_words(error)}.",
                expected="a whole video file" if source.kind == "file" else "a stream or camera that answers",
                got=_words(error),
                hint="play it with another program" if source.kind == "file" else "check the address, and the network",
            ) from error

    def _check(self) -> None:
        """Refuse frames that are too large before the first is decoded."""
        coder = self._stream.codec_context
        if coder.codec is None:  # pragma: no cover
            raise InputError(f"{self.source.name} is of a kind that cannot be decoded.", expected="H.264, VP9, …")
        try:
            if coder.width or coder.height:
                check_pixels(coder.width, coder.height, LIMITS)
        except ImageError as error:
            raise InputError(
                f"{self.source.name}: {error.what}", expected=error.expected, got=error.got, hint=error.hint
            ) from error

    def hurry(self, how: int) -> None:
        """Decode all frames (0), those that others refer to (1), or those that stand alone (2)."""
        if not self.source.live:
            # Over HTTP a stream comes in pieces of some seconds: it is late by nature.
            return
        self._stream.codec_context.skip_frame = ("DEFAULT", "NONREF", "NONKEY")[how]

    def __iter__(self) -> Iterator[Frame]:
        """Yield all frames in order of their time; what breaks off is said in `problem`."""
        made_up = self.live and self._container.format.name in UNSTAMPED
        clock = _Arrivals() if made_up else _Clock(self._stream, self.rate or USUAL_RATE)
        number = 0
        for decoded in self._decoded():
            # Seen from the picture as it is stored, against the clock.
            turn = round(decoded.rotation / 90)
            yield Frame(clock(decoded), number, decoded, turn)
            number += 1
        if not self.problem and self.seconds and not self.live and clock.last + SHORT < self.seconds:
            self.problem = f"it breaks off after {clock.last:.1f} of {self.seconds:.1f} seconds"
        if not number and not self.problem:
            self.problem = "it holds no frame"

    def _decoded(self) -> Iterator[Any]:
        in_a_row = 0
        try:
            for packet in self._container.demux(self._stream):
                try:
                    frames = packet.decode()
                except self._av.error.InvalidDataError as error:
                    self.broken += 1
                    in_a_row += 1
                    if in_a_row >= BROKEN:
                        self.problem = f"it cannot be decoded further: {_words(error)}"
                        return
                    continue
                if frames:
                    in_a_row = 0
                yield from frames
        except (self._av.error.FFmpegError, OSError, ValueError) as error:
            self.problem = f"it cannot be read further: {_words(error)}"

    def close(self) -> None:
        """Let go of the file, stream or camera."""
        self._container.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read(reading: Reading, sampling: Sampling) -> Iterator[Frame]:
    """Yield the frames of a file that are taken; one at a time, so that memory holds those that somebody keeps."""
    takes = sampling.start()
    for frame in reading:
        if takes(frame):
            yield frame


class _Clock:
    """Tells the seconds of frames, which never go back, from time stamps, which may."""

    def __init__(self, stream: Any, rate: float) -> None:
        self._stream, self._step = stream, 1 / rate
        self._shift: float | None = None
        self.last = -self._step

    def __call__(self, decoded: Any) -> float:
        stamp = decoded.time
        if stamp is None:
            self.last += self._step
            return self.last
        if self._shift is None:
            self._shift = -stamp
        if stamp + self._shift <= self.last:
            # Recordings that were put one after the other begin again at nothing.
            self._shift = self.last + self._step - stamp
        self.last = stamp + self._shift
        return float(self.last)


class _Arrivals:
    """Tells when each frame came, in seconds since the first."""

    def __init__(self) -> None:
        self._first: float | None = None
        self.last = 0.0

    def __call__(self, decoded: Any) -> float:
        now = time.monotonic()
        self._first = now if self._first is None else self._first
        self.last = max(now - self._first, self.last)
        return self.last


def _check_file(path: Path, name: str) -> None:
    if path.is_file() and path.stat().st_size:
        return
    got = "an empty file" if path.is_file() else "a folder" if path.is_dir() else "no such file"
    raise InputError(f"{name} cannot be read.", expected="a video file", got=got, hint="check the path")


def _is_cover(stream: Any) -> bool:
    """Return whether a stream is the picture on the sleeve of a piece of music."""
    return "attached_pic" in str(stream.disposition).lower()


def _words(error: BaseException) -> str:
    """Return what libav says, without its numbers and paths."""
    text = getattr(error, "strerror", None) or str(error)
    return " ".join(str(text).split()).rstrip(".") or type(error).__name__


def _cores() -> int:
    wanted = os.environ.get("LUCIDA_THREADS", "")
    if wanted.isdecimal() and int(wanted):
        return int(wanted)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
