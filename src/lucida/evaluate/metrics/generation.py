"""How far drawn pictures are from real ones, as distances between clouds of features.

Both distances depend on whose features they are: a figure without the name of its features says nothing. The Fréchet
distance is too large with few pictures; the kernel distance is right on average with any number, and may fall below 0.

Source: Heusel et al. 2017, GANs Trained by a Two Time-Scale Update Rule (FID); Bińkowski et al. 2018, Demystifying MMD
GANs (KID).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lucida.errors import InputError
from lucida.evaluate.resample import Metric

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

LEAST: Final = 2  # pictures of each kind


def frechet_distance(real: NDArray[Any], drawn: NDArray[Any]) -> float:
    """Return the Fréchet distance of two normal clouds with the means and covariances of these.

    Args:
        real: Features (n, d).
        drawn: Features (m, d).

    Raises:
        InputError: They cannot be compared.
    """
    _check(real, drawn)
    weights = np.ones(len(real)), np.ones(len(drawn))
    return _frechet(np.asarray(real, np.float64), np.asarray(drawn, np.float64), *weights)


def kernel_distance(real: NDArray[Any], drawn: NDArray[Any]) -> float:
    """Return the squared maximum mean discrepancy, unbiased, with the kernel (x y / d + 1)^3.

    Args:
        real: Features (n, d).
        drawn: Features (m, d).

    Raises:
        InputError: They cannot be compared.
    """
    metric = kernel_metric(real, drawn)
    return float(metric.of(np.ones((1, metric.images)))[0])


def kernel_metric(real: NDArray[Any], drawn: NDArray[Any]) -> Metric:
    """Return the kernel distance as a metric, whose interval is by a bootstrap over both kinds of picture.

    A picture that was drawn twice by the bootstrap is not compared with itself.

    Raises:
        InputError: They cannot be compared.
    """
    _check(real, drawn)
    both = np.concatenate([np.asarray(real, np.float64), np.asarray(drawn, np.float64)])
    kernel = (both @ both.T / both.shape[1] + 1) ** 3
    own, n = kernel.diagonal().copy(), len(real)
    inside, outside, across = kernel[:n, :n], kernel[n:, n:], kernel[:n, n:]

    def of(weights: Floats) -> Floats:
        w, v = weights[:, :n], weights[:, n:]
        return np.asarray(
            _within(inside, own[:n], w)
            + _within(outside, own[n:], v)
            - 2 * ((w @ across) * v).sum(1) / (w.sum(1) * v.sum(1))
        )

    return Metric("kernel_distance", "Kernel distance", of, len(both), less=True, cost=len(both) * 8)


def frechet_metric(real: NDArray[Any], drawn: NDArray[Any]) -> Metric:
    """Return the Fréchet distance as a metric, whose interval is by a bootstrap over both kinds of picture.

    Raises:
        InputError: They cannot be compared.
    """
    _check(real, drawn)
    first, second = np.asarray(real, np.float64), np.asarray(drawn, np.float64)
    n = len(first)

    def of(weights: Floats) -> Floats:
        return np.asarray([_frechet(first, second, one[:n], one[n:]) for one in weights])

    cost = first.shape[1] ** 3
    return Metric("frechet_distance", "Fréchet distance", of, n + len(second), less=True, shifted=True, cost=cost)


def _within(kernel: Floats, own: Floats, weights: Floats) -> Floats:
    """Return the mean of a kernel over pairs of different pictures, for each row of weights."""
    pairs = ((weights @ kernel) * weights).sum(1) - (weights**2) @ own
    return np.asarray(pairs / (weights.sum(1) ** 2 - (weights**2).sum(1)))


def _frechet(real: Floats, drawn: Floats, first: Floats, second: Floats) -> float:
    (mean, spread), (other, apart) = _moments(real, first), _moments(drawn, second)
    values, vectors = np.linalg.eigh(spread)
    root = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    # The trace of the root of a product, by a product that is symmetric and has the same eigenvalues.
    shared = np.sqrt(np.clip(np.linalg.eigvalsh(root @ apart @ root), 0, None)).sum()
    return float(((mean - other) ** 2).sum() + np.trace(spread) + np.trace(apart) - 2 * shared)


def _moments(rows: Floats, weights: Floats) -> tuple[Floats, Floats]:
    total = weights.sum()
    mean = weights @ rows / total
    centred = rows - mean
    return mean, (centred * weights[:, None]).T @ centred / (total - 1)


def _check(real: NDArray[Any], drawn: NDArray[Any]) -> None:
    fine = real.ndim == drawn.ndim == 2 and real.shape[1] == drawn.shape[1] and min(len(real), len(drawn)) >= LEAST
    if not fine or not (np.isfinite(real).all() and np.isfinite(drawn).all()):
        raise InputError(
            "These features have no distance.",
            expected=f"two finite arrays (n, d), n at least {LEAST}, of the same d",
            got=f"{real.shape} and {drawn.shape}"
            + ("" if np.isfinite(real).all() and np.isfinite(drawn).all() else ", not all finite"),
        )
