"""A picture as numbers without any learning: small thumbnails of grey and colour.

Far from what an encoder was trained on (digits, textures, microscopy) plain pixels often say more.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

GREY, COLOUR = 12, 4
DIMENSIONS = GREY * GREY + COLOUR * COLOUR * 3
LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def thumbnails(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return contrast-normalised grey and plain colour thumbnails as one vector an image.

    Args:
        images: float32 (n, height, width, 3), RGB in 0..1.

    Returns:
        float32 (n, 192): 12 x 12 grey with mean 0 and length 1, then 4 x 4 x 3 colours less mid-grey.
    """
    n = len(images)
    grey = shrink(images @ LUMA, GREY).reshape(n, -1)
    grey -= grey.mean(axis=1, keepdims=True)
    # A flat image has no contrast to normalise: the floor keeps its noise small.
    grey /= np.maximum(np.linalg.norm(grey, axis=1, keepdims=True), 0.02 * GREY)
    colours = [shrink(images[..., c], COLOUR).reshape(n, -1) for c in range(3)]
    return np.concatenate([grey, np.concatenate(colours, axis=1) - 0.5], axis=1).astype(np.float32)


def shrink(planes: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Average float32 (n, height, width) over areas, to (n, size, size)."""
    rows, columns = averaging(planes.shape[1], size), averaging(planes.shape[2], size)
    return np.asarray(rows @ planes @ columns.T, np.float32)


@cache
def averaging(source: int, target: int) -> NDArray[np.float32]:
    """Return the matrix (target, source) that averages over areas, also where they cut through a pixel."""
    edges = np.linspace(0, source, target + 1)
    left, right = edges[:-1, None], edges[1:, None]
    pixels = np.arange(source)[None, :]
    overlap = np.clip(np.minimum(right, pixels + 1) - np.maximum(left, pixels), 0, None)
    return np.asarray(overlap / overlap.sum(axis=1, keepdims=True), np.float32)
