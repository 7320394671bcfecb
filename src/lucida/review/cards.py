"""What a person is shown: the image asked now, and where the review stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Phase = Literal["teach", "check", "done"]
Verdict = Literal["right", "wrong", "unsure"]


@dataclass(frozen=True)
class Card:
    """One image to be judged.

    Attributes:
        image: Content id.
        path: The path as given when the image was added.
        proposal: The proposed label.
        score: Calibrated probability that the proposal is right, in [0, 1].
        runner_ups: The next best labels with their probabilities, best first.
        phase: The phase that asks.
    """

    image: str
    path: str
    proposal: str
    score: float
    runner_ups: tuple[tuple[str, float], ...]
    phase: Phase


@dataclass(frozen=True)
class ReviewStatus:
    """Where a review stands.

    Attributes:
        phase: teach, check or done.
        question: The question under review.
        answers: Answers given in this phase.
        taught: Answers given in the teach phase of this question, all sessions together.
        reviews: Answers given in the check phase.
        errors_found: Wrong (or undecidable) labels among the reviews.
        total: Images in the frozen population; in the teach phase, images not taught yet.
        kept: Labels proven by now.
        accepted: Kept labels that nobody had to look at.
        bound: At most this share of the kept labels is wrong; 0 while nothing is kept.
        rate_left: The same for the accepted labels alone.
        max_error: The promise asked for.
        confidence: With this confidence.
        curve: (reviews, kept, bound) after each change, for the check phase.
        expected: (answers, expected share accepted) after each refit, for the teach phase.
        suggest_freeze: Whether more teaching is expected to win less than it costs.
        advice: What the program would do now, in a sentence; empty when there is nothing to say.
        reason: Why the check ended; empty before.
        done: Whether nothing is left to ask.
    """

    phase: Phase
    question: str
    answers: int
    taught: int
    reviews: int
    errors_found: int
    total: int
    kept: int
    accepted: int
    bound: float
    rate_left: float
    max_error: float
    confidence: float
    curve: tuple[tuple[int, int, float], ...] = ()
    expected: tuple[tuple[int, float], ...] = ()
    suggest_freeze: bool = False
    advice: str = ""
    reason: str = ""
    done: bool = False
