"""Which arm a key belongs to."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from lucida.serve.routing.splitting import choose

KEYS = [f"user {number}" for number in range(2000)]


def test_weights_are_kept_and_a_key_stays() -> None:
    weights = {"a": 70.0, "b": 25.0, "c": 5.0, "off": 0.0}
    found = {key: choose(weights, "test", key) for key in KEYS}
    counts = Counter(found.values())
    for arm, weight in weights.items():
        share = weight / 100
        assert abs(counts[arm] - len(KEYS) * share) <= 4 * (len(KEYS) * share * (1 - share)) ** 0.5
    assert found == {key: choose(weights, "test", key) for key in KEYS}
    # Another salt splits anew: as many agree as by chance.
    same = sum(choose(weights, "other", key) == arm for key, arm in found.items())
    assert 0.5 < same / len(KEYS) < 0.62


def test_only_keys_move_that_must() -> None:
    shares = [0, 1, 5, 25, 100]
    arms = [{key: choose({"old": 100.0 - share, "new": float(share)}, "s", key) for key in KEYS} for share in shares]
    for before, after in pairwise(arms):
        assert not [key for key in KEYS if before[key] == "new" and after[key] == "old"]
    assert set(arms[0].values()) == {"old"}
    assert set(arms[-1].values()) == {"new"}
    # A third arm takes from both, and moves nothing between them.
    more = {key: choose({"old": 75.0, "new": 25.0, "third": 10.0}, "s", key) for key in KEYS}
    assert {(was, more[key]) for key, was in arms[3].items() if was != more[key]} == {
        ("old", "third"),
        ("new", "third"),
    }


def test_it_is_the_same_in_every_process() -> None:
    # Pinned: whoever is in an arm today must be in it after a restart, and after an update.
    assert "".join(choose({"a": 1.0, "b": 1.0}, "s", f"anna-{n}") for n in range(8)) == "baabbaab"
