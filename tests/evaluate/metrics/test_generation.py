"""Distances between clouds of features: what they are 0 for, and how sure they are."""

from __future__ import annotations

import numpy as np
import pytest

from lucida.errors import InputError
from lucida.evaluate.metrics.generation import frechet_distance, frechet_metric, kernel_distance, kernel_metric
from lucida.evaluate.resample import ones


def cloud(count: int, shift: float = 0.0, scale: float = 1.0, seed: int = 0, d: int = 6) -> np.ndarray:
    return shift + scale * np.random.default_rng(seed).standard_normal((count, d))


def test_the_frechet_distance_of_normal_clouds_is_known() -> None:
    # Of N(0, I) and N(s, k^2 I) in d dimensions: d s^2 + d (1 - k)^2.
    real, drawn = cloud(40_000), cloud(40_000, 0.5, 2.0, seed=1)
    assert frechet_distance(real, drawn) == pytest.approx(6 * 0.25 + 6 * 1.0, rel=0.03)
    assert frechet_distance(real, real) == pytest.approx(0, abs=1e-6)


def test_the_kernel_distance_is_nothing_for_the_same_kind_however_few_there_are() -> None:
    found = [kernel_distance(cloud(20, seed=k), cloud(20, seed=1000 + k)) for k in range(300)]
    assert abs(np.mean(found)) < 3 * np.std(found) / 300**0.5
    assert min(found) < 0
    assert kernel_distance(cloud(20), cloud(20, 1.0, seed=1)) > 1


def test_intervals_hold_the_distance_that_many_pictures_have() -> None:
    truth = kernel_distance(cloud(3000), cloud(3000, 0.3, seed=1))
    held = 0
    for k in range(20):
        figure = kernel_metric(cloud(60, seed=2 * k), cloud(60, 0.3, seed=2 * k + 1)).figure(repeats=200)
        assert figure is not None
        assert figure.low <= figure.value <= figure.high
        held += figure.low <= truth <= figure.high
    assert held >= 16


def test_metrics_are_the_plain_figures() -> None:
    real, drawn = cloud(50), cloud(40, 0.2, seed=1)
    assert frechet_metric(real, drawn).of(ones(90))[0] == pytest.approx(frechet_distance(real, drawn))
    figure = frechet_metric(real, drawn).figure(repeats=50)
    assert figure is not None
    assert figure.low < figure.value <= figure.high


def test_a_picture_that_counts_twice_is_not_compared_with_itself() -> None:
    real, drawn = cloud(30), cloud(30, 0.2, seed=1)
    weights = np.ones((1, 60))
    weights[0, :5] = 2
    twice = kernel_metric(real, drawn).of(weights)[0]
    naive = kernel_distance(np.concatenate([real, real[:5]]), drawn)
    assert twice < naive


@pytest.mark.parametrize(
    ("real", "drawn"), [(cloud(1), cloud(5)), (cloud(5, d=3), cloud(5)), (np.full((4, 6), np.nan), cloud(5))]
)
def test_refuses_what_has_no_distance(real: np.ndarray, drawn: np.ndarray) -> None:
    with pytest.raises(InputError, match="no distance"):
        kernel_distance(real, drawn)


@pytest.mark.torch
def test_they_are_those_of_torchmetrics() -> None:
    torch = pytest.importorskip("torch")
    fid = pytest.importorskip("torchmetrics.image.fid")
    kid = pytest.importorskip("torchmetrics.image.kid")
    real, drawn = cloud(80), cloud(70, 0.3, 1.2, seed=1)
    moments = [torch.from_numpy(value) for rows in (real, drawn) for value in (rows.mean(0), np.cov(rows.T))]
    assert frechet_distance(real, drawn) == pytest.approx(float(fid._compute_fid(*moments)), rel=1e-5)
    # Its unbiased estimate asks for clouds of one size.
    both = torch.from_numpy(real[:70]), torch.from_numpy(drawn)
    assert kernel_distance(real[:70], drawn) == pytest.approx(float(kid.poly_mmd(*both)), rel=1e-5)
