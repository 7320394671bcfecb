"""Streams and cameras, which do not wait: only the newest frame is kept, and what dies is opened again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Self

from lucida.video.reconnecting import Opener, Reconnecting, Waits
from lucida.video.sampling import Sampling

if TYPE_CHECKING:
    from lucida.video.frame import Frame

__all__ = ["Live", "Newest", "Waits"]


class Newest:
    """Holds one frame: the newest that nobody has taken yet."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._frame: Frame | None = None
        self._ended = False

    def put(self, frame: Frame) -> None:
        """Hold a frame; one that still waits is dropped for it."""
        with self._changed:
            if self._frame is not None:
                frame.dropped = self._frame.dropped + 1
                frame.gap += self._frame.gap
            self._frame = frame
            self._changed.notify()

    def end(self) -> None:
        """Say that no more will come."""
        with self._changed:
            self._ended = True
            self._changed.notify()

    def take(self) -> Frame | None:
        """Return the newest frame as soon as there is one; None after the last."""
        with self._changed:
            # In short waits: an interrupt from the keyboard is only noticed between two of them.
            while self._frame is None and not self._ended:
                self._changed.wait(0.25)
            frame, self._frame = self._frame, None
            return frame


class Live:
    """The frames of a stream or camera, as fast as somebody takes them: others are dropped, none waits.

    Args:
        open_: Opens it, or raises InputError.
        sampling: Which frames are offered at all.
        waits: Before a stream that died is opened again.
        clock: Seconds that only grow.

    Attributes:
        problem: Why it ended; "" as long as it did not.
    """

    def __init__(
        self,
        open_: Opener,
        sampling: Sampling,
        waits: Waits | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.problem = ""
        self._stop = threading.Event()
        self._frames = Reconnecting(open_, waits or Waits(), clock, self._stop.wait)
        self._sampling, self._clock = sampling, clock
        self._newest = Newest()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._read, name="lucida-live", daemon=True)

    def _read(self) -> None:
        takes, gap = self._sampling.start(), 0.0
        frames = iter(self._frames)
        try:
            for frame in frames:
                if self._stop.is_set():
                    break
                gap += frame.gap
                if takes(frame):
                    frame.gap, gap = gap, 0.0
                    self._newest.put(frame)
        except BaseException as error:
            self._error = error
        finally:
            # A camera that is left open cannot be opened by anybody else.
            frames.close()
            self._newest.end()

    def __iter__(self) -> Iterator[Frame]:
        """Yield the newest frame each time one is asked for.

        Raises:
            InputError: It could not be opened.
        """
        self._thread.start()
        while (frame := self._newest.take()) is not None:
            yield frame
        if self._error is not None:
            raise self._error
        self.problem = self._frames.problem

    @property
    def started(self) -> bool:
        """Whether it was ever read from."""
        return self._thread.ident is not None

    def delay(self, frame: Frame) -> float:
        """Return how many seconds ago a frame was shown by the stream, as far as its reader can know."""
        return max(0.0, self._clock() - frame.arrived) + frame.behind

    def close(self) -> None:
        """Stop reading."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
