"""Regularised multinomial logistic regression: the numbers alone, no names."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar

Floats = NDArray[np.floating[Any]]


def softmax(logits: Floats) -> Floats:
    """Return probabilities of the same shape; rows sum to 1."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def log_softmax(logits: Floats) -> Floats:
    """Return log-probabilities of the same shape."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def log_loss(logits: Floats, targets: NDArray[np.intp]) -> float:
    """Return the mean negative log-probability of the true classes, in nats."""
    return float(-log_softmax(logits)[np.arange(len(targets)), targets].mean())


def fit(
    features: Floats,
    targets: NDArray[np.intp],
    classes: int,
    strength: float,
    *,
    start: Floats | None = None,
    iterations: int = 100,
) -> Floats:
    """Minimise `sum of log losses + |weights|^2 / (2 strength)`; biases are not penalised.

    Args:
        features: float (n, d), columns of comparable scale.
        targets: Index of the class of each row, (n,), in 0..classes.
        classes: Number of classes.
        strength: Inverse of the penalty, above 0: larger fits the examples more closely.
        start: Weights (d + 1, classes) to start from.
        iterations: At most so many steps of L-BFGS.

    Returns:
        Weights float64 (d + 1, classes); the last row holds the biases.
    """
    n, d = features.shape
    padded = np.concatenate([features, np.ones((n, 1), features.dtype)], axis=1)
    truth = np.zeros((n, classes))
    truth[np.arange(n), targets] = 1
    penalty = np.full((d + 1, 1), 1 / strength)
    # A trace of a penalty pins the biases down: adding a constant to all of them changes nothing else.
    penalty[-1] = 1e-4

    def objective(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weights = flat.reshape(d + 1, classes)
        logs = log_softmax(padded @ weights.astype(padded.dtype))
        gradient = padded.T @ (np.exp(logs) - truth).astype(padded.dtype) + penalty * weights
        return (
            float(0.5 * (penalty * weights**2).sum() - (logs * truth).sum()),
            gradient.ravel().astype(np.float64),
        )

    first = np.zeros((d + 1, classes)) if start is None else np.asarray(start, np.float64)
    found = minimize(
        objective, first.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": iterations, "gtol": 1e-3}
    )
    return np.asarray(found.x).reshape(d + 1, classes)


def apply(features: Floats, weights: Floats) -> Floats:
    """Return logits (n, classes)."""
    return np.asarray(features @ weights[:-1].astype(features.dtype) + weights[-1].astype(features.dtype))


def temperature(logits: Floats, targets: NDArray[np.intp]) -> float:
    """Return the divisor of the logits that makes their probabilities most truthful, 0.05 to 20.

    Source: Guo et al. 2017, On Calibration of Modern Neural Networks.

    Args:
        logits: float (n, classes), of examples that the weights have not seen.
        targets: Index of the class of each row, (n,).
    """
    found = minimize_scalar(
        lambda log_t: log_loss(logits / np.exp(log_t), targets), bounds=(np.log(0.05), np.log(20)), method="bounded"
    )
    return float(np.exp(found.x))
