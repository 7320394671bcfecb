"""Drift of numbers and vectors: the promise about false alarms, what is found, and going on after a restart."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from lucida.errors import InputError
from lucida.evidence.drift import VECTORS, Drift, Projection

NAMES = ("brightness", "class")


def draw(generator: np.random.Generator, rows: int) -> tuple[np.ndarray, np.ndarray]:
    numbers = np.column_stack([generator.gamma(2.0, size=rows), generator.integers(0, 4, rows)])
    return numbers, generator.normal(size=(rows, 12)) * np.linspace(3, 0.5, 12)


def watching(generator: np.random.Generator, seed: int = 0, level: float = 0.05) -> Drift:
    return Drift(NAMES, *draw(generator, 240), level=level, seed=seed)


def test_false_alarms_ever_are_at_most_the_level() -> None:
    level, runs, alarms = 0.5, 40, 0
    for seed in range(runs):
        generator = np.random.default_rng(seed)
        drift = watching(generator, seed, level)
        alarms += any(drift.add(*draw(generator, 50)) for _ in range(4))
    assert stats.binomtest(alarms, runs, level, alternative="greater").pvalue > 0.001


def test_a_brighter_stream_is_found_with_its_images() -> None:
    generator = np.random.default_rng(1)
    drift = watching(generator)
    assert drift.add(*draw(generator, 100)) == []
    numbers, vectors = draw(generator, 100)
    numbers[::2, 0] += 8
    (signal,) = drift.add(numbers, vectors)
    assert (signal.name, signal.direction) == ("brightness", 1)
    assert 95 <= signal.since <= signal.at < 200
    blame = drift.blame([signal])[100:]
    assert blame[::2].min() > np.median(blame[1::2])
    # What has crossed once does not cross again.
    assert drift.add(numbers, vectors) == []


def test_another_mix_of_classes_and_other_vectors_are_found() -> None:
    generator = np.random.default_rng(2)
    drift = watching(generator)
    numbers, vectors = draw(generator, 200)
    numbers[:, 1] = np.where(generator.random(200) < 0.7, 1, numbers[:, 1])
    vectors += 2
    found = {signal.name for signal in drift.add(numbers, vectors)}
    assert "class" in found
    assert found & {VECTORS, "distance", "component 1", "component 2"}


def test_missing_numbers_are_passed_over() -> None:
    generator = np.random.default_rng(3)
    drift = watching(generator)
    numbers, vectors = draw(generator, 50)
    numbers[:, 1] = np.nan
    before = drift.evidence()["class"]
    drift.add(numbers, vectors)
    assert drift.evidence()["class"] >= before
    assert np.isnan(drift.latest[:, 1]).all()


def test_it_goes_on_after_a_restart() -> None:
    generator = np.random.default_rng(5)
    reference, rows = draw(generator, 240), draw(generator, 100)
    first = Drift(NAMES, *reference, seed=7)
    first.add(*rows)
    second = Drift(NAMES, *reference, seed=7)
    columns = first.columns(rows[0], first.components(rows[1]))
    second.restore(first.state(), columns)
    assert second.seen == 100
    mine, other = first.evidence(), second.evidence()
    assert all(mine[name] == other[name] for name in first.names)
    numbers, vectors = draw(generator, 60)
    numbers[:, 0] += 8
    assert {signal.name for signal in second.add(numbers, vectors)} >= {"brightness"}
    third = Drift(NAMES, *reference, seed=7)
    third.restore(second.state(), columns)
    assert third.crossed == second.crossed


def test_components_have_variance_one() -> None:
    vectors = np.random.default_rng(6).normal(size=(80, 5)) * [5, 4, 3, 2, 1]
    assert np.allclose(Projection.fit(vectors)(vectors).var(axis=0, ddof=1), 1)


@pytest.mark.parametrize("level", [0.0, 1.0, float("nan")])
def test_a_level_out_of_range_is_refused(level: float) -> None:
    with pytest.raises(InputError, match="out of range"):
        Drift(NAMES, np.zeros((100, 2)), level=level)


def test_too_small_a_reference_is_refused() -> None:
    with pytest.raises(InputError, match="too small"):
        Drift(NAMES, np.zeros((10, 2)))
