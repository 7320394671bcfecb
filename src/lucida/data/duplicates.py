"""Near-identical images: burst frames, other sizes, other qualities of one picture, or its mirror image.

Candidates are pairs whose perceptual hashes nearly agree, or whose embeddings point the same way; a pair counts only
if the two pictures also agree at 16 x 16 pixels, since on a plain background either sign alone connects what is
merely alike. Groups are what the pairs connect. All work goes block by block, so memory stays bounded.

    looks = Looks.empty(len(images))
    for i, image in enumerate(images):
        looks.put(i, image)
    numbers = group(looks)            # near-identical images share a number
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from lucida.images import Image

# Measured on clothing photos, tiles and small photos, with the embedded encoder of November 2026: other qualities and
# sizes and 1 % crops are all found; of 3 % crops 63 %, with embeddings 99 %; of pictures that differ by a crop, a turn
# of one degree and the light, as in a burst, 44 %, with embeddings 87 %. On 3,008 photos of clothes no group
# was larger than a series on one background.
DISTANCE = 10
AGREEMENT = 0.95
SIMILARITY = 0.97
# Where the embeddings agree already, the thumbs may differ by what a moved camera makes.
AGREEMENT_WITH_EMBEDDING = 0.9

_SIDE = 16
_FLAT = 2.0  # grey levels; below this there is no picture to correlate

Floats = NDArray[np.float32]
Hashes = NDArray[np.uint64]
Pairs = NDArray[np.int64]


def perceptual_hash(grey: NDArray[np.uint8]) -> int:
    """Return the 64-bit perceptual hash of a (32, 32) grey picture.

    One bit says whether a low-frequency coefficient of the cosine transform is above their median.

    Source: C. Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions" (2010).
    """
    low = _COSINES @ grey.astype(np.float64) @ _COSINES.T
    return int(np.packbits(low.ravel() > np.median(low)).view(">u8")[0])


_COSINES = np.cos(np.pi * np.outer(np.arange(8), 2 * np.arange(32) + 1) / 64)


@dataclass(frozen=True)
class Looks:
    """What images look like, small: enough to tell near-identical ones.

    Attributes:
        hashes: (n,) uint64, perceptual hashes.
        mirrored: (n,) uint64, those of the mirror images.
        thumbs: (n, 16, 16, 3) uint8, sRGB.
        seen: (n,) bool; an image that could not be decoded is near to nothing.
    """

    hashes: Hashes
    mirrored: Hashes
    thumbs: NDArray[np.uint8]
    seen: NDArray[np.bool_]

    @classmethod
    def empty(cls, count: int) -> Looks:
        """Make room for `count` images; about 800 bytes each."""
        return cls(
            np.zeros(count, np.uint64),
            np.zeros(count, np.uint64),
            np.zeros((count, _SIDE, _SIDE, 3), np.uint8),
            np.zeros(count, np.bool_),
        )

    def put(self, row: int, image: Image) -> None:
        """Note what one image looks like; safe from several threads."""
        from PIL import Image as Pillow

        picture = Pillow.fromarray(image.rgb8())
        grey = np.asarray(picture.convert("L").resize((32, 32), Pillow.Resampling.BOX))
        self.hashes[row] = perceptual_hash(grey)
        self.mirrored[row] = perceptual_hash(grey[:, ::-1])
        self.thumbs[row] = np.asarray(picture.resize((_SIDE, _SIDE), Pillow.Resampling.BOX))
        self.seen[row] = True

    def agree(self, pairs: Pairs, agreement: float, *, mirror: bool = False) -> NDArray[np.bool_]:
        """Return which pairs, (m, 2), show the same picture: correlation of the thumbs >= `agreement`.

        Where one has no contrast, the colours must agree. With `mirror`, the second of each pair is looked at in a
        mirror.
        """
        result = np.zeros(len(pairs), np.bool_)
        for start in range(0, len(pairs), 8192):
            rows = pairs[start : start + 8192]
            thumbs = self.thumbs[rows[:, 0]], self.thumbs[rows[:, 1]][:, :, :: -1 if mirror else 1]
            left, right = (one.reshape(len(rows), -1).astype(np.float32) for one in thumbs)
            gap = np.abs(left - right).mean(axis=1)
            left, right = left - left.mean(axis=1, keepdims=True), right - right.mean(axis=1, keepdims=True)
            lengths = np.linalg.norm(left, axis=1), np.linalg.norm(right, axis=1)
            same = np.einsum("ij,ij->i", left, right) >= agreement * lengths[0] * lengths[1]
            flat = np.minimum(*lengths) < _FLAT * left.shape[1] ** 0.5
            result[start : start + len(rows)] = np.where(flat, gap < _FLAT, same)
        return result & self.seen[pairs].all(axis=1)


def group(looks: Looks, *, vectors: Floats | None = None) -> list[int]:
    """Return the group of each image: near-identical images share a number.

    Groups are numbered in the order of their first image.

    Args:
        looks: What the n images look like.
        vectors: (n, d) float32 embeddings, which find further candidates; None without them. A row of zeros stands
            for an image without one.
    """
    groups = _Groups(len(looks.seen))
    for pairs in near_hashes(looks.hashes):
        groups.add(looks, pairs, AGREEMENT)
    # One of each group by now: what is like it is in its group already.
    first = groups.first()
    for pairs in near_mirrored(looks.hashes[first], looks.mirrored[first]):
        groups.add(looks, first[pairs], AGREEMENT, mirror=True)
    if vectors is not None:
        for pairs in near_vectors(vectors):
            groups.add(looks, pairs, AGREEMENT_WITH_EMBEDDING)
    return groups.numbers()


def near_hashes(hashes: Hashes, *, distance: int = DISTANCE) -> Iterator[Pairs]:
    """Yield pairs of rows whose hashes differ in at most `distance` bits, as (m, 2) int64 with first < second.

    Of `distance` + 1 bands, two such hashes share at least one (the pigeonhole principle). A pair may come more
    than once.

    Args:
        hashes: (n,) uint64.
        distance: Bits in which near-identical images may differ, 0 to 15.
    """
    edges = np.linspace(0, 64, distance + 2).astype(np.int64)
    for low, high in itertools.pairwise(edges.tolist()):
        mask = np.uint64((1 << (high - low)) - 1)
        for rows in _equal((hashes >> np.uint64(low)) & mask):
            for start in range(0, len(rows), 1024):
                block = hashes[rows[start : start + 1024], None]
                left, right = np.nonzero(np.bitwise_count(block ^ hashes[rows[start:]]) <= distance)
                yield _upper(rows[left + start], rows[right + start])


def near_mirrored(hashes: Hashes, mirrored: Hashes, *, distance: int = DISTANCE) -> Iterator[Pairs]:
    """Yield pairs of rows of which one's hash nearly agrees with that of the other's mirror image, as `near_hashes`."""
    count = len(hashes)
    for pairs in near_hashes(np.concatenate([hashes, mirrored]), distance=distance):
        across = pairs[(pairs[:, 0] < count) & (pairs[:, 1] >= count)]
        # That A is like B in the mirror and B like A is the same pair.
        yield _upper(across[:, 0], across[:, 1] - count)


def _equal(keys: Hashes) -> Iterator[NDArray[np.intp]]:
    """Yield the rows of every key that occurs more than once, ascending."""
    order = np.argsort(keys, kind="stable")
    bounds = np.flatnonzero(np.diff(keys[order])) + 1
    for start, end in zip([0, *bounds], [*bounds, len(order)], strict=True):
        if end - start > 1:
            yield order[start:end]


def _upper(left: NDArray[np.integer], right: NDArray[np.integer]) -> Pairs:
    keep = left < right
    return np.stack([left[keep], right[keep]], axis=1).astype(np.int64)


def near_vectors(
    vectors: Floats, *, similarity: float = SIMILARITY, block: int = 2048, dimensions: int = 64
) -> Iterator[Pairs]:
    """Yield pairs of rows whose cosine similarity is at least `similarity`, as (m, 2) int64 with first < second.

    Distances only shrink in a subspace, so pairs that are too far apart in the principal one are left out unseen, and
    nothing near is missed.

    Args:
        vectors: (n, d) float32 of any length; rows of zeros are near to nothing.
        similarity: In (0, 1].
        block: Rows compared at once; memory is about block x block x 5 bytes.
        dimensions: Size of the subspace.
    """
    there = np.flatnonzero(np.any(vectors, axis=1))
    unit = vectors[there] / np.linalg.norm(vectors[there], axis=1, keepdims=True)
    small = unit @ _principal(unit[:: max(1, len(unit) // 4096)], dimensions)
    # Rows so extended that one product gives minus the squared distance.
    squares, ones = np.sum(small**2, axis=1, keepdims=True), np.ones((len(small), 1), np.float32)
    lefts, rights = np.hstack([2 * small, -squares, -ones]), np.hstack([small, ones, squares])
    least = 2 * similarity - 2 - 1e-5  # of two unit vectors; the rest is rounding
    for start in range(0, len(unit), block):
        one = slice(start, start + block)
        for second in range(start, len(unit), block):
            other = slice(second, second + block)
            left, right = np.nonzero(lefts[one] @ rights[other].T >= least)
            pairs = _upper(left + start, right + second)
            yield there[pairs[_similar(unit, pairs, similarity)]].astype(np.int64)


def _principal(rows: Floats, dimensions: int) -> Floats:
    """Return an orthonormal basis, (d, dimensions or less), along which the rows vary most."""
    _, basis = np.linalg.eigh(np.asarray(rows.T @ rows, dtype=np.float64))
    return np.asarray(basis[:, -dimensions:], dtype=np.float32)


def _similar(unit: Floats, pairs: Pairs, similarity: float) -> NDArray[np.bool_]:
    found = np.zeros(len(pairs), np.bool_)
    for start in range(0, len(pairs), 8192):
        rows = pairs[start : start + 8192]
        cosine = np.einsum("ij,ij->i", unit[rows[:, 0]], unit[rows[:, 1]])
        found[start : start + len(rows)] = cosine >= similarity
    return found


class _Groups:
    """What pairs connect; pairs that connect nothing new are dropped before anything is computed of them."""

    def __init__(self, count: int) -> None:
        self._number: NDArray[np.int64] = np.arange(count, dtype=np.int64)
        self._waiting: list[Pairs] = []
        self._held = 0

    def add(self, looks: Looks, pairs: Pairs, agreement: float, *, mirror: bool = False) -> None:
        pairs = pairs[self._number[pairs[:, 0]] != self._number[pairs[:, 1]]]
        # In slices, so that one huge block of like images is joined before most of its pairs are looked at.
        for start in range(0, len(pairs), 65_536):
            rows = pairs[start : start + 65_536]
            rows = rows[self._number[rows[:, 0]] != self._number[rows[:, 1]]]
            rows = rows[looks.agree(rows, agreement, mirror=mirror)]
            self._waiting.append(rows)
            self._held += len(rows)
            if self._held >= 65_536:
                self._join()

    def _join(self) -> None:
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        pairs = self._number[np.concatenate([np.zeros((0, 2), np.int64), *self._waiting])]
        count = len(self._number)
        links = coo_array((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
        _, joined = connected_components(links, directed=False)
        self._number = joined.astype(np.int64)[self._number]
        self._waiting, self._held = [], 0

    def first(self) -> NDArray[np.int64]:
        self._join()
        return np.unique(self._number, return_index=True)[1].astype(np.int64)

    def numbers(self) -> list[int]:
        self._join()
        _, first, inverse = np.unique(self._number, return_index=True, return_inverse=True)
        rank = np.empty(len(first), np.int64)
        rank[np.argsort(first)] = np.arange(len(first))
        return [int(n) for n in rank[inverse]]
