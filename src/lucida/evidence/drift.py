"""Whether what comes is still what a reference was: numbers and vectors of a stream, watched for ever.

**The promise.** As long as what comes is exchangeable with the reference, the chance that there is *ever* an alarm is
at most `level`, however long one watches and however often one looks. No horizon, and no independence of the numbers of
one image: each number, and the kernel test, has a part of the level (a union bound).

**What is assumed.** Exchangeability, nothing else: no law, no size of the reference. So what is drawn must be drawn
without regard to what it shows; and twenty frames of one scene, or one image sent twenty times, are *not*
exchangeable with a reference of single images: draw thinly, and count equal images once.

**Why this, and not a test a day.** A Kolmogorov-Smirnov test of each number each day with Bonferroni's correction
promises a level a *day*: over 100 days an alarm is all but sure; and with all of the days' numbers corrected for, it
sees a change at the end of a day at the soonest. Bets on ranks may be looked at after every image, and a restart begins
with each ten of them: with a normal law that moved by d standard deviations they need about
2 (ln 1/level + ln parts + ln time) / d² images, which no procedure with this promise improves on but in the last two
terms. Vectors have a kernel test besides, for changes of directions that nobody thought of.

The reference is divided at random: a learning part fixes what is computed (components, distances, the kernel), the
calibration part alone is ranked against. Neither saw the other, so both parts of the promise are exact.

Source: `lucida.evidence.ranks` and `lucida.evidence.kernel` name theirs; Shekhar & Ramdas, "Sequential changepoint
detection via backward confidence sequences", ICML 2023, and Shin, Ramdas & Rinaldo 2023 on the delay.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.distance import cdist

from lucida.errors import InputError
from lucida.evidence.finite import Floats
from lucida.evidence.kernel import Witnesses, median_width, witness
from lucida.evidence.ranks import MOST, Ranks, Restarts, log_bets

LEARNING: Final = 1 / 3  # share of the reference
LEAST: Final = 60  # rows of a reference
KERNEL: Final = 0.2  # share of the level
COMPONENTS: Final = 8  # of the vectors, that are ranked
KERNEL_COMPONENTS: Final = 16  # that the kernel test sees
NEIGHBOURS: Final = 5  # the distance to the nearest of the learning part
WINDOW: Final = 500  # rows whose ranks are kept, to say which of them changed
VECTORS: Final = "vectors"  # name of the kernel test among signals


class Signal(NamedTuple):
    """Say that something has changed.

    Attributes:
        name: The number, "component 1", "distance", or `VECTORS` for the kernel test.
        direction: +1 where it grew, -1 where it fell, 0 where it changed otherwise.
        evidence: The log e-value less what it needed, at least 0.
        since: Number of the row with which the change seems to have begun.
        at: Number of the row at which it was plain.
    """

    name: str
    direction: int
    evidence: float
    since: int
    at: int


@dataclass(frozen=True)
class Projection:
    """Turn vectors into a few numbers, as learned from vectors: components, and the distance to what is known.

    Attributes:
        mean: (d,).
        axes: (d, components), each divided by the standard deviation along it.
        known: The learning vectors along these axes, (n, components).
    """

    mean: Floats
    axes: Floats
    known: Floats

    @classmethod
    def fit(cls, vectors: ArrayLike) -> Projection:
        """Learn from vectors (n, d): principal components with variance 1."""
        given = np.asarray(vectors, dtype=np.float64)
        mean = given.mean(axis=0)
        _, widths, axes = np.linalg.svd(given - mean, full_matrices=False)
        stay = min(KERNEL_COMPONENTS, int((widths > 1e-9 * max(float(widths[0]), 1e-300)).sum())) or 1
        scale = np.maximum(widths[:stay], 1e-300) / math.sqrt(max(len(given) - 1, 1))
        scaled = axes[:stay].T / scale
        return cls(mean, scaled, (given - mean) @ scaled)

    def __call__(self, vectors: ArrayLike) -> Floats:
        """Return the components (t, components) of vectors (t, d)."""
        return np.asarray((np.asarray(vectors, dtype=np.float64) - self.mean) @ self.axes)

    def distance(self, components: Floats) -> Floats:
        """Return how far components (t, components) are from their nearest known ones, (t,)."""
        near = min(NEIGHBOURS, len(self.known))
        return np.asarray(np.sqrt(np.partition(cdist(components, self.known, "sqeuclidean"), near - 1)[:, near - 1]))


class Drift:
    """Watches numbers and vectors of a stream against a reference.

    Args:
        names: Of the numbers.
        numbers: Of the reference, (n, len(names)); NaN where one is missing.
        vectors: Of the reference, (n, d); None for none.
        level: Chance that there is ever an alarm although nothing has changed.
        seed: Of the division of the reference and of what breaks ties.
        most: Rows to keep to compare with.

    Attributes:
        names: Of all that is ranked.
        reference: The calibration part, what all is ranked against, (n, names).
        seen: Rows so far.
        crossed: What has changed, by name.

    Raises:
        InputError: The reference is too small, or its parts have different lengths.
    """

    def __init__(
        self,
        names: Sequence[str],
        numbers: ArrayLike,
        vectors: ArrayLike | None = None,
        *,
        level: float = 0.05,
        seed: int | Sequence[int] = 0,
        most: int = MOST,
    ) -> None:
        given = np.asarray(numbers, dtype=np.float64).reshape(-1, len(names))
        known = None if vectors is None else np.asarray(vectors, dtype=np.float64)
        _check(given, known, level)
        generator = np.random.default_rng(seed)
        order = generator.permutation(len(given))
        learning, calibration = np.split(order, [round(LEARNING * len(order))])
        self.level = level
        self._projection = Projection.fit(known[learning]) if known is not None else None
        held = self._projection(known[calibration]) if known is not None and self._projection is not None else None
        self._witnesses: Witnesses | None = None
        self.names = (*names,)
        if self._projection is not None and held is not None:
            count = min(COMPONENTS, self._projection.axes.shape[1])
            self.names = (*names, *(f"component {one + 1}" for one in range(count)), "distance")
            self._witnesses = Witnesses(self._projection.known, held, KERNEL * level, generator)
        self.reference = self.columns(given[calibration], held)
        self._ranks = Ranks(self.reference, generator, most)
        self._bets = Restarts(len(self.names))
        share = (1 - KERNEL if self._witnesses else 1.0) * level / len(self.names)
        self._needed = -math.log(share)
        self.crossed: dict[str, Signal] = {}
        self._latest = np.empty((0, len(self.names)))

    @property
    def seen(self) -> int:
        """Rows so far."""
        return self._bets.seen

    @property
    def latest(self) -> Floats:
        """Ranks of the latest rows, at most `WINDOW`, (t, names)."""
        return self._latest

    def components(self, vectors: ArrayLike) -> Floats:
        """Return what is looked at of vectors (t, d): their components, (t, components)."""
        if self._projection is None:
            return np.empty((len(np.asarray(vectors)), 0))
        return self._projection(vectors)

    def columns(self, numbers: ArrayLike, components: ArrayLike | None = None) -> Floats:
        """Return all that is ranked of rows, (t, names): the numbers (t, numbers), and what is made of components."""
        given = np.asarray(numbers, dtype=np.float64)
        if self._projection is None or components is None:
            return given
        along = np.asarray(components, dtype=np.float64)
        count = len(self.names) - given.shape[1] - 1
        return np.column_stack([given, along[:, :count], self._projection.distance(along)])

    def add(self, numbers: ArrayLike, vectors: ArrayLike | None = None) -> list[Signal]:
        """Take rows in their order; return what has changed now and had not before.

        Args:
            numbers: (t, names).
            vectors: (t, d), where the reference had vectors.
        """
        before = self.seen
        components = None if self._projection is None or vectors is None else self._projection(vectors)
        rows = self.columns(numbers, components)
        ranks = self._ranks.add(rows)
        evidence = self._bets.add(ranks) - self._needed
        self._latest = np.concatenate([self._latest, ranks])[-WINDOW:]
        found = [self._signal(int(column), evidence, before) for column in np.flatnonzero((evidence >= 0).any(axis=0))]
        if self._witnesses is not None and components is not None:
            won = self._witnesses.add(components)
            if won is not None:
                since = max(0, before + won.at - 100)
                found.append(Signal(VECTORS, 0, won.beyond, since, before + won.at))
        new = [signal for signal in found if signal.name not in self.crossed]
        self.crossed |= {signal.name: signal for signal in new}
        return new

    def _signal(self, column: int, evidence: Floats, before: int) -> Signal:
        best = self._bets.best(column)
        name = Restarts.names[best]
        direction = (1 if "+" in name else -1) if name.startswith("shift") else 0
        at = before + int(np.argmax(evidence[:, column] >= 0))
        since = min(int(self._bets.since[column, best]), at)
        return Signal(self.names[column], direction, float(evidence[:, column].max()), since, at)

    def evidence(self) -> dict[str, float]:
        """Return for each name the log e-value now, less what it needs: an alarm at 0."""
        with np.errstate(divide="ignore"):
            logs = np.log(self._bets.wealth.sum(axis=1)) - self._needed
        found = {name: float(one) for name, one in zip(self.names, logs, strict=True)}
        return found if self._witnesses is None else {**found, VECTORS: self._witnesses.evidence}

    def blame(self, signals: Sequence[Signal]) -> Floats:
        """Return how much each of the latest rows speaks for some signals: the log odds that their bets paid, (t,)."""
        total = np.zeros(len(self._latest))
        for signal in signals:
            if signal.name not in self.names:
                continue
            column = self.names.index(signal.name)
            best = self._bets.best(column)
            fixed = log_bets(self._latest[:, column])
            # What was learned from ranks moves on; of the fixed bets, the one that fits these rows best stands for it.
            chosen = best if best < fixed.shape[1] else int(np.nansum(fixed, axis=0).argmax())
            total += np.nan_to_num(fixed[:, chosen])
        return total

    def witness(self, components: ArrayLike, changed: ArrayLike) -> Floats:
        """Compute how much more rows are of what changed than of the reference, by the MMD.

        Args:
            components: Of the rows, (t, components).
            changed: Components of rows that changed, (m, components).
        """
        if self._projection is None:
            return np.zeros(len(np.asarray(components)))
        known = self._projection.known
        return witness(components, changed, known, median_width(known))

    def state(self) -> dict[str, NDArray[Any]]:
        """Return what cannot be computed again from the reference and the rows: plain arrays."""
        crossed = list(self.crossed.values())
        return {
            **self._bets.state(),
            "latest": self._latest,
            "crossed": np.array([signal.name for signal in crossed], dtype=np.str_),
            "signals": np.array([signal[1:] for signal in crossed], dtype=np.float64).reshape(-1, 4),
            "witnesses": np.array(self._witnesses.number if self._witnesses else 0),
        }

    def restore(self, state: dict[str, NDArray[Any]], columns: ArrayLike) -> None:
        """Go on where another with the same reference and seed stood; witnesses at work are given up, not their share.

        Args:
            state: What `state` gave.
            columns: What `columns` gave of the rows that were seen, those that are still kept.
        """
        self._bets.restore(state)
        rows = np.asarray(columns, dtype=np.float64)
        if len(rows):
            self._ranks.keep(rows)
        self._latest = state["latest"].reshape(-1, len(self.names))
        for name, (direction, evidence, since, at) in zip(state["crossed"], state["signals"], strict=True):
            self.crossed[str(name)] = Signal(str(name), int(direction), float(evidence), int(since), int(at))
        if self._witnesses is not None:
            self._witnesses.number = int(state["witnesses"])


def _check(numbers: Floats, vectors: Floats | None, level: float) -> None:
    if not 0 < level < 1:
        raise InputError(
            "The level of false alarms is out of range.",
            expected="a number between 0 and 1, both excluded",
            got=repr(level),
            hint="0.05 is one false alarm in twenty watches, for ever",
        )
    if len(numbers) < LEAST or (vectors is not None and len(vectors) != len(numbers)):
        raise InputError(
            "This reference is too small, or its parts do not belong together.",
            expected=f"at least {LEAST} rows, and a vector for each or none",
            got=f"{len(numbers)} rows" + (f", {len(vectors)} vectors" if vectors is not None else ""),
            hint="a few hundred images make a good reference",
        )
