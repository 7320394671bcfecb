"""Streams: what dies is opened again, gaps and delays are told, and the newest frame is the one that is seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from lucida.errors import InputError
from lucida.video import Frame, Live, Sampling, Waits
from lucida.video.live import Newest
from lucida.video.reconnecting import Reconnecting
from videos import frame


class Clock:
    """A clock that stands still until somebody waits."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> bool:
        self.slept.append(seconds)
        self.now += seconds
        return False


class Stream:
    """One life of a stream: frames with their time stamps, each after so many seconds."""

    def __init__(self, clock: Clock, stamps: list[tuple[float, float]], problem: str = "the network is gone") -> None:
        self._clock, self._stamps, self.problem = clock, stamps, problem
        self.hurried: list[int] = []
        self.closed = False

    def __iter__(self) -> Iterator[Frame]:
        for stamp, wait in self._stamps:
            self._clock.now += wait
            yield frame(stamp)

    def hurry(self, how: int) -> None:
        self.hurried.append(how)

    def close(self) -> None:
        self.closed = True


def opener(lives: list[Stream | None]) -> Callable[[], Stream]:
    """Return what opens one life after the other, and fails where there is none, and after the last."""
    waiting = iter(lives)

    def open_() -> Stream:
        found = next(waiting, None)
        if found is None:
            raise InputError("door cannot be opened.", got="connection refused")
        return found

    return open_


def test_a_stream_that_dies_is_opened_again_and_the_gap_is_told() -> None:
    clock = Clock()
    lives = [Stream(clock, [(5.0, 0.1), (5.1, 0.1), (5.2, 0.1)]), None, None, Stream(clock, [(0.0, 0.2), (0.1, 0.1)])]
    frames = Reconnecting(opener(lives), Waits(attempts=3, first=0.5), clock, clock.sleep)
    found = list(frames)
    # Its own time begins with its first frame, and goes on over the gap, whatever the time stamps of the new life.
    assert [one.time for one in found] == pytest.approx([0, 0.1, 0.2, 0.2 + 3.7, 0.2 + 3.8])
    assert [one.gap for one in found] == pytest.approx([0, 0, 0, 0.5 + 1 + 2 + 0.2, 0])
    assert [one.number for one in found] == [0, 1, 2, 3, 4]
    assert clock.slept == [0.5, 1, 2, 0.5, 1, 2]
    assert "given up after 3 attempts" in frames.problem
    assert "connection refused" in frames.problem
    assert all(life.closed for life in lives if life)


def test_a_stream_that_opens_and_shows_nothing_is_given_up_as_well() -> None:
    clock = Clock()
    lives: list[Stream | None] = [Stream(clock, [(0, 0)]), *(Stream(clock, [], "no key frame") for _ in range(9))]
    frames = Reconnecting(opener(lives), Waits(attempts=4, first=1, longest=3), clock, clock.sleep)
    assert len(list(frames)) == 1
    assert clock.slept == [1, 2, 3, 3]
    assert "no key frame" in frames.problem


def test_a_wrong_address_is_told_at_once() -> None:
    clock = Clock()
    with pytest.raises(InputError, match="cannot be opened"):
        list(Reconnecting(opener([None]), Waits(), clock, clock.sleep))
    assert clock.slept == []
    with Live(opener([None]), Sampling()) as live, pytest.raises(InputError, match="cannot be opened"):
        list(live)


def test_what_is_asked_to_end_is_not_opened_again() -> None:
    clock = Clock()
    frames = Reconnecting(opener([Stream(clock, [(0, 0)]), Stream(clock, [(0, 0)])]), Waits(), clock, lambda _: True)
    assert len(list(frames)) == 1
    assert frames.problem == ""


def test_a_reader_that_falls_behind_decodes_less_until_it_has_caught_up() -> None:
    clock = Clock()
    # Frames of ten a second that take 0.3 seconds each, and then hardly any.
    late = [(k / 10, 0.3 if k < 12 else 0.01) for k in range(60)]
    stream = Stream(clock, late)
    found = list(Reconnecting(opener([stream]), Waits(attempts=0), clock, clock.sleep))
    assert stream.hurried == [1, 0]
    assert found[10].behind == pytest.approx(2.0, abs=0.05)
    assert found[-1].behind < 0.1
    later = Stream(clock, [(k / 10, 0.3 if k < 30 else 0.01) for k in range(120)])
    list(Reconnecting(opener([later]), Waits(attempts=0), clock, clock.sleep))
    assert later.hurried == [1, 2, 0]


def test_a_camera_whose_clock_is_slow_is_not_late() -> None:
    clock = Clock()
    stream = Stream(clock, [(k * 10.0, 10.005) for k in range(2000)])
    found = list(Reconnecting(opener([stream]), Waits(attempts=0), clock, clock.sleep))
    assert stream.hurried == []
    assert max(one.behind for one in found) < 0.1


def test_only_the_newest_frame_is_kept() -> None:
    newest = Newest()
    for number in range(5):
        newest.put(frame(number / 10, number=number))
    found = newest.take()
    assert found is not None
    assert (found.number, found.dropped) == (4, 4)
    newest.put(frame(0.5, number=5))
    found = newest.take()
    assert found is not None
    assert (found.number, found.dropped) == (5, 0)
    # A gap is not forgotten with the frame that it stood before.
    late = frame(0.6)
    late.gap = 3.0
    newest.put(late)
    newest.put(frame(0.7))
    newest.end()
    found = newest.take()
    assert found is not None
    assert (found.gap, found.dropped) == (3.0, 1)
    assert newest.take() is None


def test_frames_that_nobody_asked_for_are_not_counted_as_dropped() -> None:
    clock = Clock()
    stream = Stream(clock, [(k / 10, 0.1) for k in range(100)])
    with Live(opener([stream]), Sampling("rate", 1), Waits(attempts=0), clock) as live:
        found = list(live)
    assert sum(1 + one.dropped for one in found) == 10


def test_the_delay_is_the_time_since_a_frame_came_and_how_late_it_came() -> None:
    clock = Clock()
    live = Live(opener([]), Sampling(), clock=clock)
    one = Frame(0, 0, np.zeros((2, 2, 3), np.uint8))
    one.arrived, one.behind = clock.now - 0.25, 0.5
    assert live.delay(one) == pytest.approx(0.75)


def test_what_goes_wrong_in_the_reader_is_raised_where_frames_are_taken() -> None:
    class Broken(Stream):
        def __iter__(self) -> Iterator[Frame]:
            yield from super().__iter__()
            raise RuntimeError("a decoder gave up")

    clock = Clock()
    broken = Broken(clock, [(0, 0)])
    with Live(opener([broken]), Sampling()) as live, pytest.raises(RuntimeError, match="gave up"):
        list(live)
    assert broken.closed
