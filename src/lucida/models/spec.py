"""A model as data: the spec says what it is, `load` makes it run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from lucida.errors import InputError, ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lucida.images import Image
    from lucida.models.chat import Prompt, Reply, Said, Talk, Usage
    from lucida.models.generator import GenerateNeeds, GenerationRequest, Picture
    from lucida.models.needs import ImageNeeds
    from lucida.models.openai_api.options import ApiOptions
    from lucida.models.restorer import RestoreNeeds
    from lucida.notes import Note
    from lucida.results import Detections, Result

Precision = Literal["auto", "fp32", "bf16", "int8"]
Task = Literal[
    "encode", "classify", "words", "ask", "tag", "detect", "segment", "anomaly", "outline", "caption", "answer", "read",
    "faces", "upscale", "denoise", "fill", "generate",
]  # fmt: skip
Output = Literal["embedding", "logits"]


@dataclass(frozen=True)
class Gives:
    """What a model gives.

    Attributes:
        dimensions: Length of the vector of one image; 0 for a model that gives none.
        parts: Named slices of the vector, each of its own kind and scale; together they cover it.
        classes: Names of the classes that its logits stand for, in order.
        words: Which output is matched to words: "embedding" or "logits".
        near: Names of the parts that a search compares, each at length one; the whole vector as it is where empty.
        least: Probability from which its objects are usually shown; it gives less probable ones as well.
        scale: Of a model that gives images: how many times wider and higher they come out.
    """

    dimensions: int = 0
    parts: dict[str, slice] = field(default_factory=dict)
    classes: tuple[str, ...] = field(default=(), repr=False)
    words: Output = "embedding"
    near: tuple[str, ...] = ()
    least: float = 0.0
    scale: int = 1

    @property
    def compared(self) -> tuple[slice, ...]:
        """The parts of a vector that a search compares; none where it compares the whole."""
        return tuple(self.parts[name] for name in self.near)


@dataclass(frozen=True)
class Trial:
    """What a fast precision is tried on before it is used: a few real images, and the labels they get.

    Attributes:
        images: Gives up to so many prepared images, float32 (n, channels, height, width); None where there are none.
        count: How many images are to be seen afterwards.
        output: Which output `decide` reads.
        decide: Turns that output into probabilities float32 (n, classes), where labels are known already.
        about: What changes whenever `decide` does.
    """

    images: Callable[[int], NDArray[np.float32] | None]
    count: int = 0
    output: Output = "embedding"
    decide: Callable[[NDArray[np.float32]], NDArray[np.float32]] | None = None
    about: str = ""


@dataclass(frozen=True)
class Hint:
    """What a person points at.

    Attributes:
        points: Across and down, in pixels of the image.
        inside: Whether each point lies on the object; False for what does not belong to it.
        box: Left, top, right and bottom around the object; None without.
    """

    points: tuple[tuple[float, float], ...] = ()
    inside: tuple[bool, ...] = ()
    box: tuple[float, float, float, float] | None = None


@dataclass(frozen=True)
class Spec:
    """One model: its tasks, needs, gives, licence and source.

    Attributes:
        name: Name under which it is found again: "embedded", "onnx:/models/encoder.toml".
        family: The folder of `lucida.models` that builds it.
        tasks: What it can do: "encode" (vectors), "classify" (its own classes), "words" (any words),
            "ask" (questions in words, answered with a reason), "tag" (several of its classes), "detect" (boxes),
            "segment" (a class for every pixel, or objects with their pixels), "anomaly" (how odd an image is, and
            where), "outline" (the object at a point or in a box), "caption" (what an image shows, in words), "answer"
            (any question, in words), "read" (the text in an image), "faces" (vectors of faces that were cut out),
            "upscale", "denoise" and "fill" (a better image), "generate" (pictures of what is asked for).
        needs: What it needs of an image.
        gives: What it gives.
        licence: Licence of its weights.
        source: Where it comes from.
        revision: What changes whenever its results may change.
        note: What a person must know before relying on it; with measured figures where there are some.
        match: Makes what scores images against words; None where it cannot.
        configure: Returns the spec of the same model asked in another way; None where there is only one way.
        look_for: Returns the spec of the same model that finds these things, in any words; None where it finds its
            own classes alone.
        restores: What it needs of a piece of an image, of a model that restores.
        generates: What it can do, of a model that draws.
        aim: Returns the spec of the same model that does one of its tasks, where `predict` has to know which.
        build: Makes the running model of this spec, a precision, and what to try it on (or None).
    """

    name: str
    family: str
    tasks: tuple[Task, ...]
    needs: ImageNeeds
    gives: Gives
    licence: str
    source: str
    revision: str
    note: str = ""
    match: Callable[[Sequence[Sequence[str]], bool, Sequence[str]], Matcher] | None = field(
        repr=False, compare=False, default=None
    )
    configure: Callable[[ApiOptions], Spec] | None = field(repr=False, compare=False, default=None)
    look_for: Callable[[Sequence[str]], Spec] | None = field(repr=False, compare=False, default=None)
    aim: Callable[[Task], Spec] | None = field(repr=False, compare=False, default=None)
    restores: RestoreNeeds | None = None
    generates: GenerateNeeds | None = None
    build: Callable[[Spec, Precision, Trial | None], Model] = field(
        repr=False, compare=False, default=lambda spec, precision, trial: Model(spec)
    )

    @property
    def key(self) -> str:
        """Name and revision: equal keys mean interchangeable vectors."""
        return f"{self.name}@{self.revision}"

    def load(self, precision: Precision = "auto", *, trial: Trial | None = None) -> Model:
        """Make the model run.

        Args:
            precision: "fp32", "bf16", "int8", or "auto": the fastest that the machine has and that a check on a few
                images finds faithful.
            trial: What to check the precision on; images made up for the purpose where it is None.

        Raises:
            ModelError: Its files are damaged or no engine can run them.
            MissingExtra: It needs a package that is not installed.
        """
        return self.build(self, precision, trial)

    def matcher(
        self, descriptions: Sequence[Sequence[str]], *, none: bool = False, templates: Sequence[str] = ()
    ) -> Matcher:
        """Return what scores images against words; the image half is not loaded for it.

        Args:
            descriptions: For each class, one or more words or phrases that stand for it.
            none: Score "none of these" as well, as one more class at the end.
            templates: Wordings with {} for the class, instead of the model's own.

        Raises:
            ModelError: The model cannot match words.
            InputError: A description is longer than the model reads.
        """
        if self.match is None:
            raise self.cannot("words", "match words")
        return self.match(descriptions, none, templates)

    def cannot(self, task: Task, what: str) -> ModelError:
        """Return the error for a task that is not among those of this model."""
        return ModelError(
            f"The model {self.name!r} cannot {what}.",
            expected=f"a model with the task {task!r}",
            got=f"tasks {', '.join(self.tasks)}",
            hint=f"lucida models --task {task} lists them"
            + ("; --model embedded works offline" if task in ("encode", "words") else ""),
        )


class Model:
    """A running model. All methods may be called from several threads at once.

    Batches are float32 (n, channels, height, width) as `spec.needs.prepare` gives them, and are never changed.
    """

    def __init__(self, spec: Spec) -> None:
        self.spec = spec

    @property
    def engine(self) -> str:
        """What runs it, and at which precision."""
        return "none"

    def settle(self, sizes: Sequence[int]) -> bool:
        """Make calls with so many images cheaper, where the engine can: it is told them before; calls wait meanwhile.

        Args:
            sizes: Numbers of images, 1 among them; empty to undo it. Other numbers are put together of these.

        Returns:
            Whether it makes a difference.
        """
        return False

    def embed(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return vectors float32 (n, dimensions)."""
        raise self.spec.cannot("encode", "give vectors of images")

    def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return unnormalised log-probabilities float32 (n, classes) of the model's own classes."""
        raise self.spec.cannot("classify", "name classes of its own")

    def predict(self, images: Sequence[Image]) -> list[Result]:
        """Return boxes, masks, heat maps or the text of images of any size, in their own pixels.

        Args:
            images: Decoded images.
        """
        raise self.spec.cannot("detect", "find objects, masks, oddities or text")

    def outline(self, image: Image, hints: Sequence[Hint]) -> Detections:
        """Return the object that each hint means, with its pixels.

        Args:
            image: A decoded image.
            hints: Points or a box each, in pixels of the image.
        """
        raise self.spec.cannot("outline", "outline what is pointed at")

    def say(self, talk: Talk) -> Said:
        """Say what comes next in a talk: the answer to its last turn, or a caption where that has no words.

        What is wrong with this talk alone is in what comes back.

        Raises:
            ModelError: The model cannot be reached, or will answer nothing at all.
        """
        raise self.spec.cannot("answer", "answer in words")

    def restore(
        self, batch: NDArray[np.float32], noise: float | None = None, mask: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Return better images: larger, with less noise, or with holes filled.

        Args:
            batch: float32 (n, channels, height, width) in 0..1, any size.
            noise: Standard deviation of the noise to take out, in grey levels of 0..255, of a model that is told.
            mask: float32 (n, 1, height, width), 1 where is to be filled and 0 elsewhere, of a model that fills.

        Returns:
            float32 (n, channels, height * scale, width * scale) in 0..1.

        Raises:
            InputError: The batch is none of these.
            MemoryError: There is no memory for it; smaller pieces may still do.
        """
        raise self.spec.cannot("upscale", "restore images")

    def generate(
        self, request: GenerationRequest, seeds: Sequence[int], step: Callable[[float], None] | None = None
    ) -> list[Picture]:
        """Draw a picture for each seed: the same ones whether drawn alone or together.

        Args:
            request: What is to be drawn, made ready: `lucida.generate.ready` gives images one size that the model
                can draw, which is also `request.size`, and has steps and guidance checked.
            seeds: Whole numbers from 0 to 2^63 - 1.
            step: Called with the share that is done, 0..1; what it raises stops the work and goes through.

        Raises:
            ModelError: The model cannot, or drew values that are no numbers.
            InputError: The request cannot be.
            MemoryError: There is no memory for so many; fewer may still do.
        """
        raise self.spec.cannot("generate", "draw")

    def remarks(self, request: GenerationRequest) -> tuple[Note, ...]:
        """Return what a person should know of how a request is taken, a sentence each.

        That is what of the prompt is not read, or which class is drawn for it.
        """
        return ()

    def ask(self, prompt: Prompt, images: Sequence[bytes]) -> list[Reply]:
        """Answer a question about each of a few images, at most `together`.

        Args:
            prompt: What is asked.
            images: Encoded image files.

        Raises:
            ModelError: The model cannot be reached or will answer no image at all; what is wrong with one image is
                in its reply.
        """
        raise self.spec.cannot("ask", "answer questions")

    def quote_talk(self, talk: Talk) -> Usage:
        """Return what `say` takes at most for this talk, answers that have to be asked for again included."""
        raise self.spec.cannot("answer", "answer in words")

    @property
    def together(self) -> int:
        """How many images one call of `ask` takes."""
        return 1

    @property
    def workers(self) -> int:
        """How many calls of `ask` may run at a time with profit."""
        return 1

    def quote(self, prompt: Prompt, images: int = 1) -> Usage:
        """Return what asking about so many images in one call takes at most, before anything is sent."""
        raise self.spec.cannot("ask", "answer questions")

    def stop(self) -> None:
        """Let calls of `ask` that are under way end as soon as may be: nothing is tried again."""

    def expect(self, prompt: Prompt, images: int = 1) -> Usage:
        """Return what asking about so many images in one call usually takes; what it takes at most where unknown."""
        return self.quote(prompt, images)


class Matcher:
    """Scores images against the words of some classes, from the output that `spec.gives.words` names.

    Attributes:
        notes: What a person should know of these scores, a sentence each.
    """

    notes: Sequence[str] = ()

    @property
    def directions(self) -> NDArray[np.float32] | None:
        """Unit vectors float32 (classes, d) whose cosine with an embedding ranks images as `logits` does.

        None where the scores are no cosines: then every image is scored.
        """
        return None

    def logits(self, outputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return log-probabilities up to a constant an image, float32 (n, classes), of outputs (n, d)."""
        raise NotImplementedError


def check_rows(outputs: NDArray[np.float32], columns: int) -> None:
    """Refuse anything but float32 (n, columns).

    Raises:
        InputError: The array has another shape.
    """
    if outputs.ndim != 2 or outputs.shape[1] != columns:
        raise InputError("These vectors are not of this model.", expected=f"(n, {columns})", got=f"{outputs.shape}")
