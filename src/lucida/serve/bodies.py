"""What requests and answers look like: one of each a task, as OpenAPI has them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

Name = Annotated[str, Field(min_length=1, max_length=200)]
Share = Annotated[float, Field(ge=0, le=1)]
Box = Annotated[tuple[float, float, float, float], Field(description="Left, top, right, bottom, in pixels.")]

IMAGE = "A file to upload (multipart), a data URL (data:image/jpeg;base64,…), or the content id of a catalog's image."


class Ask(BaseModel):
    """What every request may say beside its image."""

    model_config = ConfigDict(extra="forbid")

    model: str | None = Field(
        default=None,
        min_length=1,
        max_length=500,
        description="Which of the served models, or routes; the first that can.",
    )
    user: str | None = Field(
        default=None,
        max_length=500,
        description="Whom it is for: on a route, the same user is always sent the same way.",
    )


class Classes(BaseModel):
    """Classes that are asked for."""

    classes: list[Name] | None = Field(
        default=None,
        min_length=1,
        description='What to tell apart or to look for, a list or "dress,hat"; the model\'s own by default.',
    )

    @field_validator("classes", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        texts = [value] if isinstance(value, str) else value
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            return value
        names = [name.strip() for text in texts for name in (text.split(",") if len(texts) == 1 else [text])]
        return list(dict.fromkeys(name for name in names if name))


class Least(BaseModel):
    """A threshold."""

    least: Share | None = Field(default=None, description="Leave out what is less probable.")


class ClassifyRequest(Ask, Classes):
    """Which class an image is of."""


class TagRequest(Ask, Classes, Least):
    """Which tags an image has."""


class DetectRequest(Ask, Classes, Least):
    """Where objects are."""


class SegmentRequest(Ask, Classes, Least):
    """Which pixels are of what."""


class CaptionRequest(Ask):
    """What an image shows, in words."""


class AskRequest(Ask):
    """A question about an image."""

    question: list[Annotated[str, Field(min_length=1, max_length=4000, pattern=r"\S")]] = Field(
        min_length=1, max_length=20, description="What to ask; several are asked one after the other."
    )
    reason: bool = Field(default=False, description="Whether a reason is given as well.")

    @field_validator("question", mode="before")
    @classmethod
    def _several(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value


class ReadRequest(Ask):
    """What text stands in an image."""


class EmbedRequest(Ask):
    """The vector of an image."""


class BatchRequest(Ask, Classes, Least):
    """The same of several images."""

    task: str | None = Field(default=None, description="One of the services; what the model is for by default.")
    question: list[str] | str | None = Field(default=None, description="Of the task ask.")
    reason: bool | None = Field(default=None, description="Of the task ask.")


class Answer(BaseModel):
    """What every answer says beside its result."""

    model_config = ConfigDict(extra="forbid")

    task: str
    model: str = Field(description="Name under which the model is served.")
    revision: str = Field(description="Changes whenever its results may change.")
    image: str = Field(description="Content id: SHA-256 of the image's bytes.")
    width: int
    height: int
    notes: list[str] = Field(default=[], description="What a person should know of this result.")
    route: str | None = Field(default=None, description="That was asked, where it was one.")
    fallback_of: str | None = Field(default=None, description="The model of the route that should have answered.")
    request_id: str | None = Field(default=None, description="For feedback, where the route asks for it.")


class ClassifyAnswer(Answer):
    """One class for the whole image."""

    label: str
    score: Share
    runner_up: list[tuple[str, float]] = Field(description="The next best, best first.")


class TagAnswer(Answer):
    """Any number of classes for the whole image."""

    tags: list[tuple[str, float]] = Field(description="The surest first.")


class Mask(BaseModel):
    """Pixels as run lengths, in COCO's compressed form."""

    size: tuple[int, int] = Field(description="Height and width.")
    counts: str


class Found(BaseModel):
    """One object."""

    label: str
    score: Share
    box: Box
    mask: Mask | None = None
    track: int | None = None
    points: list[tuple[float, float]] | None = None
    size: list[float] | None = Field(default=None, description="Width and height in the unit of `spacing`.")


class Region(BaseModel):
    """The pixels of one class."""

    label: str
    score: Share | None = None
    mask: Mask


Spacing = Annotated[
    tuple[float, float, str] | None,
    Field(description="How far apart pixels lie, from row to row and column to column, and the unit."),
]


class DetectAnswer(Answer):
    """Objects, best first."""

    objects: list[Found]
    spacing: Spacing = None


class SegmentAnswer(Answer):
    """Objects with their pixels, or a class for every pixel: as the model gives it."""

    objects: list[Found] | None = None
    regions: list[Region] | None = None
    shares: dict[str, float] | None = Field(default=None, description="Share of pixels of each class.")
    areas: dict[str, float] | None = Field(default=None, description="In the square of the unit of `spacing`.")
    spacing: Spacing = None


class TextAnswer(Answer):
    """Words about the image; not to be trusted as markup."""

    text: str
    score: Share | None = None
    reason: str | None = None
    data: Any = None
    before: list[tuple[str, str]] | None = Field(default=None, description="Earlier questions and their answers.")


class ReadLine(BaseModel):
    """A line of text."""

    text: str
    score: Share
    corners: list[tuple[float, float]] = Field(description="From top left, clockwise as the text runs.")


class ReadAnswer(Answer):
    """The text in the image."""

    text: str
    lines: list[ReadLine] = Field(description="In the order of reading.")


class EmbedAnswer(Answer):
    """A vector that stands for the image."""

    key: str = Field(description="Only vectors of equal keys may be compared.")
    vector: list[float]


class Trouble(BaseModel):
    """Why something is not answered."""

    type: str
    what: str = Field(description="What happened.")
    expected: str = Field(description="What was expected instead.")
    got: str = Field(description="What came.")
    hint: str = Field(description="What to try next.")
    message: str = Field(description="All of that in a line, where clients of OpenAI look for it.")
    code: str | None = None
    param: str | None = None


class ErrorAnswer(BaseModel):
    """A refusal."""

    error: Trouble
    request_id: str


class BatchError(BaseModel):
    """A refusal of one image of a batch, in its place."""

    error: Trouble


class BatchAnswer(BaseModel):
    """An answer or an error for each image, in order."""

    results: list[
        ClassifyAnswer | TagAnswer | DetectAnswer | SegmentAnswer | TextAnswer | ReadAnswer | EmbedAnswer | BatchError
    ]


class ServedModel(BaseModel):
    """A model that is served; also what OpenAI's client takes for one."""

    id: str
    object: str = "model"
    created: int
    owned_by: str
    tasks: list[str] = Field(description="What it can be asked: the last part of an address.")
    classes: list[str] = Field(description="Its own.")
    words: bool = Field(description="Whether it takes classes in any words.")
    revision: str
    licence: str
    note: str
    route: list[str] | None = Field(default=None, description="The models of a route; null of a model.")


class ModelsAnswer(BaseModel):
    """The models that are served, the first first."""

    object: str = "list"
    data: list[ServedModel]


class HealthAnswer(BaseModel):
    """How the server is."""

    status: str
