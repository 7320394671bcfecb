"""Videos: frames taken at a rate, each an image of its own whose path says when it was shown."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from lucida.catalog.records import Refusal
from lucida.catalog.sources.found import Found, show
from lucida.errors import InputError, MissingExtra
from lucida.video import Reading, Sampling, read, source_of

USUAL: Final = Sampling("rate", 1.0)
MOST: Final = 10_000  # frames of one video: nearly three hours at one a second


class VideoFile:
    """The frames of a video.

    A frame becomes a JPEG file, which the catalog keeps: decoding it again would take all frames before it.
    Its path is that of the video with the time: "walk.mp4#t=12.500", as addresses of parts of media are written
    (W3C Media Fragments URI 1.0).

    Args:
        path: The video, as given.
        sampling: Which frames.
    """

    def __init__(self, path: Path, sampling: Sampling = USUAL) -> None:
        self.path, self.sampling = path, sampling

    def __iter__(self) -> Iterator[Found | Refusal]:
        source = source_of(self.path)
        if source is None:  # pragma: no cover
            return
        given, uri = self.path.as_posix(), os.path.normpath(self.path.absolute())
        try:
            modified = self.path.stat().st_mtime_ns
            with Reading(source) as reading:
                frames = read(reading, self.sampling)
                for frame in islice(frames, MOST):
                    at = f"#t={frame.time:.3f}"
                    data = frame.jpeg()
                    yield Found(given + at, uri + at, self.path.name + at, len(data), modified, data)
                if next(frames, None) is not None:
                    yield Refusal(show(f"{given}#rest"), f"only its first {MOST:,} frames are taken; a lower --rate")
                if reading.problem:
                    yield Refusal(show(self.path), f"the video cannot be read further: {reading.problem}")
        except MissingExtra as error:
            yield Refusal(show(self.path), f"a video, and {error.expected} is not installed: {error.hint}")
        except (InputError, OSError) as error:
            yield Refusal(show(self.path), _reason(error))


def _reason(error: InputError | OSError) -> str:
    if isinstance(error, OSError):
        return f"cannot be read: {error.strerror}"
    return f"{error.what.rstrip('.')} ({error.got})" if error.got not in error.what else error.what.rstrip(".")
