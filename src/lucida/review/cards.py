"""What a person is shown: the image asked now, and where the review stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Phase = Literal["teach", "check", "done"]
Verdict = Literal["right", "wrong", "unsure"]

LONGEST_REASON = 400  # characters: a sentence; what a model goes on to say is no help beside an image


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
        reason: Why the model says so, one sentence; "" where it gave none. Plain text that is not to be trusted.
        by: Name of the model that decided, where several labelled together; else "".
        agree: (k, n) where k of n labellers gave this label; None where one labelled alone.
        said: The label that `reason` is for, where teaching has changed the proposal since; else "".
        like: Content id of another image that it is to be compared with; "" for none.
    """

    image: str
    path: str
    proposal: str
    score: float
    runner_ups: tuple[tuple[str, float], ...]
    phase: Phase
    reason: str = ""
    by: str = ""
    agree: tuple[int, int] | None = None
    said: str = ""
    like: str = ""


@dataclass(frozen=True)
class Said:
    """What a model gave beside its label.

    Attributes:
        label: The label it is for.
        reason: One sentence, plain text in one line; "" for none.
        by: Name of the model that decided; "" where the run has but one.
        agree: (k, n): k of n labellers gave this label; None for one alone.
        like: Content id of an image to be shown beside it, whatever is proposed; "" for none.
    """

    label: str
    reason: str = ""
    by: str = ""
    agree: tuple[int, int] | None = None
    like: str = ""

    @classmethod
    def of(cls, label: str, detail: Mapping[str, Any]) -> Said:
        """Read the details of a proposal; what is not as it should be is left out, since models wrote it.

        Args:
            label: The label of the proposal.
            detail: Its details: {"reason": text, "by": text, "agree": [k, n], "said": label the reason is for,
                "like": content id}.
        """
        return cls(
            label=_line(detail.get("said")) or label,
            reason=_line(detail.get("reason")),
            by=_line(detail.get("by")),
            agree=_counts(detail.get("agree")),
            like=_line(detail.get("like")),
        )

    def beside(self, proposal: str) -> dict[str, Any]:
        """Return the fields of a card that proposes this label: how many agree holds for the model's own label only."""
        like = {"like": self.like} if self.like else {}
        if self.label == proposal:
            return {"reason": self.reason, "by": self.by, "agree": self.agree, **like}
        return {"reason": self.reason, "by": self.by, "said": self.label, **like} if self.reason else like

    def detail(self, proposal: str) -> dict[str, Any]:
        """Return the details to keep with a later proposal for the same image, as plain JSON values; see `of`."""
        kept = self.beside(proposal)
        return {name: list(v) if isinstance(v, tuple) else v for name, v in kept.items() if v}


def _counts(pair: object) -> tuple[int, int] | None:
    """Return k of n, or None for what is no such pair."""
    if not isinstance(pair, list | tuple) or len(pair) != 2 or not all(type(count) is int for count in pair):
        return None
    k, n = pair
    return (k, n) if 0 <= k <= n else None


def _line(text: object) -> str:
    """Return text as one line without control characters, cut where it is longer than a sentence."""
    if not isinstance(text, str):
        return ""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= LONGEST_REASON else line[: LONGEST_REASON - 1].rstrip() + "…"


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
