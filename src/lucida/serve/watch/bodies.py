"""What is told of a watch: one typed answer for the page and for programs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

When = Annotated[str, Field(description="ISO 8601, in UTC.")]
Share = Annotated[float, Field(ge=0, le=1)]
Phase = Literal["off", "loading", "reference", "watching", "alarm", "failed"]


class Compared(BaseModel):
    """What live images are compared with."""

    given: str = Field(description="As in serve.yaml.")
    about: str
    note: str = Field(description="What a person should know of it.")
    images: int = Field(description="That were looked at.")
    wanted: int
    began: When | None = None


class Curve(BaseModel):
    """The evidence that one number has changed, over time."""

    name: str = Field(description='A number such as "brightness", "component 1", "distance"; "vectors" is the kernel.')
    about: str = Field(description="Words for it.")
    now: float = Field(description="Log e-value less what it needs: an alarm at 0.")
    crossed: bool
    points: list[tuple[When, int, float]] = Field(description="When, after how many images, and the evidence then.")


class Changed(BaseModel):
    """One number that changed."""

    name: str
    direction: Literal[-1, 0, 1]
    words: str
    evidence: float
    since_row: int
    at_row: int
    median_rank: Share | None = Field(default=None, description="Since then, among the reference: 0.5 is no change.")


class Mix(BaseModel):
    """A class whose share changed."""

    label: str
    before: Share
    now: Share


class ChangedImage(BaseModel):
    """An image that speaks for the change."""

    image: str = Field(description="Content id.")
    request: str
    time: When
    label: str
    score: float | None
    blame: float = Field(description="The log odds that it won for the alarm.")
    witness: float = Field(description="How much more it is of what changed than of the reference, by the MMD.")
    kept: bool = Field(description="Whether GET /v1/watch/images/ID shows it.")


class Alarm(BaseModel):
    """What has changed."""

    id: str
    time: When
    since: When = Field(description="When the change seems to have begun.")
    open: bool
    changed: list[str] = Field(description="In words, the plainest first.")
    signals: list[Changed]
    classes: list[Mix]
    rows: int = Field(description="Images since the change that were looked at when it was raised.")
    images: list[ChangedImage] = Field(description="Those that speak most for it, first.")
    queue: str = Field(description="Question of its review; empty before there is one.")
    expired: list[str] = Field(description="Certificates that have expired by it.")


class Day(BaseModel):
    """How often answers of a day were right."""

    day: str
    rate: Share = Field(description="Share of all answers that is drawn.")
    answers: int
    drawn: int
    right: int
    wrong: int
    unsure: int
    unanswered: int = Field(description="Drawn and not judged yet: they count as the worst, in both directions.")
    low: Share = Field(description="Share of all answers that is right, at least; holds at all times of the day.")
    high: Share


class DrawnAnswer(BaseModel):
    """An answer that waits for a person's verdict."""

    number: int
    image: str
    time: When
    request: str
    task: str
    label: str
    score: float | None
    text: str = Field(description="The answer in short, where it has no label.")
    kept: bool = Field(description="Whether GET /v1/watch/images/ID shows it.")


class Accuracy(BaseModel):
    """How often answers are right."""

    rate: Share
    confidence: Share
    today: Day | None
    days: list[Day] = Field(description="The latest first.")
    waiting: list[DrawnAnswer]


class WatchAnswer(BaseModel):
    """What is known of live traffic."""

    phase: Phase
    problem: str = Field(description="Why nothing is watched.")
    model: str
    task: str
    classes: list[str]
    false_alarms: Share = Field(description="Chance that there is ever an alarm although nothing has changed.")
    reference: Compared | None
    images: int = Field(description="Live images that were compared.")
    passed: int = Field(description="That nobody found time for, since the start.")
    failed: int
    keep_images: bool
    kept_bytes: int
    changed: list[str]
    curves: list[Curve]
    alarms: list[Alarm] = Field(description="The latest first.")
    accuracy: Accuracy | None


class QueueAnswer(BaseModel):
    """A review queue that was made."""

    question: str
    run: str
    images: int
    lost: int = Field(description="Images that changed and are not kept.")
    review: str = Field(description="The command that shows them to a person.")
    train: str = Field(description="The command that learns from the answers.")


class VerdictRequest(BaseModel):
    """What a person says of a drawn answer."""

    model_config = ConfigDict(extra="forbid")

    number: int = Field(ge=0, le=2**62)
    verdict: Literal["right", "wrong", "unsure"]
    label: str | None = Field(default=None, min_length=1, max_length=200, description="What is right instead.")


class VerdictAnswer(BaseModel):
    """What is known after it."""

    today: Day | None
    waiting: list[DrawnAnswer]
