"""What requests for pictures, searches and screenings look like, and their answers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from lucida.restore.plan import MOST, NOISE
from lucida.serve.bodies import Ask

Words = Annotated[str, Field(max_length=4000)]
Side = Annotated[int, Field(ge=1, le=16_384)]
Seed = Annotated[int, Field(ge=0, lt=2**62, description="Picture i has the seed `seed` + i; the same, drawn again.")]
Many = Annotated[int, Field(ge=1, le=10)]
Id = Annotated[str, Field(description="Content id: SHA-256 of the image's bytes.")]
Notes = Annotated[list[str], Field(description="What a person should know, a sentence each.")]


class GenerateRequest(Ask):
    """What is to be drawn."""

    prompt: Words = Field(default="", description="What is to be seen, in words.")
    negative: Words = Field(default="", description="What is not to be seen.")
    n: Many = Field(default=1, description="How many pictures.")
    size: tuple[Side, Side] | None = Field(default=None, description='Width and height, [64, 48] or "64x48".')
    control: str = Field(default="", max_length=50, description='"canny", "scribble" or "depth", of `image`.')
    strength: float | None = Field(default=None, ge=0, le=1, description="How far from `image` it may go.")
    steps: int | None = Field(default=None, ge=1, le=10_000)
    guidance: float | None = Field(default=None, ge=0, le=100, description="How strongly the prompt counts.")
    sampler: str = Field(default="", max_length=50)
    seed: Seed = 0
    metadata: Literal["full", "marked"] = Field(
        default="full", description="What stands in the files: how to draw them again, or only that they are synthetic."
    )

    @field_validator("size", mode="before")
    @classmethod
    def _by(cls, value: Any) -> Any:
        return value.lower().split("x") if isinstance(value, str) else value


class RestoreRequest(Ask):
    """What is to be done to an image; `mask` is white where it is to be filled."""

    upscale: float = Field(default=1.0, ge=1, le=MOST, description="Factor of width and height.")
    denoise: Literal["auto"] | Annotated[float, Field(ge=NOISE[0], le=NOISE[1])] | None = Field(
        default=None, description='Noise to take out, in grey levels of 0..255; "auto" estimates it.'
    )


class SearchRequest(Ask):
    """What is looked for in the catalog: words, images, or both."""

    text: str = Field(default="", max_length=1000)
    where: list[Annotated[str, Field(max_length=500)]] = Field(
        default=[], max_length=20, description='Conditions on annotations: "QUESTION=LABEL" or "QUESTION!=LABEL".'
    )
    state: Literal["reviewed", "accepted", "proposed"] | None = None
    glob: str = Field(default="", max_length=500, description="Pattern of file names.")
    by: Literal["all", "vectors", "text"] = Field(default="all", description="What is seen, what is written, or both.")
    top: int = Field(default=20, ge=1, le=1000)

    @field_validator("where", mode="before")
    @classmethod
    def _several(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value


class ScreenRequest(BaseModel):
    """An image, by the policy of the server."""

    model_config = ConfigDict(extra="forbid")


class Made(BaseModel):
    """One picture."""

    seed: int
    id: Id
    width: int
    height: int
    png: str = Field(description="The PNG file in base64.")
    detail: dict[str, Any] = Field(description="What the model says of how it came about.")


class PolicyFound(BaseModel):
    """A rule that may be broken, or only flags."""

    of: str = Field(description='"prompt", "picture", or the field of an image.')
    rule: str
    reason: str


class PolicySays(BaseModel):
    """What the policy of the server says of a request for pictures that it lets through."""

    policy: str
    verdict: Literal["ok", "review"] = Field(description="Whether a person should look at it.")
    found: list[PolicyFound]


class GenerateAnswer(BaseModel):
    """What was drawn."""

    task: str
    model: str
    revision: str
    images: list[Made]
    notes: Notes
    policy: PolicySays | None = Field(default=None, description="Only where the server has one.")


class RestoreAnswer(BaseModel):
    """What became of an image."""

    task: str
    model: str
    revision: str
    image: Id
    width: int
    height: int
    size: tuple[int, int] = Field(description="Width and height that it came out with.")
    noise: float | None = Field(description="Level that was taken out; null where none was.")
    frames: int
    png: str = Field(description="The PNG file in base64.")
    notes: Notes


class FoundBy(BaseModel):
    """How one list found an image."""

    by: str
    rank: int
    score: float
    why: str


class Hit(BaseModel):
    """One image that was found."""

    name: str = Field(description="Of its file.")
    score: float
    image: Id
    found: list[FoundBy]


class SearchAnswer(BaseModel):
    """What was found, the best first."""

    task: str
    model: str
    results: list[Hit]
    images: int = Field(description="How many were searched.")
    notes: Notes


class Rule(BaseModel):
    """A rule that is broken, or may be."""

    rule: str
    score: float
    sure: bool
    action: Literal["block", "flag", "blur"]
    reason: str
    boxes: list[tuple[float, float, float, float]] | None = None


class ScreenAnswer(BaseModel):
    """What the policy says of an image."""

    task: str
    policy: str
    revision: str
    image: Id
    width: int
    height: int
    verdict: Literal["ok", "unsure", "breaks"]
    label: str = Field(description='"ok", or the gravest rule that is broken.')
    score: float
    rules: list[Rule]
