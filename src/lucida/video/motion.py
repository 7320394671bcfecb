"""Where boxes should be by now: a Kalman filter of constant velocity for all tracks at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Values = NDArray[np.float64]

RATE: Final = 30.0  # steps a second: what the noise was chosen for
PLACE: Final = 1 / 20  # how far a box jumps in a step beside its motion, and how far it is mismeasured, by its size
SPEED: Final = 1 / 160  # how much its motion changes in a step, by its size


class Motion:
    """Filters the centre and the size of boxes.

    Noise is independent for the four values and each is seen directly, so the filter of eight dimensions is four of
    two: a value and its velocity. Source: Aharon et al., "BoT-SORT", 2022, section 3.1, for the noise.

    Attributes:
        missed: Steps since each was last seen, float64 (n,).
    """

    def __init__(self) -> None:
        self.missed: Values = np.zeros(0)
        self._value = np.zeros((0, 4))  # centre across and down, width, height
        self._speed = np.zeros((0, 4))
        # Variances of both, and their covariance.
        self._vv, self._vs, self._ss = np.zeros((0, 4)), np.zeros((0, 4)), np.zeros((0, 4))

    def boxes(self) -> Values:
        """Return left, top, right, bottom of each, float64 (n, 4)."""
        half = np.maximum(self._value[:, 2:], 1) / 2
        return np.concatenate([self._value[:, :2] - half, self._value[:, :2] + half], axis=1)

    def predict(self, step: float) -> None:
        """Move on.

        Args:
            step: How many have passed; more than one where frames were left out.
        """
        # A box that is out of sight must not go on growing or shrinking.
        self._speed[self.missed > 0, 2:] = 0
        size = self._sizes(self._value)
        self._value = self._value + step * self._speed
        self._vv = self._vv + 2 * step * self._vs + step**2 * self._ss + step * (PLACE * size) ** 2
        self._vs = self._vs + step * self._ss
        self._ss = self._ss + step * (SPEED * size) ** 2
        self.missed = self.missed + step

    def correct(self, rows: NDArray[np.int64], boxes: NDArray[Any]) -> None:
        """Take in where some were seen.

        Args:
            rows: Which.
            boxes: Left, top, right, bottom of each, (len(rows), 4).
        """
        seen = _centred(boxes)
        noise = (PLACE * self._sizes(self._value[rows])) ** 2
        vv, vs = self._vv[rows], self._vs[rows]
        gain, gain_speed = vv / (vv + noise), vs / (vv + noise)
        wrong = seen - self._value[rows]
        self._value[rows] += gain * wrong
        self._speed[rows] += gain_speed * wrong
        self._ss[rows] -= gain_speed * vs
        self._vs[rows] = (1 - gain) * vs
        self._vv[rows] = (1 - gain) * vv
        self.missed[rows] = 0

    def add(self, boxes: NDArray[Any]) -> None:
        """Begin new ones, which stand still as far as anybody knows."""
        value = _centred(boxes)
        size = self._sizes(value)
        self._value = np.concatenate([self._value, value])
        self._speed = np.concatenate([self._speed, np.zeros_like(value)])
        self._vv = np.concatenate([self._vv, (2 * PLACE * size) ** 2])
        self._vs = np.concatenate([self._vs, np.zeros_like(value)])
        self._ss = np.concatenate([self._ss, (10 * SPEED * size) ** 2])
        self.missed = np.concatenate([self.missed, np.zeros(len(value))])

    def keep(self, rows: NDArray[np.bool_]) -> None:
        """Leave out all others."""
        self._value, self._speed, self.missed = self._value[rows], self._speed[rows], self.missed[rows]
        self._vv, self._vs, self._ss = self._vv[rows], self._vs[rows], self._ss[rows]

    @staticmethod
    def _sizes(value: Values) -> Values:
        """Return what noise is measured by: the width for what lies across, the height for what lies down."""
        return np.maximum(value[:, [2, 3, 2, 3]], 1)


def _centred(boxes: NDArray[Any]) -> Values:
    low, high = boxes[:, :2].astype(np.float64), boxes[:, 2:].astype(np.float64)
    return np.concatenate([(low + high) / 2, high - low], axis=1)
