"""What clients of OpenAI send and take, as far as it is understood here."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from lucida.serve.made_bodies import Many, PolicySays, Words

Name = Annotated[str, Field(min_length=1, max_length=500)]
Part = dict[str, Any]


class Request(BaseModel):
    """What every request may say; what is not understood and would change nothing is passed over, as OpenAI does."""

    model_config = ConfigDict(extra="ignore")

    model: Name | None = Field(default=None, description="Which of the served models; the first that can.")


class EmbeddingsRequest(Request):
    """Vectors of images, and of texts where the model has vectors of words."""

    input: Annotated[str, Field(max_length=2**25)] | list[Annotated[str, Field(max_length=2**25)] | Part] = Field(
        description="A data URL or content id for an image, anything else for a text; or a list of them."
    )
    dimensions: int | None = Field(
        default=None, ge=1, le=100_000, description="The first so many of the vector, scaled to length 1 again."
    )
    encoding_format: Literal["float", "base64"] = "float"


class ImagesRequest(Request):
    """Pictures from words."""

    prompt: Words
    n: Many | None = None
    size: str | None = Field(default=None, max_length=30, description='"64x48"; "auto" for the model\'s own.')
    response_format: Literal["b64_json"] | None = Field(default=None, description="There are no addresses of pictures.")
    output_format: Literal["png"] | None = None
    stream: bool | None = Field(default=None, description="An event for each picture, when all are drawn.")
    partial_images: int | None = Field(default=None, ge=0, le=3, description="None are shown before they are done.")
    seed: int | None = Field(default=None, ge=0, lt=2**62, description="Any, and told in the answer, by default.")
    negative: Words = ""
    steps: int | None = Field(default=None, ge=1, le=10_000)
    guidance: float | None = Field(default=None, ge=0, le=100)
    strength: float | None = Field(default=None, ge=0, le=1)


class ChatRequest(Request):
    """A talk about images."""

    messages: list[Part] = Field(min_length=1, max_length=200)
    n: Literal[1] | None = None
    stream: bool | None = None
    stream_options: Part | None = None
    response_format: Part | None = None
    max_tokens: int | None = Field(default=None, ge=1, le=100_000)
    max_completion_tokens: int | None = Field(default=None, ge=1, le=100_000)
    tools: Annotated[list[Any], Field(max_length=0)] | None = Field(default=None, description="None are called.")


class Counted(BaseModel):
    """Tokens, as far as a model counts them."""

    prompt_tokens: int
    total_tokens: int


class OneEmbedding(BaseModel):
    """The vector of one input, of length 1."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str = Field(description="Numbers, or float32 in base64.")


class EmbeddingsAnswer(BaseModel):
    """A vector for each input."""

    object: Literal["list"]
    model: str
    data: list[OneEmbedding]
    usage: Counted


class OnePicture(BaseModel):
    """One picture."""

    b64_json: str = Field(description="The PNG file.")
    seed: int = Field(description="With the same request it is drawn again.")


class ImagesAnswer(BaseModel):
    """Pictures."""

    created: int
    model: str
    size: str
    output_format: Literal["png"]
    data: list[OnePicture]
    policy: PolicySays | None = Field(default=None, description="Only where the server has one.")


class Message(BaseModel):
    """What the model says; not to be trusted as markup."""

    role: Literal["assistant"]
    content: str
    refusal: None = None


class ChatChoice(BaseModel):
    """One answer."""

    index: int
    message: Message
    logprobs: None = None
    finish_reason: Literal["stop"]


class ChatUsage(Counted):
    """Tokens, as far as the model counts them."""

    completion_tokens: int


class ChatAnswer(BaseModel):
    """What the model says next."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[ChatChoice]
    usage: ChatUsage
