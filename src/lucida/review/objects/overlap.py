"""How much boxes overlap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

OVERLAP: Final = 0.5  # intersection over union from which on two boxes are taken for one object


def overlaps(a: Sequence[Sequence[float]], b: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    """Compute intersection over union of boxes, float64 (len(a), len(b))."""
    one = np.asarray(a, np.float64).reshape(-1, 1, 4)
    other = np.asarray(b, np.float64).reshape(1, -1, 4)
    low, high = np.maximum(one[..., :2], other[..., :2]), np.minimum(one[..., 2:], other[..., 2:])
    common = np.clip(high - low, 0, None).prod(axis=2)
    sizes = [(boxes[..., 2:] - boxes[..., :2]).prod(axis=2) for boxes in (one, other)]
    return np.asarray(common / np.maximum(sizes[0] + sizes[1] - common, 1e-9), np.float64)
