"""Places at work: a bounded queue and threads, each of which does one thing at a time.

A request that finds no place is refused at once, so a backlog never grows. Whoever does not wait any more, by its own
will or its deadline, gives its place back; work that has begun cannot be taken from a thread, and keeps its place
until it ends, or until another thread works instead of one that hangs. Counts are changed by the event loop alone, the
queue under its lock.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from contextvars import Context, copy_context
from typing import Any, Final, Literal, TypeVar

from lucida.errors import InputError, ModelError
from lucida.serve.batching import Asked, Batching, Outcome, do_together
from lucida.serve.refusal import CLIENT_GONE, Refused
from lucida.serve.stages import note
from lucida.serve.watch.histogram import IMAGES, Histogram

T = TypeVar("T")
MEMORY: Final = 0.1  # share of the latest work in the mean of how long one takes
ODD: Final = 4.0  # times the mean: what took longer counts as that
SURE: Final = (
    0.8  # share of the time that may pass with waiting: the rest is for the work, and for what is not foreseen
)
LEAVING: Final = 5.0  # seconds
SPARE: Final = 8  # threads that hang may be replaced by new ones: so many, or two for each worker if that is more
REACH: Final = 4  # times as many as are done together are looked through for what is alike
ALONE: Final = Batching()
PATIENCE: Final = 60  # seconds after which to come again, at most

State = Literal["taken", "waiting", "working", "left"]


class Pool:
    """Threads that work, and a bounded number of places before them.

    Args:
        workers: Threads.
        queue: Places beside those at work.
        name: Of the threads.
        longest: Seconds in which work must be done; who would wait for most of them finds no place either.

    Attributes:
        hung: Threads that hang, and were replaced.
        sizes: How much was done together.
    """

    def __init__(self, workers: int, queue: int, name: str = "work", longest: float = math.inf) -> None:
        self.workers, self.places, self.longest = workers, workers + queue, longest
        self.taken, self.seconds, self.hung, self._turn = 0, 0.0, 0, 0.0
        self.sizes = Histogram(IMAGES)
        self._name, self._spare, self._threads = name, max(SPARE, 2 * workers), list[threading.Thread]()
        self.idle = asyncio.Event()
        self.idle.set()
        self._waiting: deque[Place] = deque()
        self._changed = threading.Condition()
        self._resting = self._lingering = 0
        self._closed = False
        for _ in range(workers):
            self._start()

    @property
    def wait(self) -> float:
        """Seconds that whoever comes now waits for its turn, by what the latest work took."""
        return max(0, self.taken + 1 - self.workers) * self.seconds / self.workers

    @property
    def depth(self) -> int:
        """How many wait for a thread."""
        return len(self._waiting)

    @property
    def retry(self) -> int:
        """Seconds after which there should be a place."""
        return min(PATIENCE, max(1, math.ceil(self.wait)))

    def check(self, count: int = 1) -> None:
        """Refuse what there are no places for.

        Raises:
            Refused: 429; 413 where there never would be.
        """
        if count > self.places:
            raise Refused(
                413,
                InputError(
                    "There are more images in this request than places.",
                    expected=f"at most {self.places:,}",
                    got=f"{count:,}",
                    hint="send fewer at a time",
                ),
            )
        # Where nobody waits, somebody is always taken, however long the work took before.
        late = self.wait > 0 and self.wait + self._turn > SURE * self.longest
        if self.taken + count > self.places or late:
            raise Refused(
                429,
                ModelError(
                    "The server is at its limit.",
                    expected=f"at most {self.places:,} images at a time, all within {self.longest:g} s",
                    got=f"{self.taken:,} that are served already, and a wait of {self.wait:.1f} s"
                    + (f", for {count:,} more" if count > 1 else ""),
                    hint=f"come again in {self.retry} s",
                ),
                retry=self.retry,
            )

    def take(self, *, held: bool = False) -> Place:
        """Take a place.

        Args:
            held: Whether there must be one: whoever asks had a place already.

        Raises:
            Refused: 429, there is none.
        """
        if not held:
            self.check()
        self.taken += 1
        self.idle.clear()
        return Place(self)

    def close(self, wait: float = LEAVING) -> None:
        """Let threads end once nothing waits.

        Args:
            wait: Seconds in which they are waited for; one that hangs is left behind.
        """
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        # A thread that is inside an engine when the interpreter ends takes the process down with it.
        until = time.monotonic() + wait
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def put(self, place: Place) -> None:
        """Have a place's work done."""
        with self._changed:
            place.state = "waiting"
            self._waiting.append(place)
            # One that waits for company may not be the one that can do this.
            self._changed.notify(1 + self._lingering)

    def leave(self, place: Place) -> None:
        """Give a place back, at once or when its work ends."""
        with self._changed:
            before, place.state = place.state, "left"
            if before == "waiting":
                self._waiting.remove(place)
        if before in ("taken", "waiting"):
            self._free()

    def replace(self, place: Place) -> bool:
        """Have another thread work in the place of one that hangs, which ends once its work does.

        Returns:
            False where the work has ended, or as many hang already as are replaced.
        """
        turn = place.turn
        with self._changed:
            if turn is None or not turn.busy or turn.replaced or self._closed or self.hung >= self._spare:
                return False
            turn.replaced = True
            self.hung += 1
        for _ in turn.places:
            self._free()
        self._start()
        return True

    def _start(self) -> None:
        thread = threading.Thread(target=self._work, name=f"{self._name} {len(self._threads)}", daemon=True)
        self._threads = [*(one for one in self._threads if one.is_alive()), thread]
        thread.start()

    def _free(self) -> None:
        self.taken -= 1
        if not self.taken:
            self.idle.set()

    def _work(self) -> None:
        while (turn := self._next()) is not None:
            began = time.monotonic()
            for place in turn.places:
                place.began = began
            outcomes = turn.do()
            ended = time.monotonic()
            for place in turn.places:
                place.ended = ended
            with self._changed:
                turn.busy, replaced = False, turn.replaced
                self.hung -= replaced
            # The loop may have ended: then nobody waits any more.
            with contextlib.suppress(RuntimeError):
                turn.places[0].loop.call_soon_threadsafe(self._done, turn, outcomes, ended - began)
            # An idle thread must not keep the last image alive.
            del place, turn, outcomes
            if replaced:
                return

    def _next(self) -> Turn | None:
        with self._changed:
            while not self._waiting:
                if self._closed:
                    return None
                self._resting += 1
                self._changed.wait()
                self._resting -= 1
            turn = Turn([self._begin(self._waiting.popleft())])
            most, linger = turn.batching
            if most > 1:
                self._gather(turn, most)
                until = time.monotonic() + linger
                while len(turn.places) < most and not self._closed and (left := until - time.monotonic()) > 0:
                    self._lingering += 1
                    self._changed.wait(left)
                    self._lingering -= 1
                    self._gather(turn, most)
            for place in turn.places:
                place.turn = turn
            return turn

    def _begin(self, place: Place) -> Place:
        place.state = "working"
        return place

    def _gather(self, turn: Turn, most: int) -> None:
        """Take what waits and is alike, but leave some to threads that rest."""
        share = math.ceil((len(turn.places) + len(self._waiting)) / (1 + self._resting))
        kin = turn.places[0].kin
        for place in list(self._waiting)[: REACH * most]:
            if len(turn.places) >= min(most, share):
                return
            if place.kin == kin:
                self._waiting.remove(place)
                turn.places.append(self._begin(place))

    def _done(self, turn: Turn, outcomes: Sequence[Outcome], seconds: float) -> None:
        if not turn.replaced:
            self._turn = _mean(self._turn, seconds)
        self.sizes.observe(len(outcomes))
        for place, (result, error) in zip(turn.places, outcomes, strict=True):
            with self._changed:
                wanted, place.state = place.state != "left", "left"
            # No cycle: what was sent is free as soon as it is answered.
            place.turn = None
            if not turn.replaced:
                self.seconds = _mean(self.seconds, seconds / len(outcomes))
                self._free()
            if wanted and not place.future.done():
                if error is None:
                    place.future.set_result(result)
                else:
                    place.future.set_exception(error)


def _mean(before: float, latest: float) -> float:
    # One that hangs, or a machine that slept, says little of how long the next will take.
    return before + (min(latest, ODD * before) - before) * MEMORY if before else latest


class Turn:
    """What one thread does at a time: one piece of work, or several that are cheaper together.

    Args:
        places: At least one.
    """

    def __init__(self, places: list[Place]) -> None:
        self.places = places
        self.busy, self.replaced = True, False

    @property
    def batching(self) -> Batching:
        """How many may be done together with the first."""
        return getattr(self.places[0].work, "batching", ALONE)

    def do(self) -> list[Outcome]:
        """Do it; what is raised comes back."""
        if len(self.places) > 1:
            return do_together([Asked(one.work, one.context, one.wanted) for one in self.places])
        try:
            return [(self.places[0].context.run(self.places[0].work), None)]
        except BaseException as error:
            return [(None, error)]


class Place:
    """A place that was taken; leave it, or use it as a context."""

    work: Any
    context: Context
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    began: float
    ended: float

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.state: State = "taken"
        self.turn: Turn | None = None

    def __enter__(self) -> Place:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    @property
    def kin(self) -> Hashable:
        """Work with an equal one may be done together; None, with none."""
        return getattr(self.work, "kin", None)

    def wanted(self) -> bool:
        """Tell whether somebody still waits for its work."""
        return self.state != "left"

    def leave(self) -> None:
        """Give the place back; more than once does no harm."""
        self._pool.leave(self)

    async def do(self, work: Callable[[], T], until: float, gone: asyncio.Future[None] | None = None) -> T:
        """Have some work done by a thread.

        Args:
            work: What is to be done.
            until: Time of the event loop by which it must be.
            gone: Is done once nobody waits for it any more.

        Raises:
            Refused: 503 where it has not begun in time, 504 where it has not ended, 499 where nobody waits.
            BaseException: Whatever the work raises.
        """
        self.loop = asyncio.get_running_loop()
        # The thread knows whose request it works for.
        self.work, self.context, self.future = work, copy_context(), self.loop.create_future()
        put = time.monotonic()
        self._pool.put(self)
        waiting: set[asyncio.Future[Any]] = {self.future} if gone is None else {self.future, gone}
        await asyncio.wait(waiting, timeout=max(0.0, until - self.loop.time()), return_when=asyncio.FIRST_COMPLETED)
        if self.future.done():
            note("wait", put, self.began)
            note("work", self.began, self.ended)
            result: T = self.future.result()
            return result
        if gone is not None and gone.done():
            raise Refused(CLIENT_GONE, InputError("The client is gone."))
        begun = self.state == "working"
        raise Refused(
            504 if begun else 503,
            ModelError(
                "The model did not answer in time." if begun else "The deadline passed before this image's turn came.",
                expected="an answer before the deadline",
                got="work that is still under way" if begun else f"{self._pool.taken:,} images that are served",
                hint="come again later, or start the server with a longer --deadline",
            ),
            retry=self._pool.retry,
        )
