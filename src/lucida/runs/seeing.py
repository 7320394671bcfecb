"""What a model says of images, whatever the task: one worker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from lucida.errors import ImageError, InputError, UnknownName
from lucida.images import decode
from lucida.models.json_schema import check_schema
from lucida.runs.spending import NOT_ASKED, Budget
from lucida.runs.ways import TASKS, talk_about, usual_task
from lucida.runs.wish import Seen, Wish

if TYPE_CHECKING:
    from lucida.images import Image
    from lucida.models.chat import Said, Talk
    from lucida.models.spec import Matcher, Model, Precision, Spec
    from lucida.video import Frame

__all__ = ["TASKS", "Seen", "Seer", "Wish", "talk_about", "unknown_classes", "usual_task"]


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
        return self._way.talks

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
        if self.wish.task not in ("caption", "answer"):
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
