"""The by-example head: features of images to calibrated probabilities of classes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lucida.errors import InputError, ModelError
from lucida.label import logistic
from lucida.label.threads import on_one_thread
from lucida.label.validation import Accuracy, HeldOut, as_index, combinations, hold_out, stratified_folds

if TYPE_CHECKING:
    from numpy.typing import NDArray

STRENGTHS = (0.3, 3.0, 30.0, 300.0)
# The choice of parts and strength is made anew when the examples have grown by this factor.
RECONSIDER = 1.6


@dataclass(frozen=True)
class Choice:
    """What cross-validation chose: which parts of the features, how strongly to fit, from how many examples."""

    parts: tuple[str, ...]
    strength: float
    examples: int


class Head:
    """Multinomial logistic regression over the parts of a feature vector that help, calibrated.

    Attributes:
        classes: Names of the classes, in the order of the probabilities.
        choice: What cross-validation chose.
        accuracy: Cross-validated accuracy with its interval; None with too few examples to hold any out.
    """

    def __init__(
        self,
        classes: list[str],
        choice: Choice,
        accuracy: Accuracy | None,
        *,
        columns: NDArray[np.intp],
        centre: NDArray[np.float32],
        gain: NDArray[np.float32],
        weights: NDArray[np.float32],
        present: NDArray[np.intp],
    ) -> None:
        self.classes, self.choice, self.accuracy = classes, choice, accuracy
        self._columns, self._centre, self._gain = columns, centre, gain
        self._weights, self._present = weights, present

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
            warm: An earlier head for the same question: its choices are kept while the examples are not many
                more, which makes a refit fast.

        Raises:
            InputError: No examples, values that are not finite, or labels and features that do not match.
        """
        names = list(classes) if classes is not None else sorted(set(labels))
        _check(features, labels, names)
        parts = parts or {"all": slice(0, features.shape[1])}
        present = np.flatnonzero([name in set(labels) for name in names])
        targets = as_index(list(labels), [names[i] for i in present])
        scaled, centre, gain = _standardise(features, parts)
        choice, held = _choose(scaled, targets, len(present), parts, warm)
        columns = _columns(parts, choice.parts)
        kept, rotation = _rotate(scaled[:, columns])
        weights = logistic.fit(kept, targets, len(present), choice.strength)
        weights = np.concatenate([rotation @ weights[:-1], weights[-1:]]) if rotation is not None else weights
        return cls(
            names,
            choice,
            held.accuracy if held else None,
            columns=columns,
            centre=centre[columns],
            gain=gain[columns],
            weights=(weights / (held.temperature if held else 1.0)).astype(np.float32),
            present=present,
        )

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return calibrated probabilities float32 (n, classes); rows sum to 1.

        Args:
            features: float32 (n, d), of the same model as the examples.
        """
        scaled = (features[:, self._columns] - self._centre) * self._gain
        found = np.zeros((len(features), len(self.classes)), np.float32)
        found[:, self._present] = logistic.softmax(logistic.apply(scaled, self._weights))
        return found

    def save(self, path: Path) -> None:
        """Write the head to an .npz file, without pickle."""
        about = {
            "classes": self.classes,
            "choice": [list(self.choice.parts), self.choice.strength, self.choice.examples],
            "accuracy": None if self.accuracy is None else list(self.accuracy.__dict__.values()),
        }
        partial = path.with_name(path.name + ".partial")
        with partial.open("wb") as file:
            np.savez(
                file,
                about=np.frombuffer(json.dumps(about).encode(), np.uint8),
                columns=self._columns,
                centre=self._centre,
                gain=self._gain,
                weights=self._weights,
                present=self._present,
            )
        partial.replace(path)

    @classmethod
    def load(cls, path: Path) -> Head:
        """Read a head that `save` wrote.

        Raises:
            ModelError: The file is missing or damaged.
        """
        try:
            with np.load(path, allow_pickle=False) as stored:
                about = json.loads(stored["about"].tobytes())
                arrays = {name: stored[name] for name in ("columns", "centre", "gain", "weights", "present")}
        except (OSError, ValueError, KeyError) as error:
            raise ModelError(
                "The head of this run cannot be read.",
                expected=f"a file that `lucida label` wrote at {path}",
                got=str(error),
                hint="label again, under another --question",
            ) from error
        parts, strength, examples = about["choice"]
        accuracy = None if about["accuracy"] is None else Accuracy(*about["accuracy"])
        return cls(about["classes"], Choice(tuple(parts), strength, examples), accuracy, **arrays)


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


def _standardise(
    features: NDArray[np.float32], parts: dict[str, slice]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Give every column mean 0 and variance 1, and every part the same total weight whatever its width."""
    centre = features.mean(axis=0)
    spread = features.std(axis=0)
    gain = np.zeros_like(spread)
    for part in parts.values():
        # A column that hardly varies among few examples may vary widely later: never blow it up.
        floor = max(0.1 * float(np.sqrt((spread[part] ** 2).mean())), 1e-6)
        gain[part] = 1 / np.maximum(spread[part], floor) / np.sqrt(spread[part].size)
    return ((features - centre) * gain).astype(np.float32), centre, gain.astype(np.float32)


def _columns(parts: dict[str, slice], names: Sequence[str]) -> NDArray[np.intp]:
    return np.concatenate([np.arange(parts[n].start, parts[n].stop) for n in parts if n in names])


def _rotate(features: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """Turn n rows of more than n columns into n columns: the same regression, at a fraction of the cost.

    Returns:
        Features (n, k) and the rotation (d, k) with `features @ rotation` equal to them; None for no rotation.
    """
    n, d = features.shape
    if d <= n:
        return features, None
    values, vectors = np.linalg.eigh(features.astype(np.float64) @ features.T.astype(np.float64))
    kept = values > 1e-9 * max(float(values[-1]), 1e-30)
    roots = np.sqrt(values[kept])
    rotated = vectors[:, kept] * roots
    rotation = features.T @ (vectors[:, kept] / roots)
    return rotated.astype(np.float32), rotation.astype(np.float32)


def _choose(
    scaled: NDArray[np.float32],
    targets: NDArray[np.intp],
    classes: int,
    parts: dict[str, slice],
    warm: Head | None,
) -> tuple[Choice, HeldOut | None]:
    """Choose parts and strength by cross-validated log loss."""
    n = len(targets)
    folds = stratified_folds(targets)
    if classes < 2 or (folds >= 0).sum() < 4:
        return Choice(tuple(parts), STRENGTHS[1], n), None
    kept = warm.choice if warm is not None and n < RECONSIDER * warm.choice.examples else None
    if kept is not None and set(kept.parts) <= set(parts):
        rotated, _ = _rotate(scaled[:, _columns(parts, kept.parts)])
        return kept, hold_out(rotated, targets, classes, kept.strength, folds)
    tried: list[tuple[float, Choice, HeldOut]] = []
    for names in combinations(parts):
        rotated, _ = _rotate(scaled[:, _columns(parts, names)])
        for strength in STRENGTHS:
            held = hold_out(rotated, targets, classes, strength, folds)
            tried.append((held.loss, Choice(names, strength, n), held))
    _, choice, best = min(tried, key=lambda t: t[0])
    return choice, best
