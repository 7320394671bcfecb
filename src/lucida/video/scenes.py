"""Where a new scene begins, told from small pictures as they come."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lucida.video.frame import Frame

    Pixels = NDArray[np.uint8]

CUT: Final = 20.0  # mean difference from the frame before, of 255, that may be a cut
JUMP: Final = 3.0  # and so many times the usual difference: a camera that moves fast is no cut
DRIFT: Final = 0.5  # share of pixels that changed their colour since the frame last taken: a fade, or a long pan
STILL: Final = 4.0  # mean difference from the frame before, of 255, below which a fade has come to its end
SHORTEST: Final = 0.5  # seconds between two frames that are taken
FLASH: Final = 0.06  # seconds after which a flash is over


class SceneDetector:
    """Says of each frame, in order, whether it is to stand for a new scene.

    A cut is a frame quite unlike the one before, where frames usually differ less. It is believed only if the frames
    after it are unlike the one before it as well: a flash is not. So the frame that stands for a scene is its second or
    third. A fade or a long pan changes nothing at once; it is noticed by colours quite unlike those of the frame
    that stands for the scene.
    """

    def __init__(self) -> None:
        self._before: Pixels | None = None
        self._taken = np.zeros(0)
        self._taken_at = 0.0
        self._usual: deque[float] = deque(maxlen=12)
        # The frame before a change that may be a cut, and when that was.
        self._doubt: tuple[Pixels, float] | None = None

    def begins(self, frame: Frame) -> bool:
        """Return whether a frame is the one that stands for a new scene; the very first is."""
        small = frame.small()
        before, self._before = self._before, small
        if before is None:
            return self._take(small, frame.time)
        change = difference(small, before)
        if self._doubt is not None:
            old, since = self._doubt
            if difference(small, old) < CUT:
                self._doubt = None
            elif frame.time - since >= FLASH:
                self._doubt = None
                return self._take(small, frame.time)
            return False
        usual = float(np.median(self._usual)) if self._usual else 0.0
        if change > CUT and change > JUMP * usual and frame.time - self._taken_at >= SHORTEST:
            self._doubt = (before, frame.time)
            return False
        self._usual.append(change)
        drifted = change < STILL and frame.time - self._taken_at >= SHORTEST and self._drift(small) > DRIFT
        return drifted and self._take(small, frame.time)

    def _drift(self, small: Pixels) -> float:
        return float(np.abs(colours(small) - self._taken).sum() / 2)

    def _take(self, small: Pixels, time: float) -> bool:
        self._taken, self._taken_at = colours(small), time
        self._usual.clear()
        return True


def difference(one: Pixels, other: Pixels) -> float:
    """Return the mean difference of two small pictures, 0 to 255."""
    return float(np.abs(one.astype(np.int16) - other).mean())


def colours(small: Pixels) -> NDArray[np.float64]:
    """Return the share of pixels of each of 64 colours, float64 (64,); sums to 1."""
    parts = (small >> 6).astype(np.int64).reshape(-1, 3)
    counts = np.bincount(parts @ np.array([16, 4, 1]), minlength=64)
    return np.asarray(counts / counts.sum(), np.float64)
