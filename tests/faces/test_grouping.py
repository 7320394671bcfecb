"""Faces are grouped as average linkage does it, and what has a group keeps it."""

from __future__ import annotations

import numpy as np
import pytest

from lucida.faces import grouping
from lucida.faces.grouping import grouped, linked
from lucida.faces.people import People


def crowd(people: int, each: int, seed: int, spread: float = 0.09) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors of 128 numbers around one direction a person; cosines of one person about 0.5."""
    draw = np.random.default_rng(seed)
    middles = draw.normal(0, 1, (people, 128))
    middles /= np.linalg.norm(middles, axis=1, keepdims=True)
    whose = np.repeat(np.arange(people), each)
    vectors = middles[whose] + draw.normal(0, spread, (len(whose), 128))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), whose


def partition(labels: np.ndarray) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(labels == one).tolist()) for one in np.unique(labels)}


@pytest.mark.parametrize(("seed", "spread", "likeness"), [(0, 0.09, 0.363), (1, 0.13, 0.363), (2, 0.12, 0.2)])
def test_clusters_are_those_of_scikit_learn(seed, spread, likeness, monkeypatch) -> None:
    cluster = pytest.importorskip("sklearn.cluster")
    monkeypatch.setattr(grouping, "BLOCK", 50)
    vectors, _ = crowd(12, 15, seed, spread)
    known = cluster.AgglomerativeClustering(
        None, metric="cosine", linkage="average", distance_threshold=1 - likeness + 1e-9
    ).fit_predict(vectors.astype(np.float64))
    own = np.zeros(len(vectors), int)
    for number, rows in enumerate(linked(vectors, likeness)):
        own[rows] = number
    assert partition(own) == partition(known)


def test_people_are_told_apart_and_strangers_are_in_no_group() -> None:
    vectors, whose = crowd(6, 10, 3)
    strangers, _ = crowd(5, 1, 4)
    groups = grouped(np.concatenate([vectors, strangers]), np.zeros(65, np.int64), 0.363)
    assert partition(groups[:60]) == partition(whose)
    assert groups[60:].tolist() == [0] * 5
    assert sorted(set(groups[:60].tolist())) == [1, 2, 3, 4, 5, 6]


def test_new_faces_join_and_old_ones_stay() -> None:
    vectors, whose = crowd(4, 10, 5)
    before = np.where((whose < 2) & (np.arange(40) % 10 < 5), 7 + whose, 0)
    after = grouped(vectors, before, 0.363)
    assert (after[before > 0] == before[before > 0]).all()
    assert set(after[whose == 0]) == {7}
    assert set(after[whose == 1]) == {8}
    assert partition(after) == partition(whose)
    assert after.max() == 10, "new groups are numbered on"
    assert grouped(np.zeros((0, 128), np.float32), np.zeros(0, np.int64), 0.4).size == 0


def test_what_does_not_fit_into_memory_is_parted(monkeypatch) -> None:
    monkeypatch.setattr(grouping, "LARGEST", 30)
    vectors, whose = crowd(5, 20, 6, 0.05)
    # A chain of in-betweens ties all of them together.
    middles = np.stack([vectors[whose == k].mean(axis=0) for k in range(5)])
    ties = middles[:-1] + middles[1:]
    all_of = np.concatenate([vectors, ties / np.linalg.norm(ties, axis=1, keepdims=True)]).astype(np.float32)
    assert len(grouping._together(all_of, 0.363)) == 1
    groups = grouped(all_of, np.zeros(104, np.int64), 0.363)[:100]
    assert partition(groups) == partition(whose)


def test_a_face_is_somebodys_who_is_likest_and_like_enough() -> None:
    vectors, whose = crowd(3, 10, 7)
    people = People(["Anna", "Ben"], np.stack([vectors[whose == k].mean(axis=0) for k in (0, 1)]))
    asked = vectors[::5]
    assert people.are(asked, ["Anna"]).tolist() == [True] * 2 + [False] * 4
    assert people.are(asked, ["Anna", "Ben"]).tolist() == [True] * 4 + [False] * 2
    between = (vectors[0] + vectors[20] * 1.4) / np.linalg.norm(vectors[0] + vectors[20] * 1.4)
    sure, perhaps = people.are(between[None], ["Anna"]), people.are(between[None], ["Anna"], perhaps=True)
    assert (sure[0], perhaps[0]) in ((False, True), (True, True))
    assert people.are(np.zeros((0, 128), np.float32), ["Anna"]).size == 0
