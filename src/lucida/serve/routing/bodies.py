"""What requests and answers about routes look like, as OpenAPI has them."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]


class FeedbackRequest(BaseModel):
    """What somebody says of an answer."""

    model_config = ConfigDict(extra="forbid")

    request_id: Id = Field(description="Of the answer: its request_id, or the header x-request-id.")
    right: bool | None = Field(default=None, description="Whether the answer is right.")
    label: str | None = Field(
        default=None, min_length=1, max_length=2000, description="What would be right; of classify and read."
    )
    image: str | None = Field(
        default=None, pattern=r"^[0-9a-f]{64}$", description="Content id, where the request had several images."
    )


class FeedbackAnswer(BaseModel):
    """What was kept of it."""

    request_id: str
    image: str
    route: str
    model: str = Field(description="That had answered.")
    right: bool


class ArmAnswer(BaseModel):
    """One model of a route, since the server began."""

    model: str
    share: float = Field(description="Of the keys that belong to it now; 0 of a fallback.")
    belonged: int = Field(description="Images that were its to answer.")
    answered: int = Field(description="Images that it answered, as theirs or as a fallback.")
    kept: int = Field(description="Of these from memory.")
    fell_back: int = Field(description="Its own, that another model answered.")
    failed: int = Field(description="Its own, that no model answered.")
    breaker: str = Field(description="closed, open or half-open.")
    failures: int = Field(description="Within the window of the breaker.")
    opens: float = Field(description="Seconds until it is tried again.")
    hung: int = Field(description="Threads that hang in it.")


class ShadowAnswer(BaseModel):
    """What came of asking another model as well."""

    model: str | None = Field(description="null for the other arm.")
    share: float
    asked: int
    agreed: int
    failed: int
    skipped: int = Field(description="Images for which there was no free place.")
    waiting: int


class ConditionAnswer(BaseModel):
    """What the next step waits for."""

    name: str
    met: bool | None = Field(description="null where it is not known yet.")
    text: str


class RolloutAnswer(BaseModel):
    """Where a roll-out is."""

    source: str
    target: str
    steps: list[float] = Field(description="Per cent.")
    step: int = Field(description="Which of them, from 0.")
    share: float
    state: str = Field(description="running, done, rolled back; unknown while the records cannot be read.")
    since: float = Field(description="Seconds since 1970.")
    why: str
    conditions: list[ConditionAnswer]


class DifferenceAnswer(BaseModel):
    """Bounds on how much larger the share of right answers of b is than that of a, valid at all times."""

    low: float
    high: float
    confidence: float
    evidence_a: float = Field(description="e-value against: b is at least as good.")
    evidence_b: float = Field(description="e-value against: a is at least as good.")


class PairedAnswer(DifferenceAnswer):
    """Of images that both answered."""

    same: int = Field(description="Images that both have right, or both wrong.")
    only_a: int = Field(description="Images that a alone has right.")
    only_b: int = Field(description="Images that b alone has right.")
    unclear: int = Field(description="Images of which a wrong answer alone is known: they count for neither.")


class UnpairedAnswer(DifferenceAnswer):
    """Of images that one of them answered."""

    right_a: int
    judged_a: int
    right_b: int
    judged_b: int
    matches: int


class VerdictAnswer(BaseModel):
    """Which of two arms is better."""

    a: str
    b: str
    better: str | None = Field(description="null: it is not known yet.")
    said: str = Field(description="In words.")
    difference: DifferenceAnswer = Field(description="By all evidence.")
    paired: PairedAnswer
    unpaired: UnpairedAnswer


class ChangeAnswer(BaseModel):
    """What happened to a route."""

    at: float = Field(description="Seconds since 1970.")
    what: str
    why: str
    model: str


class RecordsAnswer(BaseModel):
    """How remembering goes."""

    lasting: bool = Field(description="Whether it outlives the server: with a catalog.")
    waiting: int = Field(description="Answers that are not written yet.")
    lost: int = Field(description="Answers that were let go, as they could not be written.")
    trouble: str | None = Field(description="Why nothing can be written now.")


class RouteAnswer(BaseModel):
    """A route."""

    name: str
    kind: str = Field(description="chain, arms or rollout.")
    tasks: list[str]
    fallbacks: list[str]
    since: float = Field(description="Since when images are counted.")
    arms: list[ArmAnswer]
    shadow: ShadowAnswer | None
    rollout: RolloutAnswer | None
    verdicts: list[VerdictAnswer] = Field(description="Of each further arm beside the first.")
    changes: list[ChangeAnswer] = Field(description="The latest last.")
    records: RecordsAnswer


class RoutesAnswer(BaseModel):
    """All routes."""

    data: list[RouteAnswer]
