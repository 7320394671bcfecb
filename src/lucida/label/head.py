"""The by-example head: features of images to calibrated probabilities of classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lucida.errors import InputError
from lucida.evaluate.figure import Figure
from lucida.label import kernel
from lucida.label.threads import on_one_thread

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lucida.label.kernel import Floats, Solution

WIDTH = 0.375  # of the kernel: exp(-WIDTH * mean squared distance), where the mean distance of examples is 2
LANDMARKS = 1000  # examples that the kernel compares with; all of them up to here
# How many nats of leave-one-out log loss, summed over the examples, make a member count e times less.
PATIENCE = 8.0
NEGLIGIBLE = 0.03
# Which parts are used is decided anew when the examples have grown by this factor.
RECONSIDER = 1.6


@dataclass(frozen=True)
class Member:
    """One way of comparing images, and how much its word counts.

    Attributes:
        parts: Parts of the features whose distances are averaged.
        share: Its share in the mean of all members' logits, 0 to 1.
        weights: float32 (landmarks, classes), scaled to logits.
        bias: float32 (classes,), scaled to logits.
    """

    parts: tuple[str, ...]
    share: float
    weights: NDArray[np.float32]
    bias: NDArray[np.float32]


class Head:
    """Kernel machines over the parts of a feature vector that help, averaged and calibrated.

    Calibration is by leave-one-out: exact here, and at no cost.

    Attributes:
        classes: Names of the classes, in the order of the probabilities.
        members: What is averaged.
        accuracy: Leave-one-out accuracy with its interval; None where every class has a single example.
        losses: Leave-one-out log loss of each example in nats, not a number for the only one of its class; None for
            a head that was read from a file.
        examples: From how many examples the members were chosen.
    """

    def __init__(
        self,
        classes: list[str],
        members: list[Member],
        accuracy: Figure | None,
        examples: int,
        *,
        parts: dict[str, slice],
        scales: dict[str, float],
        landmarks: NDArray[np.float32],
        present: NDArray[np.intp],
        losses: NDArray[np.floating[Any]] | None = None,
    ) -> None:
        self.losses = losses
        self.classes, self.members, self.accuracy, self.examples = classes, members, accuracy, examples
        self._parts, self._scales = parts, scales
        self._landmarks, self._present = landmarks, present

    @classmethod
    @on_one_thread
    def fit(
        cls,
        features: NDArray[np.float32],
        labels: Sequence[str],
        *,
        parts: dict[str, slice] | None = None,
        classes: Sequence[str] | None = None,
        warm: Head | None = None,
    ) -> Head:
        """Fit to examples.

        Args:
            features: float32 (n, d), n at least 1.
            labels: Class of each example.
            parts: Named slices of the columns to choose among; None takes all columns as one part.
            classes: All classes, also those without an example yet, which get probability 0; None for
                those of the labels, in alphabetical order.
            warm: An earlier head for the same question: its choice of parts is kept while the examples are not
                many more, which makes a refit fast.

        Raises:
            InputError: No examples, values that are not finite, or labels and features that do not match.
        """
        names = list(classes) if classes is not None else sorted(set(labels))
        _check(features, labels, names)
        parts = dict(parts or {"all": slice(0, features.shape[1])})
        present = np.flatnonzero([name in set(labels) for name in names])
        place = {names[c]: i for i, c in enumerate(present)}
        targets = np.array([place[label] for label in labels], np.intp)
        chosen = _landmarks(targets)
        scales = {name: _spread(features[:, part]) for name, part in parts.items()}
        kept = warm if warm is not None and _still_holds(warm, parts, len(labels)) else None
        tried = [m.parts for m in kept.members] if kept else combinations(list(parts))
        distances = _distances(features, features[chosen], parts, scales)
        solved = {c: _solve(distances, c, chosen, targets) for c in tried}
        shares = {m.parts: m.share for m in kept.members} if kept else _shares(solved, targets)
        accuracy, losses = _held_out(solved, shares, targets)
        return cls(
            names,
            [Member(c, share, *_weights(solved[c])) for c, share in shares.items()],
            accuracy,
            kept.examples if kept else len(labels),
            parts=parts,
            scales=scales,
            landmarks=features[chosen],
            present=present,
            losses=losses,
        )

    @on_one_thread
    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return calibrated probabilities float32 (n, classes); rows sum to 1.

        Args:
            features: float32 (n, d), of the same model as the examples.

        Raises:
            InputError: The features have another width than the examples had.
        """
        if features.ndim != 2 or features.shape[1] != self._landmarks.shape[1]:
            raise InputError(
                "These features are not of the model that the examples were seen with.",
                expected=f"(n, {self._landmarks.shape[1]})",
                got=str(features.shape),
                hint="label again with this model",
            )
        found = np.zeros((len(features), len(self.classes)), np.float32)
        for start in range(0, len(features), CHUNK):
            rows = slice(start, start + CHUNK)
            found[rows, self._present] = kernel.softmax(self._logits(features[rows]))
        return found

    def _logits(self, features: NDArray[np.float32]) -> Floats:
        used = {name: self._parts[name] for m in self.members for name in m.parts}
        distances = _distances(features, self._landmarks, used, self._scales)
        return sum(
            (m.share * (_kernel(distances, m.parts) @ m.weights + m.bias) for m in self.members),
            start=np.zeros((len(features), len(self._present)), np.float32),
        )

    def save(self, path: Path) -> None:
        """Write the head to an .npz file, without pickle."""
        from lucida.label.stored import save_head

        save_head(self, path)

    @classmethod
    def load(cls, path: Path) -> Head:
        """Read a head that `save` wrote.

        Raises:
            ModelError: The file is missing or damaged.
        """
        from lucida.label.stored import load_head

        return load_head(path)


CHUNK = 4096  # rows at a time, so that memory stays bounded whatever is asked for


def combinations(names: list[str]) -> list[tuple[str, ...]]:
    """Return which parts to try together: all, each alone, and all but one."""
    tried = [tuple(names), *((n,) for n in names), *(tuple(n for n in names if n != out) for out in names)]
    return [c for c in dict.fromkeys(tried) if c]


def _check(features: NDArray[np.float32], labels: Sequence[str], classes: list[str]) -> None:
    if features.ndim != 2 or len(features) != len(labels) or not len(labels):
        raise InputError(
            "Features and labels do not match.",
            expected="features (n, d) and n labels, n at least 1",
            got=f"features {features.shape}, {len(labels)} labels",
        )
    if not np.isfinite(features).all():
        raise InputError("The features hold values that are not finite.", expected="numbers", got="NaN or inf")
    unknown = set(labels) - set(classes)
    if unknown:
        raise InputError(
            "Some labels are none of the classes.",
            expected=", ".join(classes),
            got=", ".join(sorted(unknown)),
            hint="name every class that has an example",
        )


def _still_holds(warm: Head, parts: dict[str, slice], n: int) -> bool:
    return warm._parts == parts and warm.examples <= n < RECONSIDER * warm.examples


def _landmarks(targets: NDArray[np.intp]) -> NDArray[np.intp]:
    """Choose the examples to compare with: all, or as many of each class as its share allows."""
    n = len(targets)
    if n <= LANDMARKS:
        return np.arange(n)
    shuffled = np.random.default_rng(0).permutation(n)
    order = shuffled[np.argsort(targets[shuffled], kind="stable")]
    return np.sort(order[np.linspace(0, n - 1, LANDMARKS).astype(np.intp)])


def _spread(features: NDArray[np.float32]) -> float:
    """Return the root mean square distance of the rows from their mean, so that every part counts alike."""
    return max(float(np.sqrt(((features - features.mean(axis=0)) ** 2).sum(axis=1).mean())), 1e-6)


def _distances(
    rows: NDArray[np.float32], others: NDArray[np.float32], parts: dict[str, slice], scales: dict[str, float]
) -> dict[str, Floats]:
    return {
        name: kernel.squared_distances(rows[:, part] / scales[name], others[:, part] / scales[name])
        for name, part in parts.items()
    }


def _kernel(distances: dict[str, Floats], parts: tuple[str, ...]) -> Floats:
    total = sum((distances[name] for name in parts[1:]), start=distances[parts[0]])
    return np.asarray(np.exp(np.float32(-WIDTH / len(parts)) * total))


def _solve(
    distances: dict[str, Floats], parts: tuple[str, ...], landmarks: NDArray[np.intp], targets: NDArray[np.intp]
) -> Solution:
    # The only example of a class cannot be named rightly without it: it says nothing when held out.
    return kernel.solve(_kernel(distances, parts), landmarks, targets, np.bincount(targets)[targets] > 1)


def _shares(solved: dict[tuple[str, ...], Solution], targets: NDArray[np.intp]) -> dict[tuple[str, ...], float]:
    """Weigh members by leave-one-out log loss; those that would hardly count are left out.

    Source: Yao et al. 2018, Using Stacking to Average Bayesian Predictive Distributions (pseudo-BMA).
    """
    lowest = min(s.loss for s in solved.values())
    if not np.isfinite(lowest):
        return {next(iter(solved)): 1.0}
    found = {c: float(np.exp(-(s.loss - lowest) * len(targets) / PATIENCE)) for c, s in solved.items()}
    total = sum(found.values())
    found = {c: w for c, w in found.items() if w / total >= NEGLIGIBLE}
    total = sum(found.values())
    return {c: w / total for c, w in found.items()}


def _weights(solution: Solution) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    return (
        (solution.scale * solution.weights).astype(np.float32),
        (solution.scale * solution.bias).astype(np.float32),
    )


def _held_out(
    solved: dict[tuple[str, ...], Solution], shares: dict[tuple[str, ...], float], targets: NDArray[np.intp]
) -> tuple[Figure | None, Floats]:
    """Return the leave-one-out accuracy, and each example's log loss, of all members together."""
    counted = np.bincount(targets)[targets] > 1
    logits = np.sum([share * solved[c].held_out for c, share in shares.items()], axis=0)
    losses = np.where(counted, kernel.log_loss(logits, targets), np.nan)
    if not counted.any():
        return None, losses
    right = int((logits.argmax(axis=1) == targets)[counted].sum())
    return Figure.share(right, int(counted.sum())), losses
