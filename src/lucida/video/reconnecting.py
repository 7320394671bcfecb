"""A stream over all its lives: opened again when it dies, with waits that grow; gaps and lateness are measured."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from lucida.errors import InputError

if TYPE_CHECKING:
    from lucida.video.frame import Frame

LATE: Final = (1.0, 3.0)  # seconds behind the stream, from which the decoder leaves out some frames, and most
CAUGHT_UP: Final = 0.3  # seconds behind, below which it leaves out none
DRIFT: Final = 0.001  # seconds a second by which two clocks may differ without anybody being late


class Opened(Protocol):
    """A stream that was opened: `lucida.video.Reading`, or what a test puts in its place."""

    problem: str

    def __iter__(self) -> Iterator[Frame]: ...

    def hurry(self, how: int) -> None:
        """Decode all frames (0), those that others refer to (1), or those that stand alone (2)."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


Opener = Callable[[], Opened]


@dataclass(frozen=True)
class Waits:
    """How often and how soon a stream that died is opened again.

    Attributes:
        attempts: In a row without a frame, before it is given up.
        first: Seconds before the first of them; each wait is twice as long as the one before.
        longest: Seconds that a wait grows to.
    """

    attempts: int = 7
    first: float = 0.5
    longest: float = 30.0

    def __iter__(self) -> Iterator[float]:
        return (min(self.longest, self.first * 2**attempt) for attempt in range(self.attempts))


class Reconnecting:
    """The frames of a stream over all its lives: their time goes on where it died.

    Args:
        open_: Opens it, or raises InputError.
        waits: Before it is opened again.
        clock: Seconds that only grow.
        sleep: Waits so many seconds; returns true where everything is to end.

    Attributes:
        problem: Why it was given up; "" as long as it was not.
    """

    def __init__(self, open_: Opener, waits: Waits, clock: Callable[[], float], sleep: Callable[[float], bool]) -> None:
        self.problem = ""
        self._open, self._waits, self._clock, self._sleep = open_, waits, clock, sleep
        self._began = self._last = 0.0
        self._number = 0

    def __iter__(self) -> Generator[Frame, None, None]:
        """Yield frames as they come, each with when it came, how late, and the gap before it.

        Raises:
            InputError: It could not be opened the very first time: more likely a wrong address than a dead stream.
        """
        opened: Opened | None = self._open()
        waits = iter(self._waits)
        while opened is not None:
            before = self._number
            try:
                yield from self._life(opened)
                problem = opened.problem or "it ended"
            finally:
                opened.close()
            if self._number > before:
                waits = iter(self._waits)
            opened = self._again(waits, problem)

    def _life(self, opened: Opened) -> Iterator[Frame]:
        """Yield the frames of one life."""
        lag: _Lag | None = None
        hurry, start = 0, 0.0
        for frame in opened:
            frame.arrived = now = self._clock()
            if lag is None:
                if self._number:
                    frame.gap = now - self._last
                else:
                    self._began = now
                lag, start = _Lag(now, frame.time), now - self._began - frame.time
            frame.behind = lag.measure(now, frame.time)
            wanted = 0 if frame.behind < CAUGHT_UP else max(hurry, sum(frame.behind > late for late in LATE))
            if wanted != hurry:
                hurry = wanted
                opened.hurry(hurry)
            frame.time += start
            frame.number, self._number = self._number, self._number + 1
            self._last = now
            yield frame

    def _again(self, waits: Iterator[float], problem: str) -> Opened | None:
        """Open it again; None where that was tried often enough, or everything is to end."""
        for wait in waits:
            if self._sleep(wait):
                return None
            try:
                return self._open()
            except InputError as error:
                problem = error.got or error.what
        self.problem = f"it was given up after {self._waits.attempts} attempts to open it again: {problem}"
        return None


class _Lag:
    """Measures how far a reader lies behind a stream: as compared with when it was the least behind.

    Args:
        now: When the first frame came.
        stamp: The time of the first frame in the stream.
    """

    def __init__(self, now: float, stamp: float) -> None:
        self._least, self._now = now - stamp, now

    def measure(self, now: float, stamp: float) -> float:
        """Return the seconds that a frame came late."""
        # The clock of a camera is never quite ours; without this, what differs would add up to a lag.
        self._least = min(now - stamp, self._least + DRIFT * (now - self._now))
        self._now = now
        return now - stamp - self._least
