"""Kernel two-sample tests: whether two sets of vectors are of one law, and which vectors speak against it.

The maximum mean discrepancy (MMD) is the distance of two laws' means in the space of a kernel, here Gaussian with the
median distance as its width. Its witness function says of each vector how much more of one law it is than of the other.
The fixed test permutes. Over time the witness is learned from what came before and bets on what comes next, as in tests
by betting: an e-process.

What is assumed: of the fixed test, that both sets together are exchangeable if nothing has changed; of `Witnesses`, the
same of the calibration part of the reference and what comes after a witness was learned.

Source: Gretton et al., "A kernel two-sample test", JMLR 2012; Shekhar & Ramdas, "Nonparametric two-sample testing by
betting", IEEE Transactions on Information Theory 2023 (bets on a learned witness); Rahimi & Recht, "Random features for
large-scale kernel machines", NIPS 2007; Hagrass, Sriperumbudur & Li, "Spectral regularized kernel two-sample tests",
Annals of Statistics 2024 (why the witness is whitened); Phipson & Smyth 2010 (the + 1 of a permutation's p-value).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.distance import cdist, pdist

from lucida.errors import InputError
from lucida.evidence.finite import Floats
from lucida.evidence.ranks import Ranks, log_bets, share_of

SAMPLE: Final = 1000  # vectors of which the median distance is taken
FREQUENCIES: Final = 128  # of the random features: twice as many numbers
RIDGE: Final = 0.3  # of the mean variance of a feature, added to each
RECENT: Final = 150  # vectors that a witness is learned from, at most
BATCH: Final = 50  # a new witness after so many
LASTS: Final = 500  # vectors that a witness bets on
BETS: Final = (0.4, 0.8, 1.5, 2.5)  # in standard deviations


def median_width(vectors: ArrayLike) -> float:
    """Return the median distance of vectors (n, d), 1 where all are equal."""
    given = _two(vectors)
    given = given[np.linspace(0, len(given) - 1, min(len(given), SAMPLE)).astype(int)]
    distance = float(np.median(pdist(given))) if len(given) > 1 else 0.0
    return distance or 1.0


def kernel(first: ArrayLike, second: ArrayLike, width: float) -> Floats:
    """Compute the Gaussian kernel of all pairs of two sets of vectors, (n, d) and (m, d): (n, m)."""
    return np.asarray(np.exp(-cdist(_two(first), _two(second), "sqeuclidean") / (2 * width**2)))


class Tested(NamedTuple):
    """What a test says: the squared MMD without bias (it may fall below 0), and the p-value."""

    mmd2: float
    p_value: float


def mmd_test(
    first: ArrayLike, second: ArrayLike, *, width: float | None = None, permutations: int = 999, seed: int = 0
) -> Tested:
    """Test whether two sets of vectors are of one law, once.

    Args:
        first: Vectors (n, d), at least two.
        second: Vectors (m, d), at least two.
        width: Of the kernel; None for the median distance of all.
        permutations: How many; the p-value is at least 1 / (permutations + 1).
        seed: Of the permutations.

    Raises:
        InputError: The sets are too small, or of different dimensions.
    """
    one, other = _two(first), _two(second)
    if min(len(one), len(other)) < 2 or one.shape[1] != other.shape[1]:
        raise InputError(
            "These sets cannot be compared.",
            expected="two sets of at least two vectors of one length",
            got=f"shapes {one.shape} and {other.shape}",
            hint="give more vectors, of the same model",
        )
    both = np.concatenate([one, other])
    found = kernel(both, both, width or median_width(both))
    np.fill_diagonal(found, 0.0)
    n, m = len(one), len(other)
    generator = np.random.default_rng(seed)
    sign = np.zeros((n + m, permutations + 1))
    sign[:n, 0] = 1
    for column in range(1, permutations + 1):
        sign[generator.permutation(n + m)[:n], column] = 1
    rest = 1 - sign
    inside, outside = found @ sign, found @ rest
    values = (
        (sign * inside).sum(axis=0) / (n * (n - 1))
        + (rest * outside).sum(axis=0) / (m * (m - 1))
        - 2 * (sign * outside).sum(axis=0) / (n * m)
    )
    # Rounding must not make a permutation that is the same division look smaller.
    least = values[0] - 1e-12
    return Tested(float(values[0]), float((values >= least).mean()))


def witness(vectors: ArrayLike, first: ArrayLike, second: ArrayLike, width: float) -> Floats:
    """Compute for vectors (t, d) how much more they are of the first set than of the second, by the MMD: (t,)."""
    return np.asarray(kernel(vectors, first, width).mean(axis=1) - kernel(vectors, second, width).mean(axis=1))


@dataclass(frozen=True)
class RandomFeatures:
    """Hold random Fourier features: their inner products are about the Gaussian kernel.

    Attributes:
        frequencies: float64 (d, frequencies).
    """

    frequencies: Floats

    @classmethod
    def of(cls, dimensions: int, width: float, generator: np.random.Generator) -> RandomFeatures:
        """Draw features of a kernel for vectors of so many dimensions."""
        return cls(generator.normal(0.0, 1 / width, (dimensions, FREQUENCIES)))

    def __call__(self, vectors: ArrayLike) -> Floats:
        """Return features (t, 2 · frequencies) of vectors (t, d)."""
        angles = _two(vectors) @ self.frequencies
        return np.concatenate([np.cos(angles), np.sin(angles)], axis=1) / math.sqrt(self.frequencies.shape[1])


@dataclass
class _Bet:
    """Hold one witness that bets: its number, its direction, ranks, wealth of each bet (log), vectors it has seen."""

    number: int
    direction: Floats
    ranks: Ranks
    wealth: Floats
    seen: int = 0


class Crossed(NamedTuple):
    """Say that a witness has won enough: its log e-value beyond what it needed, and the vector at which it did."""

    beyond: float
    at: int


class Witnesses:
    """Learn witnesses of what came last against a reference, and have them bet on what comes next.

    Each witness is fixed before it bets, so the ranks of its values among those of the calibration part, and of what
    came since, are uniform if nothing has changed; each has a share of the level.

    Args:
        learning: Part of the reference that witnesses are learned against, (n, d).
        calibration: The other part, which they are compared with, (m, d).
        level: Chance that any of them ever wins although nothing has changed.
        generator: Draws features and breaks ties.
    """

    def __init__(
        self, learning: ArrayLike, calibration: ArrayLike, level: float, generator: np.random.Generator
    ) -> None:
        self._generator, self._level = generator, level
        learnt = _two(learning)
        self.features = RandomFeatures.of(learnt.shape[1], median_width(learnt), generator)
        known = self.features(learnt)
        self._mean = known.mean(axis=0)
        spread = np.cov(known.T)
        ridge = RIDGE * float(np.trace(spread)) / len(spread)
        self._whiten = np.linalg.inv(spread + max(ridge, 1e-9) * np.eye(len(spread)))
        self._calibration = self.features(calibration)
        self._recent: list[Floats] = []
        self._bets: list[_Bet] = []
        self._since, self.number = 0, 0

    @property
    def evidence(self) -> float:
        """Log e-value of the best witness beyond what it needs: at 0 it has won; -inf before the first."""
        return max((self._beyond(bet) for bet in self._bets), default=-math.inf)

    def add(self, vectors: ArrayLike) -> Crossed | None:
        """Take vectors (t, d) in order; return the first win, if there is one."""
        found: Crossed | None = None
        rows = self.features(vectors)
        for start in range(0, len(rows), BATCH):
            part = rows[start : start + BATCH]
            for bet in self._bets:
                ranks = bet.ranks.add(part @ bet.direction[:, None])[:, 0]
                steps = log_bets(ranks, BETS, ())
                path = bet.wealth + np.cumsum(steps, axis=0)
                bet.wealth, bet.seen = path[-1], bet.seen + len(part)
                beyond = _log_mean(path) - self._needed(bet.number)
                if found is None and (beyond >= 0).any():
                    at = int(np.argmax(beyond >= 0))
                    found = Crossed(float(beyond.max()), start + at)
            self._bets = [bet for bet in self._bets if bet.seen < LASTS]
            self._recent = [*self._recent, *part][-RECENT:]
            self._since += len(part)
            if self._since >= BATCH:
                self._learn()
        return found

    def _learn(self) -> None:
        direction = self._whiten @ (np.mean(self._recent, axis=0) - self._mean)
        ranks = Ranks(self._calibration @ direction[:, None], self._generator)
        self._bets.append(_Bet(self.number, direction, ranks, np.zeros(len(BETS))))
        self.number, self._since = self.number + 1, 0

    def _needed(self, number: int) -> float:
        return -math.log(self._level * share_of(number))

    def _beyond(self, bet: _Bet) -> float:
        return float(_log_mean(bet.wealth[None])[0]) - self._needed(bet.number)


def _log_mean(logs: Floats) -> Floats:
    top = logs.max(axis=-1, keepdims=True)
    return np.asarray(top[..., 0] + np.log(np.exp(logs - top).mean(axis=-1)))


def _two(vectors: ArrayLike) -> Floats:
    given = np.asarray(vectors, dtype=np.float64)
    if given.ndim != 2 or not np.isfinite(given).all():
        raise InputError(
            "These are no vectors.",
            expected="finite numbers in an array (n, d)",
            got=f"shape {given.shape}" if given.ndim != 2 else "NaN or infinity",
            hint="a model that gives NaN has failed on these images: leave them out",
        )
    return given
