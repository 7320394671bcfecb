"""Cross-validation: what a head that is fitted from these examples will do on images it has not seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lucida.label import logistic
from lucida.label.logistic import Floats

FOLDS = 5


@dataclass(frozen=True)
class Accuracy:
    """A share with its 95 % interval.

    Attributes:
        value: Share of held-out examples named rightly, 0 to 1.
        low: Lower end of the Wilson interval.
        high: Upper end.
        examples: How many were held out.
    """

    value: float
    low: float
    high: float
    examples: int

    @classmethod
    def of(cls, right: int, examples: int) -> Accuracy:
        """Return the share of right answers with its Wilson score interval.

        Source: Wilson 1927, Probable Inference, the Law of Succession, and Statistical Inference.
        """
        z2 = 1.959964**2
        share, shrunk = right / examples, 1 + z2 / examples
        middle = (share + z2 / (2 * examples)) / shrunk
        half = np.sqrt(z2 * (share * (1 - share) / examples + z2 / (4 * examples**2))) / shrunk
        return cls(share, float(max(0, middle - half)), float(min(1, middle + half)), examples)


def stratified_folds(targets: NDArray[np.intp], folds: int = FOLDS) -> NDArray[np.intp]:
    """Deal the examples of each class over the folds, always the same way.

    Args:
        targets: Index of the class of each example, (n,).
        folds: How many folds.

    Returns:
        The fold of each example, (n,); -1 for the only example of a class, which is never held out.
    """
    draw = np.random.default_rng(0)
    dealt = np.full(len(targets), -1)
    start = 0
    for name in np.unique(targets):
        rows = draw.permutation(np.flatnonzero(targets == name))
        if len(rows) > 1:
            # Each class goes on where the last one ended, so that the folds stay equally large.
            dealt[rows] = (start + np.arange(len(rows))) % folds
            start += len(rows)
    return dealt


@dataclass(frozen=True)
class HeldOut:
    """Logits of examples by weights that have not seen them.

    Attributes:
        logits: float (m, classes).
        targets: Index of the true class of each, (m,).
        temperature: Divisor of the logits that makes their probabilities most truthful.
        loss: Mean log loss at that temperature, in nats.
    """

    logits: Floats
    targets: NDArray[np.intp]
    temperature: float
    loss: float

    @property
    def accuracy(self) -> Accuracy:
        right = int((self.logits.argmax(axis=1) == self.targets).sum())
        return Accuracy.of(right, len(self.targets))


def hold_out(
    features: Floats, targets: NDArray[np.intp], classes: int, strength: float, folds: NDArray[np.intp]
) -> HeldOut:
    """Fit without each fold in turn and collect the logits of what was left out.

    Args:
        features: float (n, d).
        targets: (n,).
        classes: Number of classes.
        strength: As `logistic.fit` takes it.
        folds: As `stratified_folds` gives them; at least one example held out.
    """
    logits = np.zeros((len(targets), classes))
    for fold in range(int(folds.max()) + 1):
        out = folds == fold
        if out.any():
            weights = logistic.fit(features[~out], targets[~out], classes, strength)
            logits[out] = logistic.apply(features[out], weights)
    held = folds >= 0
    logits, truth = logits[held], targets[held]
    temperature = logistic.temperature(logits, truth)
    return HeldOut(logits, truth, temperature, logistic.log_loss(logits / temperature, truth))


def combinations(parts: dict[str, slice]) -> list[tuple[str, ...]]:
    """Return which parts to try together: all, each alone, and all but one."""
    names = tuple(parts)
    tried = [names, *((name,) for name in names), *(tuple(n for n in names if n != out) for out in names)]
    return [c for c in dict.fromkeys(tried) if c]


def as_index(labels: list[str], classes: list[str]) -> NDArray[np.intp]:
    """Return the position of each label among the classes, (n,)."""
    place: dict[str, Any] = {name: i for i, name in enumerate(classes)}
    return np.array([place[label] for label in labels], np.intp)
