"""Probabilities of what a network says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return probabilities float32 (n, k) of logits (n, k); rows sum to 1."""
    raised = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True), np.float32)


def sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the probability of each column on its own, float32 (n, k), of logits (n, k)."""
    return np.asarray(0.5 * (1 + np.tanh(logits.astype(np.float64) / 2)), np.float32)
