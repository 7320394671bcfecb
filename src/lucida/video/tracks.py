"""Tracks: which objects of one frame are those of the frames before.

Written here rather than taken from the package `trackers`, whose requirement of `opencv-python` overwrites the
`opencv-python-headless` that reading text brings. Source: Zhang et al., "ByteTrack: Multi-Object Tracking by
Associating Every Detection Box", ECCV 2022.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lucida.video.motion import RATE, Motion

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lucida.results import Detections

    Rows = NDArray[np.int64]

SURE: Final = 0.2  # overlap at which a sure object goes on a track
UNSURE: Final = 0.3  # and an unsure one
FRESH: Final = 0.2  # and a sure one, on a track that was seen once
OTHER: Final = 0.5  # what an overlap counts where the class is another: detectors waver between car and truck
KEPT: Final = 1.0  # seconds for which a track that is out of sight is waited for
KEPT_FRAMES: Final = 5.0  # but at least so many frames


class Tracker:
    """Numbers objects over the frames of a video, from 1.

    Sure objects are matched with all tracks first, by how much their boxes overlap with where the tracks should be by
    now; unsure ones go on tracks that are left, and else are dropped. A sure object without a track begins one.

    Args:
        sure: Probability from which an object is sure.
    """

    def __init__(self, sure: float = 0.5) -> None:
        self._sure = sure
        self._motion = Motion()
        self._numbers = np.zeros(0, np.int64)
        self._classes = np.zeros(0, np.int64)
        self._seen = np.zeros(0)  # when each was last seen
        self._times = np.zeros(0, np.int64)  # how often
        self._next = 1
        self._now: float | None = None
        self._steps: deque[float] = deque(maxlen=15)

    def update(self, found: Detections, time: float) -> Detections:
        """Return the objects of the next frame that are on a track, with its number, in their order.

        Args:
            found: All objects, unsure ones as well.
            time: Of the frame, in seconds.
        """
        self._motion.predict(self._pass(time))
        usual = float(np.median(self._steps)) if self._steps else 0.0
        self._keep(time - self._seen <= max(KEPT, KEPT_FRAMES * usual))
        track_of = np.full(len(found), -1, np.int64)  # row of the track of each object
        sure = np.flatnonzero(found.confidence >= self._sure)
        unsure = np.flatnonzero(found.confidence < self._sure)
        known = np.flatnonzero(self._times > 1)
        fresh = np.flatnonzero(self._times == 1)
        for tracks, objects, least in ((known, sure, SURE), (known, unsure, UNSURE), (fresh, sure, FRESH)):
            free = tracks[~np.isin(tracks, track_of)]
            self._match(found, free, objects[track_of[objects] < 0], least, track_of)
        on = np.flatnonzero(track_of >= 0)
        self._see(found, on, track_of[on], time)
        self._begin(found, sure[track_of[sure] < 0], track_of, time)
        chosen = np.flatnonzero(track_of >= 0)
        numbers = self._numbers[track_of[chosen]]
        # What was seen once and not again was nothing.
        self._keep((self._times > 1) | (self._seen == time))
        return replace(found.take(chosen), tracks=numbers)

    def _pass(self, time: float) -> float:
        """Return how much time has passed since the last frame, in units of the filter."""
        before, self._now = self._now, time
        if before is None or time <= before:
            return 1.0
        self._steps.append(time - before)
        return (time - before) * RATE

    def _match(self, found: Detections, tracks: Rows, objects: Rows, least: float, track_of: Rows) -> None:
        """Give objects to tracks so that they overlap the most in all."""
        from scipy.optimize import linear_sum_assignment

        if not len(tracks) or not len(objects):
            return
        overlap = overlaps(self._motion.boxes()[tracks], found.xyxy[objects])
        overlap[self._classes[tracks][:, None] != found.class_id[objects][None]] *= OTHER
        for row, column in zip(*linear_sum_assignment(overlap, maximize=True), strict=True):
            if overlap[row, column] >= least:
                track_of[objects[column]] = tracks[row]

    def _see(self, found: Detections, objects: Rows, tracks: Rows, time: float) -> None:
        self._motion.correct(tracks, found.xyxy[objects])
        self._seen[tracks] = time
        self._times[tracks] += 1

    def _begin(self, found: Detections, objects: Rows, track_of: Rows, time: float) -> None:
        count = len(objects)
        track_of[objects] = len(self._numbers) + np.arange(count)
        self._motion.add(found.xyxy[objects])
        self._numbers = np.append(self._numbers, self._next + np.arange(count))
        self._classes = np.append(self._classes, found.class_id[objects])
        self._seen = np.append(self._seen, np.full(count, time))
        self._times = np.append(self._times, np.ones(count, np.int64))
        self._next += count

    def _keep(self, kept: NDArray[np.bool_]) -> None:
        """Give up all other tracks."""
        if kept.all():
            return
        self._motion.keep(kept)
        self._numbers, self._classes = self._numbers[kept], self._classes[kept]
        self._seen, self._times = self._seen[kept], self._times[kept]


def overlaps(one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.float64]:
    """Return the share that boxes (n, 4) and (m, 4) have in common, float64 (n, m)."""
    a, b = one[:, None].astype(np.float64), other[None].astype(np.float64)
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    common = np.prod(np.maximum(sides, 0), axis=-1)
    areas = [np.prod(np.maximum(box[..., 2:] - box[..., :2], 0), axis=-1) for box in (a, b)]
    return np.asarray(common / np.maximum(areas[0] + areas[1] - common, 1e-9), np.float64)
