"""Where the holes of a mask are: those near each other are one. Found on a coarse grid: large masks cost little."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Window = tuple[slice, slice]


class Holes:
    """The holes of a mask, numbered from 0; those that would see each other as surroundings are one.

    Args:
        mask: (height, width), true where is to be filled.
        halo: Pixels around a hole that are looked at.
    """

    def __init__(self, mask: NDArray[np.bool_], halo: int) -> None:
        self._mask, self._cell = mask, max(1, halo // 2)
        touched, covered = (self._cells(each) for each in (np.logical_or, np.logical_and))
        near = ndimage.maximum_filter(touched, 2 * -(-halo // self._cell) + 1)
        labels, _ = ndimage.label(near, np.ones((3, 3)))
        self._labels = np.where(touched, labels, 0)
        self._boxes = ndimage.find_objects(self._labels)
        inner = ndimage.distance_transform_cdt(np.pad(covered, 1), "chessboard")[1:-1, 1:-1]
        numbers = range(1, len(self._boxes) + 1)
        deepest = np.atleast_1d(ndimage.maximum(inner, self._labels, numbers)) if self._boxes else np.zeros(0)
        self._thick = [(2 * int(depth) + 1) * self._cell for depth in deepest]

    def _cells(self, each: np.ufunc) -> NDArray[np.bool_]:
        down, across = (np.arange(0, length, self._cell) for length in self._mask.shape)
        found: NDArray[np.bool_] = each.reduceat(each.reduceat(self._mask, down, axis=0), across, axis=1)
        return found

    def __len__(self) -> int:
        return len(self._boxes)

    def thickness(self, number: int) -> int:
        """Return about how many pixels of a hole lie between known ones, where it is thickest."""
        return self._thick[number]

    def own(self, number: int, window: Window) -> NDArray[np.bool_]:
        """Return which pixels of a window belong to a hole."""
        down, across = (np.arange(part.start, part.stop) // self._cell for part in window)
        cells = self._labels[down[0] : down[-1] + 1, across[0] : across[-1] + 1] == number + 1
        found: NDArray[np.bool_] = cells[down - down[0]][:, across - across[0]]
        found &= self._mask[window]
        return found

    def box(self, number: int) -> Window:
        """Return the smallest window that holds a hole."""
        rows, columns = (
            slice(part.start * self._cell, min(part.stop * self._cell, length))
            for part, length in zip(self._boxes[number], self._mask.shape, strict=True)
        )
        # Its ends lie in the outermost cells: only these are looked at.
        first, last = (
            np.flatnonzero(self.own(number, (edge, columns)).any(axis=1)) + edge.start for edge in self._ends(rows)
        )
        left, right = (
            np.flatnonzero(self.own(number, (rows, edge)).any(axis=0)) + edge.start for edge in self._ends(columns)
        )
        return slice(int(first[0]), int(last[-1]) + 1), slice(int(left[0]), int(right[-1]) + 1)

    def _ends(self, part: slice) -> tuple[slice, slice]:
        last = (part.stop - 1) // self._cell * self._cell
        return slice(part.start, min(part.start + self._cell, part.stop)), slice(last, part.stop)
