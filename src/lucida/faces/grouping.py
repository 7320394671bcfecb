"""Faces into groups, each of one person as far as their vectors tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Numbers = NDArray[np.int64]

LARGEST: Final = 8000  # faces that are compared all with all in memory, 256 MB
BLOCK: Final = 512
STEP: Final = 0.05  # by which the likeness is raised where more hang together
HIGHEST: Final = 0.95


def grouped(vectors: Floats, groups: Numbers, likeness: float) -> Numbers:
    """Return the group of each face; what was in a group stays there.

    A face that is new joins the group that it is most like, on the average of all its faces, if that is enough. What
    is left is grouped by itself: by average linkage, so that one picture between two people does not make them one.

    Args:
        vectors: Of length one, float32 (n, d).
        groups: Numbers of groups, int64 (n,); 0 for a face that is in none.
        likeness: Average cosine from which faces are one person's.

    Returns:
        int64 (n,): 0 for a face that is like no other; new groups are numbered on, the largest first.
    """
    found = groups.copy()
    known = np.unique(groups[groups > 0])
    new = np.flatnonzero(groups == 0)
    if len(known) and len(new):
        # The cosine with the mean of unit vectors is the average of all cosines.
        means = np.stack([vectors[groups == number].mean(axis=0) for number in known])
        for start in range(0, len(new), BLOCK):
            rows = new[start : start + BLOCK]
            likenesses = vectors[rows] @ means.T
            best = likenesses.argmax(axis=1)
            enough = likenesses[np.arange(len(rows)), best] >= likeness
            found[rows[enough]] = known[best[enough]]
    rest = np.flatnonzero(found == 0)
    clusters = [rows for rows in linked(vectors[rest], likeness) if len(rows) > 1]
    first = int(known.max()) + 1 if len(known) else 1
    for number, rows in enumerate(sorted(clusters, key=lambda rows: (-len(rows), rows[0])), start=first):
        found[rest[rows]] = number
    return found


def linked(vectors: Floats, likeness: float) -> list[Numbers]:
    """Return clusters by average linkage, rows each in order.

    Clusters whose average cosine is enough lie within what hangs together by single cosines that are: each such part
    is clustered by itself, which gives the same and takes a fraction of the memory. Where so many hang together that
    they do not fit, the likeness asked of them is raised until they part.

    Source: Sokal and Michener 1958 (average linkage); Müllner 2011 for the algorithm that SciPy has.
    """
    from scipy.cluster.hierarchy import fcluster, linkage

    found: list[Numbers] = []
    for rows in _parts(vectors, likeness):
        # Two that hang together are a cluster; so many that hang together by nothing less are pictures of one scene.
        if len(rows) < 3 or len(rows) > LARGEST:
            found.append(rows)
            continue
        tree = linkage(_distances(vectors[rows]), "average")
        labels = fcluster(tree, 1 - likeness, "distance")
        found += [rows[labels == label] for label in np.unique(labels)]
    return found


def _distances(vectors: Floats) -> NDArray[np.float64]:
    """Return one minus the cosine of every pair, a row after the other as SciPy has them, float64 (n (n - 1) / 2,)."""
    count = len(vectors)
    found, place = np.empty(count * (count - 1) // 2), 0
    for start in range(0, count, BLOCK):
        cosines = vectors[start : start + BLOCK].astype(np.float64) @ vectors[start:].T.astype(np.float64)
        for row in range(len(cosines)):
            rest = cosines[row, row + 1 :]
            found[place : place + len(rest)] = np.maximum(0, 1 - rest)
            place += len(rest)
    return found


def _parts(vectors: Floats, likeness: float) -> list[Numbers]:
    """Return what hangs together, in parts that fit into memory as far as they can be parted."""
    found: list[Numbers] = []
    waiting = [(np.arange(len(vectors)), likeness)]
    while waiting:
        rows, enough = waiting.pop()
        for part in _together(vectors[rows], enough):
            if len(part) > LARGEST and enough < HIGHEST:
                waiting.append((rows[part], enough + STEP))
            else:
                found.append(rows[part])
    return found


def _together(vectors: Floats, likeness: float) -> list[Numbers]:
    """Return rows that cosines of at least a likeness connect, directly or over others."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = len(vectors)
    labels = np.arange(count)
    for start in range(0, count, BLOCK):
        one, other = np.nonzero(vectors[start : start + BLOCK] @ vectors[start:].T >= likeness)
        # What hung together before goes on to: each row is tied to the first of its kind.
        _, first = np.unique(labels, return_index=True)
        ends = (np.concatenate([one + start, np.arange(count)]), np.concatenate([other + start, first[labels]]))
        graph = coo_array((np.ones(len(ends[0]), bool), ends), shape=(count, count))
        labels = connected_components(graph, directed=False)[1].astype(np.int64)
    order = np.argsort(labels, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(labels[order])) + 1) if count else []
