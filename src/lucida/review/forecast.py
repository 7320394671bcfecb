"""What a review will take and bring, before it is made: a quote as a range.

A quote is no proof. It runs the real procedure on labels that are made up from a guess of how the error depends on
the score; the guess is drawn anew for each run, so the range says how little is known.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, logit, ndtri

from lucida.evidence.finite import Floats
from lucida.evidence.order import Shuffle, score_bins
from lucida.evidence.selection import Selection
from lucida.evidence.steering import relative_entropy
from lucida.review.population import finite_scores

_OVERHEAD = 2.0  # nats beyond ln(1/delta): the entry's share of the level, and what the mixture costs
_SIMULATED = 10_000  # labels per run: the answers needed hardly grow with their number
_GUESSES = 4_000


@dataclass(frozen=True)
class Forecast:
    """Hold a quote: (low, median, high) of the reviews needed, and of the labels accepted without a look.

    Low and high leave out the lowest and the highest tenth of the simulated reviews.
    """

    reviews: tuple[int, int, int]
    accepted: tuple[int, int, int]
    total: int
    simulations: int

    def to_json(self) -> dict[str, Any]:
        """Give the quote as JSON values."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}


def expected_acceptance(p_right: ArrayLike, max_error: float, *, confidence: float = 0.95, worth: float = 1.0) -> float:
    """Estimate the share of labels that a review would accept unchecked, in about a millisecond for 10,000.

    Args:
        p_right: calibrated probability for each label to be right, shape (n,), within [0, 1].
        max_error: the rate of wrong labels that what is kept must not exceed, within (0, 1).
        confidence: the probability with which the claim holds, within (0, 1).
        worth: how many answers one more kept label is worth.

    Returns:
        A number in [0, 1]; 0 without labels.
    """
    right = np.sort(np.asarray(p_right, dtype=np.float64))[::-1]
    if not len(right):
        return 0.0
    size = np.unique(np.linspace(1, len(right), min(len(right), 200)).astype(np.int64))
    rate = (np.cumsum(1 - right)[size - 1]) / size
    speed = relative_entropy(np.minimum(rate, 0.95 * max_error), np.full(len(size), max_error))
    reads = (math.log(1 / (1 - confidence)) + _OVERHEAD) / speed
    answers = size * (1 - np.exp(-reads / size))  # drawing without replacement ends at the whole set
    value = np.where(rate < 0.9 * max_error, worth * size - answers, -np.inf)
    best = int(np.argmax(value))
    if not value[best] > 0:
        return 0.0
    return float(max(size[best] - answers[best], 0.0) / len(right))


def forecast(
    scores: ArrayLike,
    *,
    max_error: float,
    confidence: float = 0.95,
    worth: float = 1.0,
    max_reviews: int | None = None,
    answers: Sequence[tuple[int, bool]] = (),
    simulations: int = 20,
    seed: int = 0,
) -> Forecast:
    """Quote what a review would take, by running it on made-up labels.

    Args:
        scores: n finite numbers. If all lie within [0, 1] they are taken as rough probabilities of being right.
        max_error: the rate of wrong labels that what is kept must not exceed, within (0, 1).
        confidence: the probability with which the claim holds, within (0, 1).
        worth: how many answers one more kept label is worth.
        max_reviews: the most labels to ask for; None for no limit.
        answers: a few known ones, as (row, is the label right?); about 20 narrow the range a lot.
        simulations: how many reviews to run, about a tenth of a second each.
        seed: of the made-up labels; the same one gives the same quote.

    Raises:
        InputError: the scores are not finite numbers.
    """
    values, rng = finite_scores(scores), np.random.default_rng(seed)
    total = len(values)
    if not total:
        return Forecast((0, 0, 0), (0, 0, 0), 0, 0)
    curves = _guess_errors(values, answers, simulations, rng)
    bins, scale = score_bins(values), max(total / _SIMULATED, 1.0)
    reviews, accepted = [], []
    for errors in curves:
        rows = np.arange(total) if scale == 1 else rng.choice(total, _SIMULATED, replace=False)
        wrong = rng.random(len(rows)) < errors[bins[rows]]
        selection = Selection(
            values[rows],
            Shuffle(rng),
            max_error=max_error,
            level=1 - confidence,
            worth=worth * scale,
            max_reviews=max_reviews,
        )
        while (item := selection.next()) is not None:
            selection.answer(item, bool(wrong[item]))
        proven = selection.proven()
        reviews.append(selection.reviews)
        share = (proven.size - proven.reviewed) / len(rows) if proven else 0.0
        accepted.append(share * total)
    return Forecast(_range(reviews), _range(accepted), total, simulations)


def _range(values: Sequence[float]) -> tuple[int, int, int]:
    low, middle, high = np.quantile(values, (0.1, 0.5, 0.9)).round().astype(int).tolist()
    return low, middle, high


def _guess_errors(scores: Floats, answers: Sequence[tuple[int, bool]], draws: int, rng: np.random.Generator) -> Floats:
    """Draw error rates per score bin, shape (draws, bins): a line in the logit, weighted by the answers.

    The line is over the logit of the score where scores look like probabilities, else over their normal ranks.
    """
    bins = score_bins(scores)
    count = np.bincount(bins)
    mean_score = np.bincount(bins, weights=scores) / count
    if scores.min() >= 0 and scores.max() <= 1:
        base, centre = logit(np.clip(1 - mean_score, 1e-4, 0.9)), 0.0
    else:
        base, centre = ndtri((np.cumsum(count) - count / 2) / count.sum()) * 1.5, -2.5
    shift = rng.normal(centre, 1.0, _GUESSES)
    slope = rng.normal(0.9, 0.35, _GUESSES)
    rough = rng.normal(0, 0.3, (_GUESSES, len(base)))
    errors = expit(shift[:, None] + slope[:, None] * base + rough)
    weights = np.zeros(_GUESSES)
    for row, right in answers:
        rate = errors[:, bins[row]]
        weights += np.log(np.where(right, 1 - rate, rate))
    weights = np.exp(weights - weights.max())
    return np.asarray(errors[rng.choice(_GUESSES, draws, p=weights / weights.sum())], dtype=np.float64)
