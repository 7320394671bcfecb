"""The numbers under the head, against brute force, SciPy and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special

from lucida.label import kernel


def test_softmax_and_loss_are_those_of_scipy():
    logits = np.random.default_rng(0).normal(size=(20, 4)) * 50
    targets = np.arange(20) % 4
    np.testing.assert_allclose(kernel.softmax(logits), scipy.special.softmax(logits, axis=1), atol=1e-12)
    expected = -scipy.special.log_softmax(logits, axis=1)[np.arange(20), targets]
    np.testing.assert_allclose(kernel.log_loss(logits, targets), expected, atol=1e-9)
    assert np.isfinite(kernel.softmax(np.array([[1e4, -1e4]]))).all()


def test_squared_distances():
    draw = np.random.default_rng(1)
    a, b = draw.normal(size=(7, 5)), draw.normal(size=(9, 5))
    expected = ((a[:, None] - b[None]) ** 2).sum(axis=2)
    np.testing.assert_allclose(kernel.squared_distances(a, b), expected, atol=1e-12)
    assert (kernel.squared_distances(a + 1e6, a + 1e6) >= 0).all(), "rounding never makes a distance negative"


def problem(n: int = 24):
    draw = np.random.default_rng(2)
    targets = np.arange(n) % 3
    rows = draw.normal(size=(n, 4)) + np.eye(4)[targets] * 2
    return np.exp(-0.3 * kernel.squared_distances(rows, rows)), targets


def by_hand(values: np.ndarray, truth: np.ndarray, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """Solve ridge regression with a free constant, as one system of equations: weights and constant."""
    n = len(values)
    system = np.block([[values + alpha * np.eye(n), np.ones((n, 1))], [np.ones((1, n)), np.zeros((1, 1))]])
    solved = np.linalg.solve(system, np.vstack([truth, np.zeros((1, truth.shape[1]))]))
    return solved[:n], solved[n]


def test_predictions_are_those_of_ridge_regression_with_a_free_constant():
    values, targets = problem()
    found = kernel.solve(values, np.arange(24), targets, np.ones(24, bool))
    truth = np.eye(3)[targets]
    errors = []
    for alpha in kernel.RIDGES:
        weights, constant = by_hand(values, truth, alpha)
        expected = values @ weights + constant
        errors.append(float(np.abs(values @ found.weights + found.bias - expected).max()))
    assert min(errors) < 1e-5, "one of the ridges tried gives these predictions"
    assert found.scale in kernel.SCALES


def test_held_out_is_what_fitting_without_each_example_gives():
    values, targets = problem()
    n = len(targets)
    found = kernel.solve(values, np.arange(n), targets, np.ones(n, bool))
    truth = np.eye(3)[targets]
    errors = []
    for alpha in kernel.RIDGES:
        left_out = np.empty((n, 3))
        for i in range(n):
            rest = np.arange(n) != i
            weights, constant = by_hand(values[np.ix_(rest, rest)], truth[rest], alpha)
            # The share of the classes is known: it is that of all examples.
            left_out[i] = values[i, rest] @ weights + constant + truth.mean(axis=0) - truth[rest].mean(axis=0)
        errors.append(float(np.abs(found.scale * left_out - found.held_out).max()))
    assert min(errors) < 1e-4
    assert found.loss == pytest.approx(float(kernel.log_loss(found.held_out, targets).mean()))


def test_examples_that_say_nothing_are_held_out_at_chance():
    # Without putting the shares right, the class of the one held out is the rarest, and never named.
    draw = np.random.default_rng(5)
    right = []
    for _ in range(40):
        rows = draw.normal(size=(30, 50))
        targets = np.arange(30) % 10
        values = np.exp(-0.01 * kernel.squared_distances(rows, rows))
        found = kernel.solve(values, np.arange(30), targets, np.ones(30, bool))
        right.append((found.held_out.argmax(axis=1) == targets).mean())
    assert 0.05 < np.mean(right) < 0.2


def test_equal_rows_are_no_trouble():
    found = kernel.solve(np.ones((6, 6)), np.arange(6), np.arange(6) % 2, np.ones(6, bool))
    assert all(np.isfinite(part).all() for part in (found.weights, found.bias, found.held_out))


def test_fewer_landmarks_come_near_all_of_them():
    values, targets = problem(120)
    full = kernel.solve(values, np.arange(120), targets, np.ones(120, bool))
    some = np.arange(0, 120, 2)
    fewer = kernel.solve(values[:, some], some, targets, np.ones(120, bool))
    assert fewer.weights.shape == (60, 3)
    assert fewer.loss == pytest.approx(full.loss, abs=0.1)
