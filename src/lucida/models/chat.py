"""What is asked of a model that talks, and what it answers: classes of images, each with a probability and a reason."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Event
from typing import Any, Final, Literal

STOPPED: Final = "The answer was cancelled."

Basis = Literal["log-probabilities", "votes", "self-report"]


@dataclass(frozen=True)
class Shot:
    """An image shown before the question, with its right answer.

    Attributes:
        image: The encoded image file.
        answer: The class that it is.
    """

    image: bytes = field(repr=False)
    answer: str


@dataclass(frozen=True)
class Prompt:
    """What is asked of every image of a run.

    Attributes:
        question: What is asked, in words: "What kind of clothing is this?".
        classes: The answers that are allowed.
        definitions: What a class means; classes without a definition are left out.
        rules: Further instructions, as a person wrote them; "" for none.
        shots: Images with their right answers.
    """

    question: str
    classes: tuple[str, ...]
    definitions: dict[str, str] = field(default_factory=dict)
    rules: str = ""
    shots: tuple[Shot, ...] = ()


@dataclass(frozen=True)
class Usage:
    """What requests took.

    Attributes:
        input_tokens: Tokens sent, images included.
        output_tokens: Tokens received.
        cost: US dollars; None where the price is not known.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cost: float | None = None

    def __add__(self, other: Usage) -> Usage:
        known = [cost for cost in (self.cost, other.cost) if cost is not None]
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            sum(known) if known else None,
        )


@dataclass(frozen=True)
class Reply:
    """What a model answers about one image.

    Attributes:
        probabilities: For classes of the prompt, how likely each is; sums to 1. Empty where there is no answer.
        reason: One sentence why, in the model's words; "" where it gave none. Not to be trusted as markup.
        basis: What the probabilities rest on.
        problem: Why there is no answer; "" where there is one.
        usage: What it took, votes and repeated questions included.
    """

    probabilities: dict[str, float] = field(default_factory=dict)
    reason: str = ""
    basis: Basis = "self-report"
    problem: str = ""
    usage: Usage = Usage()


@dataclass(frozen=True)
class Turn:
    """What one side says.

    Attributes:
        text: Its words; "" with images alone, which asks what they show.
        images: Encoded image files that go with it.
        by: Who says it.
    """

    text: str
    images: tuple[bytes, ...] = field(default=(), repr=False)
    by: Literal["user", "assistant"] = "user"


@dataclass(frozen=True)
class Talk:
    """What was said so far; the model has the next word.

    Attributes:
        turns: In their order; the last is the user's.
        rules: What the model is told beforehand; "" for nothing.
        schema: JSON schema that the answer must follow; None for free text.
        reason: Whether a reason is asked for as well.
        longest: Tokens of the answer, at most.
        stop: Set by another thread to end the answer; None where nobody does.
    """

    turns: tuple[Turn, ...]
    rules: str = ""
    schema: dict[str, Any] | None = None
    reason: bool = False
    longest: int = 300
    stop: Event | None = field(default=None, repr=False, compare=False)

    def stopped(self) -> bool:
        """Whether the answer is not wanted any more."""
        return self.stop is not None and self.stop.is_set()

    @property
    def images(self) -> int:
        """How many images it holds."""
        return sum(len(turn.images) for turn in self.turns)


@dataclass(frozen=True)
class Said:
    """What a model says.

    Attributes:
        text: Its words. Not to be trusted as markup.
        score: Probability that it is right, 0 to 1; None where the model says none.
        reason: Why, in the model's words; "" where it gave none.
        data: What it holds where a schema was given.
        problem: Why there is no answer; "" where there is one.
        usage: What it took.
    """

    text: str = ""
    score: float | None = None
    reason: str = ""
    data: Any = None
    problem: str = ""
    usage: Usage = Usage()
