"""Near-identical images: burst frames, other sizes, qualities, colours, cuts and turns of one picture, or its mirror.

Whatever finds a pair, it counts only if the two pictures, laid onto each other, agree in their detail; what is merely
alike, such as two shirts on one bed, does not. Groups are what the pairs connect. All work goes block by block.

    looks = Looks.empty(len(images))
    for i, image in enumerate(images):
        looks.put(i, image)
    numbers = group(looks)            # near-identical images share a number
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from lucida.data.alignment import align, as_they_lie
from lucida.data.groups import NONE, Groups
from lucida.data.looks import Looks, mirrored
from lucida.data.neighbours import near_hashes, nearest

Floats = NDArray[np.float32]
Pairs = NDArray[np.int64]

# Chosen on 200 photos with their edits, 10,500 small photos and 1,909 of clothing: of those that are not the same
# picture no two agreed by more than .54; benchmarks/README.md says how others fare.
AGREEMENT: Final = 0.62
DISTANCE: Final = 10  # bits of the perceptual hash
# Of edited photos all were among the four nearest, with a cosine of .66 or more.
NEIGHBOURS: Final = 4
LAYOUT: Final = 0.64
EMBEDDING: Final = 0.8
ROUNDS: Final = 3
# Where there is no detail to compare, as on plain paper, the colours must agree.
PLAIN: Final = 3.0
COLOURS: Final = 2.0

_SAID: Final = 2.0  # surer than any agreement
_SLICE: Final = 4096


def group(looks: Looks, *, vectors: Floats | None = None, same: Pairs = NONE, different: Pairs = NONE) -> list[int]:
    """Return the group of each image: near-identical images share a number.

    Groups are numbered in the order of their first image.

    Args:
        looks: What the n images look like.
        vectors: (n, d) float32 embeddings, which find further candidates; None without them. A row of zeros stands
            for an image without one.
        same: (m, 2) images that people called the same picture.
        different: (m, 2) images that people called different pictures; they never share a group.
    """
    groups = Groups(len(looks.seen))
    groups.join(same, np.full(len(same), _SAID, np.float32))
    for pairs in near_hashes(looks.hashes, distance=DISTANCE):
        _as_they_lie(groups, looks, _few(pairs[looks.seen[pairs].all(axis=1)]))
    tried: set[tuple[int, int, bool]] = set()
    for _ in range(ROUNDS):
        # One of each group: what is like it is in its group already.
        rows = groups.first()
        rows = rows[looks.seen[rows]]
        # All of them, not the first that joins something.
        joined = [_aligned(groups, looks, pairs, mirror, tried) for pairs, mirror in _candidates(looks, vectors, rows)]
        if not any(joined):
            break
    return groups.numbers(different)


def _candidates(looks: Looks, vectors: Floats | None, rows: NDArray[np.int64]) -> list[tuple[Pairs, bool]]:
    layouts = looks.layouts(rows)
    found = [rows[nearest(layouts, count=NEIGHBOURS, similarity=LAYOUT)]]
    if vectors is not None:
        found.append(rows[nearest(vectors[rows], count=NEIGHBOURS, similarity=EMBEDDING)])
    inside = rows[nearest(layouts, mirrored(layouts), count=NEIGHBOURS, similarity=LAYOUT)]
    return [(np.unique(np.concatenate(found), axis=0), False), (inside, True)]


def _few(pairs: Pairs) -> Pairs:
    """Return at most four pairs of each first image: a series is joined by its chain, not by every pair."""
    pairs = pairs[np.argsort(pairs[:, 0], kind="stable")]
    place = np.arange(len(pairs)) - np.searchsorted(pairs[:, 0], pairs[:, 0])
    return pairs[place < NEIGHBOURS]


def _as_they_lie(groups: Groups, looks: Looks, pairs: Pairs) -> None:
    for start in range(0, len(pairs), _SLICE):
        rows = groups.new(pairs[start : start + _SLICE])
        agreement, detail = as_they_lie(looks.greys[rows[:, 0]], looks.greys[rows[:, 1]])
        agreement = _or_colours(looks, rows, agreement, detail, mirror=False)
        groups.join(rows[agreement >= AGREEMENT], agreement[agreement >= AGREEMENT])


def _aligned(groups: Groups, looks: Looks, pairs: Pairs, mirror: bool, tried: set[tuple[int, int, bool]]) -> bool:
    """Join the pairs that agree after they were aligned; return whether there were any."""
    keys = [(one, other, mirror) for one, other in pairs.tolist()]
    pairs = pairs[[key not in tried for key in keys]] if keys else pairs
    tried.update(keys)
    joined = False
    for start in range(0, len(pairs), _SLICE):
        rows = groups.new(pairs[start : start + _SLICE])
        fit = align(looks.greys[rows[:, 0]], looks.greys[rows[:, 1]][:, :, :: -1 if mirror else 1])
        agreement = _or_colours(looks, rows, fit.agreement, fit.detail, mirror=mirror)
        kept = (agreement >= AGREEMENT) & (fit.overlap > 0)
        groups.join(rows[kept], agreement[kept])
        joined |= bool(kept.any())
    return joined


def _or_colours(looks: Looks, rows: Pairs, agreement: Floats, detail: Floats, *, mirror: bool) -> Floats:
    plain = detail < PLAIN
    alike = looks.colours_apart(rows[plain], mirror=mirror) < COLOURS
    result = agreement.copy()
    result[plain] = alike
    return result
