"""The kernel two-sample test: its value by definition, its p-value, its witness, and witnesses that bet."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from lucida.errors import InputError
from lucida.evidence.kernel import RandomFeatures, Witnesses, kernel, median_width, mmd_test, witness


def test_the_discrepancy_is_the_sum_of_its_definition() -> None:
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(5, 3)), generator.normal(1, 1, (7, 3))

    def k(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.exp(-((a - b) ** 2).sum() / (2 * 1.3**2)))

    inside = sum(k(x[i], x[j]) for i in range(5) for j in range(5) if i != j) / 20
    outside = sum(k(y[i], y[j]) for i in range(7) for j in range(7) if i != j) / 42
    between = sum(k(a, b) for a in x for b in y) / 35
    assert mmd_test(x, y, width=1.3, permutations=9).mmd2 == pytest.approx(inside + outside - 2 * between)


def test_the_order_of_vectors_does_not_matter() -> None:
    generator = np.random.default_rng(1)
    x, y = generator.normal(size=(20, 4)), generator.normal(0.5, 1, (30, 4))
    one = mmd_test(x, y, permutations=99)
    other = mmd_test(x[::-1], generator.permutation(y), permutations=99)
    assert one.mmd2 == pytest.approx(other.mmd2)
    assert one.p_value == pytest.approx(other.p_value, abs=0.08)


def test_p_values_are_uniform_under_the_null_and_small_after_a_change() -> None:
    generator = np.random.default_rng(2)
    p = [mmd_test(*generator.normal(size=(2, 15, 3)), permutations=39, seed=one).p_value for one in range(120)]
    assert stats.binomtest(sum(one <= 0.05 for one in p), len(p), 0.05, alternative="greater").pvalue > 0.001
    assert 0.35 < np.mean(p) < 0.65
    assert mmd_test(generator.normal(size=(40, 3)), generator.normal(1, 1, (40, 3)), permutations=199).p_value == 0.005


def test_the_witness_names_what_changed() -> None:
    generator = np.random.default_rng(3)
    known, new = generator.normal(size=(100, 4)), generator.normal(size=(20, 4))
    new[:5] += 4
    found = witness(new, new, known, median_width(known))
    assert set(np.argsort(-found)[:5]) == set(range(5))


def test_random_features_are_about_the_kernel() -> None:
    generator = np.random.default_rng(4)
    x = generator.normal(size=(30, 5))
    features = RandomFeatures.of(5, 2.0, generator)(x)
    assert np.abs(features @ features.T - kernel(x, x, 2.0)).mean() < 0.1


def test_witnesses_win_after_a_change_in_directions_of_their_own() -> None:
    generator = np.random.default_rng(5)
    reference = generator.normal(size=(450, 6))
    judge = Witnesses(reference[:150], reference[150:], 0.05, generator)
    assert judge.add(generator.normal(size=(300, 6))) is None
    won = judge.add(generator.normal(size=(300, 6)) + np.array([0.6, -0.6, 0.6, 0.6, -0.6, 0.6]))
    assert won is not None
    assert won.beyond > 0


@pytest.mark.parametrize("other", [np.zeros((1, 3)), np.zeros((5, 2)), np.full((5, 3), np.nan)])
def test_sets_that_cannot_be_compared_are_refused(other: np.ndarray) -> None:
    with pytest.raises(InputError):
        mmd_test(np.zeros((5, 3)), other)
