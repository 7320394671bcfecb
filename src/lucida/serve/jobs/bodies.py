"""What requests for jobs look like, and what is told of one."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from lucida.serve.bodies import (
    BatchError,
    ClassifyAnswer,
    DetectAnswer,
    EmbedAnswer,
    ReadAnswer,
    SegmentAnswer,
    TagAnswer,
    TextAnswer,
    Trouble,
)
from lucida.serve.made_bodies import GenerateAnswer, GenerateRequest, RestoreAnswer

MANY = 10_000  # pictures of one job
Task = Literal[
    "classify", "tag", "detect", "segment", "caption", "ask", "read", "embed", "generate", "restore"
]  # fmt: skip
State = Literal["queued", "running", "done", "failed", "cancelled"]
When = Annotated[str, Field(description="ISO 8601, in UTC.")]


class ManyPictures(GenerateRequest):
    """What is to be drawn, as of /v1/generate, but more of it."""

    n: Annotated[int, Field(ge=1, le=MANY)] = Field(default=1, description="How many pictures: an item each.")


class Query(BaseModel):
    """Which images of the catalog, beside those that are sent or named."""

    glob: str = Field(default="", max_length=500, description='Pattern of file names; "*" for all.')
    where: list[Annotated[str, Field(max_length=500)]] = Field(
        default=[], max_length=20, description='Conditions on annotations: "QUESTION=LABEL" or "QUESTION!=LABEL".'
    )
    state: Literal["reviewed", "accepted", "proposed"] | None = None

    @field_validator("where", mode="before")
    @classmethod
    def _several(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @property
    def asked(self) -> bool:
        """Whether the catalog is asked at all."""
        return bool(self.glob or self.where or self.state)


class JobRequest(Query):
    """A task, its own fields, and several images or pictures."""

    model_config = ConfigDict(extra="allow")

    task: Task = Field(description="What is done; its own fields are those of its address.")
    model: str | None = Field(default=None, description="Which of the served models; the first that can.")
    images: list[str] = Field(default=[], description="Data URLs and content ids; in a form, as many fields `image`.")


class Progress(BaseModel):
    """How far a job is."""

    done: int = Field(description="Items that were answered.")
    failed: int = Field(description="Items that have an error in their place.")
    total: int
    share: float = Field(ge=0, le=1, description="Of the whole, what is half done included.")
    rate: float | None = Field(description="Items a second, of late; null where that is not known.")
    seconds_left: float | None


class JobAnswer(BaseModel):
    """How a job stands."""

    id: str
    task: str
    model: str
    state: State
    created: When
    started: When | None
    finished: When | None
    expires: When | None = Field(description="When it is forgotten; null while it is not over.")
    progress: Progress
    lasting: bool = Field(description="Whether it goes on after the server was started anew.")
    error: Trouble | None = Field(description="Why the job as a whole could not be done.")
    notes: list[str]


class JobsAnswer(BaseModel):
    """Jobs of whoever asks, the latest first."""

    data: list[JobAnswer]
    next: str | None = Field(description="`before` of the request that goes on from here; null at the end.")


class ResultAnswer(BaseModel):
    """An answer or an error for each item, in order; null for what is not done yet."""

    id: str
    state: State
    results: list[
        ClassifyAnswer
        | TagAnswer
        | DetectAnswer
        | SegmentAnswer
        | TextAnswer
        | ReadAnswer
        | EmbedAnswer
        | GenerateAnswer
        | RestoreAnswer
        | BatchError
        | None
    ]
