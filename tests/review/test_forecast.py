"""Quotes: about right, as a range, and never an exception."""

from __future__ import annotations

import time

import numpy as np
import pytest

from lucida.errors import InputError
from lucida.review import Session
from lucida.review.forecast import expected_acceptance, forecast


def made(accuracy: float, n: int = 4000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    q = rng.beta(2 * accuracy, 2 * (1 - accuracy), n)
    return q, rng.random(n) < q


def reviewed(scores: np.ndarray, right: np.ndarray, seed: int, **options: float) -> tuple[int, int]:
    session = Session([str(i) for i in range(len(scores))], ["a"] * len(scores), scores, seed=seed, **options)  # type: ignore[arg-type]
    while (name := session.next()) is not None:
        session.answer(name, "right" if right[int(name)] else "wrong")
    return session.status().reviews, session.status().accepted


@pytest.mark.parametrize(
    ("accuracy", "max_error", "share"),
    [(0.8, 0.05, 0.43), (0.9, 0.02, 0.54), (0.9, 0.05, 0.73), (0.95, 0.02, 0.77), (0.99, 0.05, 0.98)],
)
def test_expected_acceptance_is_near_what_was_measured(accuracy: float, max_error: float, share: float) -> None:
    """The shares are the means of 90 simulated reviews of 10,000 labels each, an unaccepted one worth half a review."""
    q, _ = made(accuracy, 10_000)
    assert expected_acceptance(q, max_error, worth=0.5) == pytest.approx(share, abs=0.05)


def test_expected_acceptance_grows_with_the_model_and_with_the_error_allowed() -> None:
    by_model = [expected_acceptance(made(a)[0], 0.05) for a in (0.5, 0.7, 0.9, 0.99)]
    by_error = [expected_acceptance(made(0.9)[0], e) for e in (0.005, 0.02, 0.05, 0.2)]
    assert by_model == sorted(by_model)
    assert by_error == sorted(by_error)
    assert by_model[-1] > 0.9


@pytest.mark.parametrize("p_right", [[], [0.5], [1.0], [0.0] * 10, [1.0] * 10_000])
def test_expected_acceptance_of_odd_populations_is_a_share(p_right: list[float]) -> None:
    assert 0 <= expected_acceptance(p_right, 0.05) <= 1


def test_expected_acceptance_is_fast() -> None:
    q, _ = made(0.9, 10_000)
    start = time.process_time()
    for _ in range(20):
        expected_acceptance(q, 0.05)
    assert time.process_time() - start < 20 * 0.02


def test_the_range_of_a_quote_holds_what_then_happens() -> None:
    scores, right = made(0.95)
    rows = np.random.default_rng(1).choice(len(scores), 30, replace=False)
    quote = forecast(scores, max_error=0.05, answers=[(int(i), bool(right[i])) for i in rows], simulations=15)
    outcomes = [reviewed(scores, right, seed, max_error=0.05) for seed in range(5)]
    assert quote.reviews[0] <= quote.reviews[1] <= quote.reviews[2]
    assert 0.5 * quote.reviews[0] <= np.median([r for r, _ in outcomes]) <= 2 * quote.reviews[2]
    assert 0.8 * quote.accepted[0] <= np.median([a for _, a in outcomes]) <= quote.accepted[2] + 200
    assert quote.total == 4000


def test_bad_answers_lower_the_quote() -> None:
    scores, _ = made(0.95)
    rows = list(range(0, 4000, 100))
    good = forecast(scores, max_error=0.05, answers=[(i, True) for i in rows], simulations=8)
    bad = forecast(scores, max_error=0.05, answers=[(i, i % 200 == 0) for i in rows], simulations=8)
    assert bad.accepted[1] < good.accepted[1]


def test_scores_that_are_no_probabilities_get_a_quote() -> None:
    quote = forecast(np.random.default_rng(0).normal(3, 10, 3000), max_error=0.05, simulations=5)
    assert quote.reviews[2] > 0
    assert quote.to_json()["reviews"] == list(quote.reviews)


@pytest.mark.parametrize("scores", [[], [0.5], [0.9] * 30])
def test_tiny_populations_get_a_quote(scores: list[float]) -> None:
    quote = forecast(scores, max_error=0.05, simulations=3)
    assert quote.total == len(scores)
    assert quote.reviews[2] <= len(scores)


def test_a_quote_is_the_same_for_the_same_seed_and_respects_the_limit() -> None:
    scores, _ = made(0.9)
    first, second = (forecast(scores, max_error=0.02, max_reviews=150, simulations=4) for _ in range(2))
    assert first == second
    assert first.reviews[2] <= 150


def test_a_large_population_is_quoted_from_a_sample() -> None:
    scores, _ = made(0.95, 300_000)
    start = time.process_time()
    quote = forecast(scores, max_error=0.05, simulations=3)
    assert time.process_time() - start < 5
    assert quote.accepted[1] > 100_000


def test_scores_that_are_not_finite_are_refused() -> None:
    with pytest.raises(InputError):
        forecast([0.5, float("nan")], max_error=0.05)
