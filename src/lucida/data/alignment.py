"""Lay one small picture onto another, and say how well the two agree: the same picture moved, turned, cut or edited.

Of each pair the second is moved by an affine map until it fits the first, coarse to fine: 16, 32, then 64 pixels a
side. The map, gain and offset are found by least squares whose weights forget what differs, such as written words or
filled corners. What fits is then compared block by block, so that equal outlines alone do not make equal pictures.

Source: S. Benhimane, E. Malis, "Real-time image-based tracking of planes using efficient second-order minimization"
(2004); robust weights as of P. Holland, R. Welsch, "Robust regression using iteratively reweighted least-squares"
(1977).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

SIDE: Final = 64

Floats = NDArray[np.float32]
Grey = NDArray[np.uint8]

# Side, steps, and the agreement below which a pair is given up: three of 1,600 edited pictures were, and of clothes
# that are merely alike 97 %, most of them before the slow steps.
_STAGES: Final = ((16, 0, 0.3), (16, 2, 0.5), (32, 0, 0.4), (32, 2, 0.5), (64, 0, 0.35), (64, 2, -1.0))
_AT_ONCE: Final = 64  # pairs; what is worked on stays in the cache
_BLOCK: Final = 8  # pixels of the side of a block
_CAUCHY: Final = 0.7  # residuals beyond so many deviations count for less than half
_FARTHEST: Final = 0.25  # a step moves by no more of half a side
_NOISE: Final = 0.2  # below this contrast of its detail a block is plain


@dataclass(frozen=True)
class Fit:
    """How m pairs fit.

    Attributes:
        maps: (m, 2, 3) float32, from places of the first picture to places of the second, both from -1 to 1.
        overlap: (m,) float32, share of the first picture that the second covers; 0 where a pair was given up.
        agreement: (m,) float32, of their detail; see `agree`.
        detail: (m,) float32, how much of it there is; see `agree`.
    """

    maps: Floats
    overlap: Floats
    agreement: Floats
    detail: Floats


def align(first: Grey, second: Grey) -> Fit:
    """Return how the second of each pair fits the first.

    Args:
        first: (m, 64, 64) uint8.
        second: (m, 64, 64) uint8, the pictures to be moved.
    """
    maps = np.tile(np.eye(2, 3, dtype=np.float32), (len(first), 1, 1))
    overlap, agreement, detail = np.zeros((3, len(first)), np.float32)
    for start in range(0, len(first), _AT_ONCE):
        rows = np.arange(start, min(start + _AT_ONCE, len(first)))
        one = other = np.zeros((0, 0, 0), np.float32)
        for side, steps, least in _STAGES:
            if one.shape[1] != side:
                one, other = _smooth(first[rows], side), _smooth(second[rows], side)
            found = _fit(one, other, maps[rows], steps)
            moved, covered = (part.reshape(one.shape) for part in _move(other, found))
            alike, amount = agree(one, moved, covered)
            maps[rows] = found
            going = (alike >= least) & plausible(found)
            rows, one, other = rows[going], one[going], other[going]
            alike, amount, covered = alike[going], amount[going], covered[going]
            if not len(rows):
                break
        else:
            overlap[rows], agreement[rows], detail[rows] = covered.mean(axis=(1, 2)), alike, amount
    return Fit(maps, overlap, agreement, detail)


def as_they_lie(first: Grey, second: Grey) -> tuple[Floats, Floats]:
    """Return how pairs agree without any move; see `agree`.

    Args:
        first: (m, 64, 64) uint8.
        second: (m, 64, 64) uint8.
    """
    agreement, detail = np.zeros((2, len(first)), np.float32)
    whole = np.ones((1, SIDE, SIDE), np.float32)
    for start in range(0, len(first), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        one = _smooth(first[part], SIDE)
        agreement[part], detail[part] = agree(one, _smooth(second[part], SIDE), np.broadcast_to(whole, one.shape))
    return agreement, detail


def plausible(maps: Floats) -> NDArray[np.bool_]:
    """Return which maps are edits people make: no larger, smaller or more distorted than a crop of a third."""
    sizes = np.linalg.svd(maps[:, :, :2], compute_uv=False)
    turned = np.abs(maps[:, 1, 0] - maps[:, 0, 1]) / 2
    largest, smallest = sizes[:, 0], sizes[:, 1]
    kept = (largest < 1.5) & (smallest > 0.67) & (largest < 1.3 * smallest) & (turned < 0.3)
    return np.asarray(kept & (np.linalg.det(maps[:, :, :2]) > 0))


def agree(first: Floats, second: Floats, covered: Floats) -> tuple[Floats, Floats]:
    """Return how the detail of pairs that lie on each other agrees, and how much of it there is, (m,) each.

    The first is the mean correlation of the blocks, -1 to 1, those of more contrast counting more; the second the
    number of blocks that counted. What is larger than a few pixels is left out, and steep edges count no more than
    faint folds: outlines of shirts are all alike.

    Args:
        first: (m, s, s) grey levels.
        second: (m, s, s) grey levels.
        covered: (m, s, s), 1 where both are, else 0.
    """
    # To the same contrast, so that neither is the plainer for its exposure.
    gain = np.asarray(_spread(first, covered) / np.maximum(_spread(second, covered), 1e-3), np.float32)
    one, other, there = _blocks(_detail(first)), _blocks(_detail(second * gain)), _blocks(covered)
    full = there.mean(axis=2) > 0.5
    weight = there / np.maximum(there.sum(axis=2, keepdims=True), 1e-6)
    one = one - (weight * one).sum(axis=2, keepdims=True)
    other = other - (weight * other).sum(axis=2, keepdims=True)
    power = (weight * one**2).sum(axis=2), (weight * other**2).sum(axis=2)
    alike = (weight * one * other).sum(axis=2) / np.sqrt(power[0] * power[1] + 1e-6)
    contrast = np.sqrt(np.maximum(*power))
    matters = full * (contrast > _NOISE) * contrast / (contrast + 0.1)
    amount = matters.sum(axis=1)
    return (alike * matters).sum(axis=1) / np.maximum(amount, 1e-6), amount


def _detail(pictures: Floats) -> Floats:
    return np.asarray(np.tanh(pictures - _binomial(_binomial(pictures))), np.float32)


def _blocks(pictures: Floats) -> Floats:
    count, side, _ = pictures.shape
    parts = side // _BLOCK
    cut = pictures.reshape(count, parts, _BLOCK, parts, _BLOCK).transpose(0, 1, 3, 2, 4)
    return cut.reshape(count, parts * parts, _BLOCK * _BLOCK)


def _spread(pictures: Floats, covered: Floats) -> Floats:
    flat, there = pictures.reshape(len(pictures), -1), covered.reshape(len(covered), -1)
    total = np.maximum(there.sum(axis=1), 1)
    mean = (flat * there).sum(axis=1) / total
    return np.asarray(np.sqrt(((flat - mean[:, None]) ** 2 * there).sum(axis=1) / total)[:, None, None])


def _smooth(pictures: Grey, side: int) -> Floats:
    """Return pictures of `side` pixels, smoothed by a binomial filter."""
    small = pictures.astype(np.float32)
    while small.shape[1] > side:
        wide = small[:, ::2] + small[:, 1::2]
        small = (wide[:, :, ::2] + wide[:, :, 1::2]) * np.float32(0.25)
    return _binomial(small)


def _binomial(pictures: Floats) -> Floats:
    wide = np.pad(pictures, ((0, 0), (1, 1), (1, 1)), "edge")
    wide = wide[:, :-2] + 2 * wide[:, 1:-1] + wide[:, 2:]
    return np.asarray((wide[:, :, :-2] + 2 * wide[:, :, 1:-1] + wide[:, :, 2:]) / 16)


@cache
def _places(side: int) -> Floats:
    """Return x, y and 1 of every pixel, (3, side * side), x and y from -1 to 1."""
    line = (np.arange(side, dtype=np.float32) + 0.5) / side * 2 - 1
    x, y = np.meshgrid(line, line)
    return np.stack([x.ravel(), y.ravel(), np.ones(side * side, np.float32)])


def _move(pictures: Floats, maps: Floats) -> tuple[Floats, Floats]:
    """Return moved pictures, (m, side * side), and 1 where they cover the place, else 0."""
    count, side, _ = pictures.shape
    at = (maps @ _places(side) + 1) * (side / 2) - 0.5
    covered = ((at >= 0) & (at <= side - 1)).all(axis=1)
    np.clip(at, 0, side - 1.001, out=at)
    whole = at.astype(np.int32)
    part = at - whole
    first = whole[:, 1] * side + whole[:, 0]
    flat = pictures.reshape(count, -1)

    def line(skip: int) -> Floats:
        left, right = (np.take_along_axis(flat, first + skip + k, axis=1) for k in (0, 1))
        return np.asarray(left + (right - left) * part[:, 0])

    upper = line(0)
    return upper + (line(side) - upper) * part[:, 1], covered.astype(np.float32)


def _fit(first: Floats, second: Floats, maps: Floats, steps: int) -> Floats:
    """Return maps that fit better: some steps of Gauss-Newton with the mean of both gradients."""
    count, side, _ = first.shape
    x, y, one = _places(side)
    steep = _gradients(first)
    flat = first.reshape(count, -1)
    for _ in range(steps):
        moved, weight = _move(second, maps)
        fixed, fixed_scale = _standard(flat, weight)
        moved, _ = _standard(moved, weight)
        rest = fixed - moved
        weight = weight / (1 + (rest / (_CAUCHY * _deviation(rest, weight) + 1e-3)) ** 2)
        across, down = (
            (a / fixed_scale + b) * (side / 4)
            for a, b in zip(steep, _gradients(moved.reshape(first.shape)), strict=True)
        )
        slopes = np.stack(
            [across * x, across * y, across, down * x, down * y, down, moved, np.broadcast_to(one, moved.shape)], axis=1
        )
        maps = maps @ _step(slopes, weight, rest)
    return maps


def _gradients(pictures: Floats) -> tuple[Floats, Floats]:
    """Return the slopes to the right and down, (m, side * side) each, a pixel."""
    down, across = np.gradient(pictures, axis=(1, 2))
    return across.reshape(len(pictures), -1), down.reshape(len(pictures), -1)


def _standard(values: Floats, weight: Floats) -> tuple[Floats, Floats]:
    total = weight.sum(axis=1, keepdims=True) + 1e-6
    values = values - (values * weight).sum(axis=1, keepdims=True) / total
    scale = np.sqrt((weight * values**2).sum(axis=1, keepdims=True) / total) + 1e-3
    return values / scale, scale


def _deviation(rest: Floats, weight: Floats) -> Floats:
    return np.asarray(np.sqrt((weight * rest**2).sum(axis=1, keepdims=True) / (weight.sum(axis=1, keepdims=True) + 1)))


def _step(slopes: Floats, weight: Floats, rest: Floats) -> Floats:
    """Return the least-squares step of each pair as a (3, 3) map."""
    weighted = slopes * weight[:, None]
    normal = weighted @ slopes.transpose(0, 2, 1)
    # A plain picture fixes no map: the ridge keeps it where it is.
    ridge = np.trace(normal, axis1=1, axis2=2) * 1.25e-4 + 1e-6
    normal += ridge[:, None, None] * np.eye(slopes.shape[1], dtype=np.float32)
    found = np.linalg.solve(normal, weighted @ rest[:, :, None])[:, :6, 0].reshape(-1, 2, 3)
    steps = np.tile(np.eye(3, dtype=np.float32), (len(rest), 1, 1))
    steps[:, :2] += np.clip(found, -_FARTHEST, _FARTHEST)
    return steps
