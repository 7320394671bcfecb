"""Which way the edges run, where: histograms of oriented gradients, shape without any learning."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

CELLS, BINS = 6, 8
DIMENSIONS = CELLS * CELLS * BINS
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def orientations(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the share of each direction among the edges of each cell, as one vector an image.

    Source: Dalal and Triggs 2005, Histograms of Oriented Gradients for Human Detection; square roots as in
    Arandjelovic and Zisserman 2012, Three Things Everyone Should Know to Improve Object Retrieval.

    Args:
        images: float32 (n, height, width, 3), RGB in 0..1.

    Returns:
        float32 (n, 288): 8 directions in each of 6 x 6 cells.
    """
    grey = images @ _LUMA
    across, down = np.zeros_like(grey), np.zeros_like(grey)
    across[:, :, 1:-1] = grey[:, :, 2:] - grey[:, :, :-2]
    down[:, 1:-1] = grey[:, 2:] - grey[:, :-2]
    strength = np.hypot(across, down)
    place = (np.arctan2(down, across) % np.pi) * (BINS / np.pi)
    lower = np.floor(place)
    above = place - lower
    lower = lower.astype(np.int8) % BINS
    rows, columns = _pooling(grey.shape[1]), _pooling(grey.shape[2]).T
    cells = np.empty((len(grey), BINS, CELLS, CELLS), np.float32)
    for direction in range(BINS):
        # An edge between two directions counts to both, the nearer the more.
        share = np.where(lower == direction, 1 - above, 0) + np.where((lower + 1) % BINS == direction, above, 0)
        cells[:, direction] = rows @ (strength * share) @ columns
    energy = (cells**2).sum(axis=1, keepdims=True)
    around = np.pad(energy, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    nearby = sum(around[:, :, i : i + CELLS, j : j + CELLS] for i in range(3) for j in range(3))
    return np.asarray(np.sqrt(cells / np.sqrt(nearby + 0.01)).reshape(len(grey), -1), np.float32)


def _pooling(source: int) -> NDArray[np.float32]:
    """Return weights (cells, source) that fall linearly from each cell's centre to the next."""
    width = source / CELLS
    centres = (np.arange(CELLS) + 0.5) * width
    distance = np.abs(centres[:, None] - (np.arange(source) + 0.5)[None, :])
    return np.clip(1 - distance / width, 0, None).astype(np.float32)
