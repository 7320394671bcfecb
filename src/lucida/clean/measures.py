"""Figures of single images, and which of them are far from all others or out of every bound.

An image is found if a figure lies beyond its hard limit, whatever the others are like, or beyond its soft limit while
it is also an outlier among the images of this set: more than `OUTLIER` robust standard deviations from the median.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lucida.clean.finding import Kind
    from lucida.images import Image

    Floats = NDArray[np.float64]

SIDE: Final = 512  # pixels of the longer side at which brightness and sharpness are measured
OUTLIER: Final = 4.0
# A standard deviation is 1.4826 times the median distance from the median, for a normal distribution.
_ROBUST: Final = 1.4826


@dataclass(frozen=True)
class Measure:
    """One figure and its limits.

    Attributes:
        kind: What is wrong beyond them.
        low: Whether small figures are wrong, or large ones.
        hard: Limit beyond which it is wrong in any set.
        soft: Limit beyond which an outlier is wrong.
        worst: The worst there can be, where the score is 1.
        what: What the figure is, for the reason.
        digits: How it is written there.
        log: Whether distances are taken between logarithms.
        spread: The least standard deviation assumed: where all images are alike, a small step is no outlier.
    """

    kind: Kind
    low: bool
    hard: float
    soft: float
    worst: float
    what: str
    digits: str
    log: bool
    spread: float


# Measured on photos of clothes (3,409), small photos (25,000), blood cells (292), tiles (433) and photos at full size
# (80), some of them by a sample: blurring by 3 pixels puts nearly all photos of clothes beyond the hard limit of
# sharpness (98th percentile 0.058), and none of the unblurred ones that were looked at. Lowest of these: clothes 0.21,
# tiles 0.24, photos 0.19, microscope photos 0.08.
MEASURES: Final = (
    Measure("too dark", True, 30, 60, 0, "brightness of its bright parts, of 255", ".0f", False, 8),
    Measure("too bright", False, 210, 170, 255, "brightness of its dark parts, of 255", ".0f", False, 8),
    Measure("blurred", True, 0.06, 0.2, 0, "steepest edges, in shares of its contrast a pixel", ".2f", True, 0.15),
    Measure("nearly uniform", True, 4, 12, 0, "spread of its colours, of 255", ".1f", True, 0.15),
    Measure("tiny", True, 16, 64, 0, "pixels of its shorter side", ".0f", True, 0.15),
    Measure("odd shape", False, 5, 2.5, 100, "longer side by shorter side", ".1f", True, 0.1),
)


def measure(image: Image, size: tuple[int, int]) -> Floats:
    """Return the figures of one image, one for each of `MEASURES`, float64.

    Args:
        image: The decoded image, its longer side `SIDE` or more where the file has so many pixels.
        size: Width and height of the file.
    """
    from PIL import Image as Pillow

    picture = Pillow.fromarray(image.rgb8())
    picture.thumbnail((SIDE, SIDE), Pillow.Resampling.BOX)
    grey = np.asarray(picture.convert("L"), np.float32)
    dark, bright = np.percentile(grey, (5, 95))
    colours = float(np.asarray(picture, np.float32).reshape(-1, 3).std(axis=0).max())
    shorter, longer = min(size), max(size)
    return np.array([bright, dark, _sharpness(grey), colours, shorter, longer / max(shorter, 1)], np.float64)


def _sharpness(grey: NDArray[np.float32]) -> float:
    """Return the 99th percentile of the Laplacian as a share of the contrast; 1 for what has no inside or contrast.

    Source: the Laplacian as a measure of focus, Pech-Pacheco et al., ICPR 2000; taken relative to the contrast, so
    that a dim picture does not count as blurred.
    """
    low, high = np.percentile(grey, (1, 99))
    if min(grey.shape) < 8 or high - low < 8:
        return 1.0
    inner = 4 * grey[1:-1, 1:-1]
    edges = np.abs(grey[1:-1, :-2] + grey[1:-1, 2:] + grey[:-2, 1:-1] + grey[2:, 1:-1] - inner)
    return float(np.percentile(edges, 99) / (high - low))


def beyond(figures: Floats) -> list[tuple[int, Measure, float, str]]:
    """Return row, measure, score and reason of every figure that is out of bounds.

    Args:
        figures: float64 (n, len(MEASURES)); rows of NaN for images that could not be decoded.
    """
    found = []
    for column, one in enumerate(MEASURES):
        values = figures[:, column]
        there = np.isfinite(values)
        if not there.any():
            continue
        scale: Callable[[Floats], Floats] = (lambda v: np.log(np.maximum(v, 1e-6))) if one.log else (lambda v: v)
        usual = float(np.median(values[there]))
        centre = float(np.median(scale(values[there])))
        spread = max(one.spread, _ROBUST * float(np.median(np.abs(scale(values[there]) - centre))))
        away = (scale(values) - centre) / spread * (-1 if one.low else 1)
        hard = values < one.hard if one.low else values > one.hard
        soft = (values < one.soft if one.low else values > one.soft) & (away > OUTLIER)
        for row in np.flatnonzero(there & (hard | soft)).tolist():
            limit = one.hard if hard[row] else one.soft
            value, median, bound = (format(float(figure), one.digits) for figure in (values[row], usual, limit))
            reason = f"{one.what}: {value} (here usually {median}; limit {bound})"
            found.append((row, one, _score(one, float(values[row])), reason))
    return found


def _score(one: Measure, value: float) -> float:
    """Return 0.5 on the soft limit, 1 at the worst."""
    reach = (value - one.soft) / (one.worst - one.soft)
    return round(0.5 + 0.5 * min(1.0, max(0.0, reach)), 4)
