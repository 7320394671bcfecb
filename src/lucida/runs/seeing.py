"""What a model says of images, whatever the task: one table of tasks, one worker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lucida.errors import ImageError, InputError, UnknownName
from lucida.images import decode
from lucida.models.chat import Said, Talk, Turn, Usage
from lucida.models.json_schema import check_schema
from lucida.models.logits import sigmoid, softmax
from lucida.results import Classification, Detections, Embedding, Tags, Text
from lucida.runs.describing import describe
from lucida.runs.spending import NOT_ASKED, Budget

if TYPE_CHECKING:
    from lucida.images import Image
    from lucida.models.spec import Hint, Matcher, Model, Precision, Spec, Task
    from lucida.results import Result
    from lucida.video import Frame

    Act = Callable[[Sequence[bytes], Sequence[Image]], list["Seen"]]


@dataclass(frozen=True)
class Wish:
    """What is asked of a model beside the image.

    Attributes:
        task: One of `TASKS`; "" for the first that the model has.
        classes: What to look for, or to tell apart; empty for the model's own classes.
        questions: In words, one after the other: each is asked with what was said before.
        schema: JSON schema that an answer must follow; None for free text.
        reason: Whether a reason is asked for.
        least: Leave out objects and tags that are less probable; None for what is usual.
        hints: Points and boxes to outline.
    """

    task: str = ""
    classes: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()
    schema: dict[str, Any] | None = None
    reason: bool = False
    least: float | None = None
    hints: tuple[Hint, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return what decides the results, as plain values; what is not asked for is left out."""
        found = {
            "task": self.task,
            "classes": list(self.classes),
            "questions": list(self.questions),
            "schema": self.schema,
            "reason": self.reason,
            "least": self.least,
            "hints": [hint.__dict__ for hint in self.hints],
        }
        return {name: value for name, value in found.items() if value not in (None, "", [], False)}


@dataclass(frozen=True)
class Seen:
    """What came of one image.

    Attributes:
        result: What the model says; None where it says nothing.
        problem: Why; "" where there is a result.
        usage: What it took, of a model that is paid for.
        size: Width and height in pixels; (0, 0) where it could not be read.
    """

    result: Result | None = None
    problem: str = ""
    usage: Usage = field(default_factory=Usage)
    size: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class _Way:
    """How a task is done.

    Attributes:
        tasks: Of a model: it needs one of these.
        act: Makes the function that is called with encoded and decoded images.
    """

    tasks: tuple[Task, ...]
    act: Callable[[Seer], Act]


class Seer:
    """Looks at images with one model, one wish; may be called from several threads.

    Args:
        spec: The model.
        wish: What is asked.
        precision: Of the model.
        budget: Of a model that is paid for; None for no limit.

    Raises:
        UnknownName: No such task, or classes that the model does not know.
        ModelError: The model cannot do this.
        InputError: A question is missing, or the form of its answer is no JSON schema.
        MissingExtra: The model needs a package that is not installed.
    """

    def __init__(self, spec: Spec, wish: Wish, precision: Precision = "auto", budget: Budget | None = None) -> None:
        task = wish.task or usual_task(spec, wish)
        if task not in TASKS:
            raise UnknownName("task", task, TASKS)
        way = TASKS[task]
        fitting = [one for one in way.tasks if one in spec.tasks]
        if not fitting:
            raise spec.cannot(way.tasks[0], f"do the task {task!r}")
        if task == "answer" and not (wish.questions and all(one.strip() for one in wish.questions)):
            raise InputError(
                "There is no question.", expected="what to ask of the image", got="none", hint='--question "How many?"'
            )
        if task == "outline" and not wish.hints:
            raise InputError(
                "Nothing is pointed at.",
                expected="a point or a box, in pixels of the image",
                got="neither",
                hint="--point 120,80 or --box 10,20,200,240",
            )
        if wish.schema is not None:
            check_schema(wish.schema)
        self.wish = replace(wish, task=task)
        self.matcher: Matcher | None = None
        self.spec = self._chosen(spec.aim(fitting[0]) if spec.aim else spec, fitting[0])
        self.budget = budget or Budget()
        self._precision: Precision = precision
        self._model: Model | None = None
        self._way, self._act = way, way.act(self)

    @property
    def model(self) -> Model:
        """The running model, loaded when it is first needed."""
        if self._model is None:
            self._model = self.spec.load(self._precision)
        return self._model

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of these results."""
        return tuple(self.matcher.notes) if self.matcher else ()

    @property
    def talks(self) -> bool:
        """Whether a model is asked in words, an image at a time."""
        return self._way.act in (_by_talk, _by_description)

    @property
    def classes(self) -> tuple[str, ...]:
        """What is told apart or looked for; empty where results are in words."""
        return self.wish.classes or self.spec.gives.classes

    def _chosen(self, spec: Spec, task: str) -> Spec:
        """Return the spec that does it for the classes that were asked for."""
        wanted = self.wish.classes
        if task in ("detect", "segment") and wanted and spec.look_for is not None:
            return spec.look_for(wanted)
        if task in ("detect", "segment") and not wanted and spec.look_for is not None and not spec.gives.classes:
            raise InputError(
                f"{spec.name} finds whatever it is told to, and was told nothing.",
                expected="what to look for",
                got="no classes",
                hint='--classes "bolt,crack"',
            )
        if self.wish.task in ("classify", "tag") and wanted and not set(wanted) <= set(spec.gives.classes):
            if spec.match is None:
                raise unknown_classes(spec, wanted)
            self.matcher = spec.matcher([[name] for name in wanted])
        elif task in ("detect", "segment") and not set(wanted) <= set(spec.gives.classes):
            raise unknown_classes(spec, wanted)
        return spec

    def see(self, images: Sequence[bytes]) -> list[Seen]:
        """Look at some images.

        Args:
            images: Encoded files; what is wrong with one is in what comes back for it.

        Raises:
            ModelError: The model cannot run at all.
        """
        return self._see([partial(decode, data) for data in images], list(images))

    def see_frames(self, frames: Sequence[Frame]) -> list[Seen]:
        """Look at some frames of a video.

        Raises:
            ModelError: The model cannot run at all.
        """
        # To write them as files takes longer than to decode them, and few tasks need it.
        files = [frame.jpeg() if self.talks else b"" for frame in frames]
        return self._see([partial(getattr, frame, "image") for frame in frames], files)

    def _see(self, images: Sequence[Callable[[], Image]], files: Sequence[bytes]) -> list[Seen]:
        if self.budget.over:
            return [Seen(problem=NOT_ASKED) for _ in images]
        found: list[Seen | None] = [None] * len(images)
        decoded: list[Image] = []
        rows: list[int] = []
        for row, decoding in enumerate(images):
            try:
                image = decoding()
                self.spec.needs.check_image(image)
            except ImageError as error:
                found[row] = Seen(problem=error.line())
                continue
            rows.append(row)
            decoded.append(image)
        if rows:
            said = self._act([files[row] for row in rows], decoded)
            for row, image, one in zip(rows, decoded, said, strict=True):
                height, width = image.pixels.shape[:2]
                found[row] = replace(one, size=(width, height))
        return [one if one is not None else Seen(problem="nothing was said of it") for one in found]

    def say(self, talk: Talk) -> Said:
        """Have the model say what comes next in a talk, within the limit of cost.

        Raises:
            ModelError: The model cannot be reached, or will answer nothing at all.
        """
        return self.budget.say(self.model, talk)

    def see_together(self, images: Sequence[bytes], about: str = "") -> Seen:
        """Talk about several images at once: "What differs?".

        Args:
            images: Encoded files; one that cannot be read is the problem of all.
            about: What the model is told of them beside the question.

        Raises:
            InputError: The task is none in words.
            ModelError: The model cannot run at all.
        """
        if self._way.act is not _by_talk:
            raise InputError(
                "Images can only be talked about together.",
                expected="the task caption or answer",
                got=f"the task {self.wish.task}",
                hint='--question "What differs?"',
            )
        sizes = []
        for number, data in enumerate(images, start=1):
            try:
                image = decode(data)
                self.spec.needs.check_image(image)
            except ImageError as error:
                return Seen(problem=f"Image {number}: {error.line()}")
            sizes.append((image.pixels.shape[1], image.pixels.shape[0]))
        return replace(talk_about(self.say, self.wish, images, about), size=sizes[0] if sizes else (0, 0))


def unknown_classes(spec: Spec, wanted: Sequence[str]) -> UnknownName:
    """Return the error for classes that a model does not know."""
    strange = next(name for name in wanted if name not in spec.gives.classes)
    return UnknownName(
        f"class of {spec.name}",
        strange,
        spec.gives.classes,
        hint="a model that finds anything in words: --model owlv2 or grounding-dino",
    )


def usual_task(spec: Spec, wish: Wish) -> str:
    """Return what a model is for, where nobody says what it is to do."""
    if wish.questions and "answer" in spec.tasks:
        return "answer"
    if wish.hints and "outline" in spec.tasks:
        return "outline"
    for task, way in TASKS.items():
        if set(way.tasks) & set(spec.tasks):
            return task
    raise spec.cannot("classify", "be shown an image: it names nothing")


# The ways


def _by_predict(seer: Seer) -> Act:
    wish = seer.wish
    kept = set(wish.classes) if seer.spec.look_for is None else set()
    least = seer.spec.gives.least if wish.least is None else wish.least

    def act(_: Sequence[bytes], images: Sequence[Image]) -> list[Seen]:
        return [Seen(_chosen(one, kept, least)) for one in seer.model.predict(images)]

    return act


def _chosen(result: Result, classes: set[str], least: float) -> Result:
    """Return what was asked for of a result: of these classes, sure enough."""
    if not isinstance(result, Detections):
        return result
    if classes:
        result = result.take(np.array([label in classes for label in result.labels], bool))
    return result.above(least) if least else result


def _by_outline(seer: Seer) -> Act:
    def act(_: Sequence[bytes], images: Sequence[Image]) -> list[Seen]:
        return [Seen(seer.model.outline(image, seer.wish.hints)) for image in images]

    return act


def _by_logits(seer: Seer) -> Act:
    wish, spec = seer.wish, seer.spec
    several = wish.task == "tag"
    own = list(spec.gives.classes)
    classes = list(wish.classes) if seer.matcher else own
    columns = [own.index(name) for name in wish.classes] if wish.classes and not seer.matcher else None

    def act(_: Sequence[bytes], images: Sequence[Image]) -> list[Seen]:
        batch = np.stack([spec.needs.prepare(image) for image in images])
        if seer.matcher:
            outputs = seer.model.embed(batch) if spec.gives.words == "embedding" else seer.model.logits(batch)
            logits = seer.matcher.logits(outputs)
        else:
            logits = seer.model.logits(batch)
        names = classes
        if columns is not None:
            logits, names = logits[:, columns], list(wish.classes)
        if several:
            return [Seen(one) for one in Tags.from_probabilities(sigmoid(logits), names, least=wish.least or 0.5)]
        return [Seen(one) for one in Classification.from_probabilities(softmax(logits), names)]

    return act


def _by_vector(seer: Seer) -> Act:
    spec = seer.spec

    def act(_: Sequence[bytes], images: Sequence[Image]) -> list[Seen]:
        vectors = seer.model.embed(np.stack([spec.needs.prepare(image) for image in images]))
        return [Seen(Embedding(vector, spec.key)) for vector in vectors]

    return act


def _by_talk(seer: Seer) -> Act:
    def act(files: Sequence[bytes], _: Sequence[Image]) -> list[Seen]:
        return [talk_about(seer.say, seer.wish, [data]) for data in files]

    return act


def talk_about(say: Callable[[Talk], Said], wish: Wish, images: Sequence[bytes], about: str = "") -> Seen:
    """Ask the questions of a wish about some images, each with what was said before; a caption where there are none.

    Args:
        say: Says what comes next in a talk.
        wish: Its questions.
        images: Encoded files.
        about: What the model is told of the images before the first question.
    """
    turns: list[Turn] = []
    before: list[tuple[str, str]] = []
    usage, said = Usage(), Said()
    for question in wish.questions or ("",):
        # The images go with the first question.
        turns.append(Turn(question) if turns else Turn(f"{about}\n{question}".strip(), tuple(images)))
        said = say(Talk(tuple(turns), schema=wish.schema, reason=wish.reason))
        usage += said.usage
        if said.problem:
            return Seen(problem=said.problem, usage=usage)
        turns.append(Turn(said.text, by="assistant"))
        before.append((question, said.text))
    return Seen(Text(said.text, said.score, said.reason, said.data, tuple(before[:-1])), usage=usage)


def _by_description(seer: Seer) -> Act:
    def act(files: Sequence[bytes], _: Sequence[Image]) -> list[Seen]:
        found = (describe(seer.spec, seer.say, data, seer.wish.questions) for data in files)
        return [Seen(result, said.problem, said.usage) for result, said in found]

    return act


# In the order in which a model's usual task is looked for.
TASKS: Final[dict[str, _Way]] = {
    "detect": _Way(("detect",), _by_predict),
    "segment": _Way(("segment",), _by_predict),
    "anomaly": _Way(("anomaly",), _by_predict),
    "read": _Way(("read",), _by_predict),
    "tag": _Way(("tag",), _by_logits),
    "classify": _Way(("classify", "words"), _by_logits),
    "caption": _Way(("caption", "answer"), _by_talk),
    "answer": _Way(("answer",), _by_talk),
    "describe": _Way(("ask", "caption"), _by_description),
    "outline": _Way(("outline",), _by_outline),
    "embed": _Way(("encode",), _by_vector),
}
