"""Tracks: an object keeps its number while it moves, hides and crosses others."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from lucida.results import Detections
from lucida.video.motion import Motion
from lucida.video.tracks import Tracker, overlaps

CLASSES = ("car", "person")


def found(boxes: list[tuple[float, float, float, float]], sure: list[float] | None = None,
          kinds: list[int] | None = None) -> Detections:  # fmt: skip
    """Return objects of one frame."""
    count = len(boxes)
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(sure or [0.9] * count, np.float32),
        np.array(kinds or [0] * count, np.int64),
        CLASSES,
    )


def square(x: float, y: float, side: float = 20) -> tuple[float, float, float, float]:
    """Return the box of a square by its left top corner."""
    return (x, y, x + side, y + side)


def numbers(result: Detections) -> list[int]:
    """Return the numbers of tracks."""
    assert result.tracks is not None
    return [int(number) for number in result.tracks]


def crossing() -> Iterator[tuple[float, Detections]]:
    """Yield two squares that pass one before the other; the one behind is not seen meanwhile."""
    for k in range(60):
        first, second = square(10 + 3 * k, 40), square(190 - 3 * k, 44)
        hidden = abs(first[0] - second[0]) < 16
        yield k / 30, found([first] if hidden else [first, second])


def test_two_that_cross_keep_their_numbers() -> None:
    tracker = Tracker()
    seen = [tracker.update(objects, time) for time, objects in crossing()]
    assert numbers(seen[0]) == [1, 2]
    assert numbers(seen[-1]) == [1, 2]
    assert {number for one in seen for number in numbers(one)} == {1, 2}


def test_one_that_hides_for_a_while_is_known_again() -> None:
    tracker = Tracker()
    last: list[int] = []
    for k in range(60):
        objects = [] if 25 <= k < 40 else [square(10 + 4 * k, 30)]
        last = numbers(tracker.update(found(objects), k / 30))
    assert last == [1]
    # After more than a second it is another one, as far as anybody can tell.
    assert numbers(tracker.update(found([square(10 + 4 * 95, 30)]), 95 / 30)) == [2]


def test_unsure_objects_go_on_tracks_but_begin_none() -> None:
    tracker = Tracker(sure=0.5)
    for k in range(5):
        tracker.update(found([square(10 + k, 30)]), k / 30)
    result = tracker.update(found([square(15, 30), square(100, 30)], sure=[0.2, 0.3]), 5 / 30)
    assert numbers(result) == [1]
    assert result.confidence.tolist() == pytest.approx([0.2])


def test_objects_of_another_class_lose_against_those_of_the_same() -> None:
    tracker = Tracker()
    for k in range(5):
        tracker.update(found([square(10, 10), square(14, 14)], kinds=[0, 1]), k / 30)
    result = tracker.update(found([square(13, 13), square(11, 11)], kinds=[0, 1]), 5 / 30)
    assert numbers(result) == [1, 2]


def test_frames_that_were_dropped_do_not_break_a_track() -> None:
    tracker = Tracker()
    result = found([])
    for k in [*range(12), 18, 19, 25, 26, 27]:
        result = tracker.update(found([square(10 + 4 * k, 30)]), k / 30)
    assert numbers(result) == [1]


def test_slow_sampling_waits_for_a_few_frames() -> None:
    tracker = Tracker()
    for k in range(4):
        tracker.update(found([square(10, 30)]), k * 2.0)
    tracker.update(found([]), 8.0)
    assert numbers(tracker.update(found([square(11, 30)]), 10.0)) == [1]


def test_what_comes_back_are_the_objects_themselves_in_their_order() -> None:
    tracker = Tracker()
    boxes = [square(100, 10), square(10, 10), square(50, 60)]
    tracker.update(found(boxes), 0)
    result = tracker.update(found(boxes[::-1], sure=[0.6, 0.7, 0.8], kinds=[0, 1, 0]), 1 / 30)
    assert numbers(result) == [3, 2, 1]
    assert result.xyxy.tolist() == [list(box) for box in boxes[::-1]]
    assert [item.detail["track"] for item in result.items()[1:]] == [3, 2, 1]
    assert numbers(tracker.update(found([]), 2 / 30)) == []


@pytest.mark.parametrize("seed", range(5))
def test_numbers_are_unique_in_a_frame_and_few_tracks_wait(seed: int) -> None:
    random, tracker = np.random.default_rng(seed), Tracker()
    for k in range(200):
        count = int(random.integers(0, 12))
        corners = random.uniform(0, 300, (count, 2))
        boxes = [square(x, y, side=float(random.uniform(1, 60))) for x, y in corners.tolist()]
        result = tracker.update(found(boxes, sure=random.uniform(0, 1, count).tolist()), k / 30)
        assert len(set(numbers(result))) == len(numbers(result))
        assert np.isfinite(tracker._motion.boxes()).all()
    assert len(tracker._numbers) < 31 * 12


def test_the_filter_is_the_one_of_eight_dimensions() -> None:
    """Against the textbook form: one state of place and speed, with full matrices."""
    random = np.random.default_rng(0)
    motion = Motion()
    boxes = np.array([[10.0, 20, 50, 90]])
    motion.add(boxes)

    def centred(box: np.ndarray) -> np.ndarray:
        return np.array([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2, box[2] - box[0], box[3] - box[1]])

    def size(state: np.ndarray) -> np.ndarray:
        return np.array([state[2], state[3], state[2], state[3]])

    state = np.concatenate([centred(boxes[0]), np.zeros(4)])
    spread = np.diag(np.concatenate([(2 / 20 * size(state)) ** 2, (10 / 160 * size(state)) ** 2]))
    move, look = np.eye(8) + np.eye(8, k=4), np.eye(4, 8)
    for _ in range(20):
        motion.predict(1.0)
        noise = np.diag(np.concatenate([(size(state) / 20) ** 2, (size(state) / 160) ** 2]))
        state, spread = move @ state, move @ spread @ move.T + noise
        boxes = boxes + 2 + random.normal(0, 1, 4)
        motion.correct(np.array([0]), boxes)
        gain = spread @ look.T @ np.linalg.inv(look @ spread @ look.T + np.diag((size(state) / 20) ** 2))
        state = state + gain @ (centred(boxes[0]) - look @ state)
        spread = (np.eye(8) - gain @ look) @ spread
        assert centred(motion.boxes()[0]) == pytest.approx(state[:4], abs=1e-9)


def test_overlap_is_the_share_in_common() -> None:
    table = overlaps(
        np.array([[0, 0, 10, 10]]), np.array([[0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30], [3, 3, 3, 3]])
    )
    assert table.tolist() == [pytest.approx([1, 1 / 3, 0, 0])]
