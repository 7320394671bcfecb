"""From what is wished to what is done: which models, in which order, and what that makes of a size."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Final, Literal

from lucida.errors import InputError, ModelError
from lucida.models.registry import find as find_model
from lucida.models.restorers.family import USUAL, sets
from lucida.models.spec import Precision, Spec, Task
from lucida.notes import Note

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MOST: Final = 16.0  # times larger
WASTE: Final = 4.0  # times larger than wished that an image may become on the way
STAGES: Final = 4
TASKS: Final[tuple[Task, ...]] = ("fill", "denoise", "upscale")
NOISE: Final = (0.0, 100.0)  # grey levels of 0..255 that can be asked for
_DO: Final = {"fill": "fill holes", "denoise": "take out noise", "upscale": "enlarge images"}
_CALLED: Final[dict[Task, Note]] = {
    "fill": Note("fill_holes", "fill holes"),
    "denoise": Note("take_out_noise", "take out noise"),
    "upscale": Note("enlarge_images", "enlarge images"),
}


@dataclass(frozen=True)
class Wish:
    """What is to be done to images.

    Attributes:
        upscale: Factor of width and height, 1 to 16.
        denoise: Standard deviation of the noise to take out, in grey levels of 0..255; "auto" to estimate it for each
            image; None to leave it.
        fill: An image, white where is to be filled, or a folder of such, named like the images; None for none.
        model: A set ("embedded", "embedded-real"), or one model; "" for "embedded".
        precision: Of the models.
    """

    upscale: float = 1.0
    denoise: float | Literal["auto"] | None = None
    fill: Path | None = None
    model: str = ""
    precision: Precision = "auto"


@dataclass(frozen=True)
class Stage:
    """One model that an image goes through."""

    task: Task
    spec: Spec

    @property
    def scale(self) -> int:
        """How many times larger the image becomes."""
        return self.spec.gives.scale


@dataclass(frozen=True)
class Plan:
    """What is done to every image, in order.

    Attributes:
        stages: Models that it goes through.
        factor: How many times wider and higher it is in the end.
        denoise: As wished.
        notes: What a person should know, a sentence each.
    """

    stages: tuple[Stage, ...]
    factor: float
    denoise: float | Literal["auto"] | None
    notes: tuple[Note, ...] = ()

    @property
    def scale(self) -> int:
        """How many times larger the models make it; more than `factor` where it is then reduced."""
        return math.prod(stage.scale for stage in self.stages)

    @property
    def key(self) -> str:
        """What changes whenever the results may change."""
        return " ".join([*(f"{s.task}:{s.spec.key}" for s in self.stages), f"x{self.factor:g}", f"{self.denoise}"])

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Return the width and height that an image comes out with."""
        return max(1, round(width * self.factor)), max(1, round(height * self.factor))


@dataclass(frozen=True)
class Choice:
    """A name for --model that works without a file.

    Attributes:
        name: Of the set.
        tasks: What it can do.
        scales: Factors it has models for; others are composed of these.
        note: What it is for.
    """

    name: str
    tasks: tuple[Task, ...]
    scales: tuple[int, ...]
    note: str


def choices() -> list[Choice]:
    """Return the sets of models that come with the package."""
    found = []
    for name, members in sets().items():
        specs = [find_model(member) for member in members]
        tasks = tuple(task for task in TASKS if any(task in spec.tasks for spec in specs))
        scales = tuple(sorted(spec.gives.scale for spec in specs if "upscale" in spec.tasks))
        found.append(Choice(name, tasks, scales, " ".join(dict.fromkeys(spec.note for spec in specs if spec.note))))
    return [choice for choice in found if choice.tasks]


def make_plan(wish: Wish, home: Path | None = None) -> Plan:
    """Choose the models.

    Args:
        wish: What is to be done.
        home: Folder of the models of a catalog; None where only models of the machine are meant.

    Raises:
        InputError: Nothing is wished, or a factor or level that cannot be.
        UnknownName: There is no such model.
        ModelError: The model does not do what is wished, or has no scale that would do.
        MissingExtra: It needs a package that is not installed.
    """
    name = wish.model or USUAL
    known = sets()
    own = [find_model(member) for member in known[name]] if name in known else [_single(name, home)]
    wish = _told(wish, own, name, known)
    wanted = {"fill": wish.fill is not None, "denoise": wish.denoise is not None, "upscale": wish.upscale != 1}
    tasks: list[Task] = [task for task in TASKS if wanted[task]]
    able = {task: [spec for spec in own if task in spec.tasks] for task in tasks}
    if own and not any(able.values()):
        raise ModelError(
            f"The model {name!r} does nothing of what is wished.",
            expected=" or ".join(_DO[task] for task in tasks),
            got=f"a model that can {', '.join(_DO[t] for spec in own for t in spec.tasks if t in _DO)}",
            hint="leave --model out, or the options that it is not for",
        )
    stages: list[Stage] = []
    notes: list[Note] = []
    for task in tasks:
        specs = able[task]
        if not specs:
            specs = [spec for member in known[USUAL] if task in (spec := find_model(member)).tasks]
            if specs and name != USUAL:
                other = ", ".join(spec.name for spec in specs)
                said = "{name} does not {what}: {other} does that."
                notes.append(Note("other_model", said, name=name, what=_CALLED[task], other=other))
        if not specs:
            raise _nobody(task, name)
        if task != "upscale":
            stages.append(Stage(task, specs[0]))
            continue
        chosen = compose(wish.upscale, specs, name)
        stages += [Stage(task, spec) for spec in chosen]
        notes += _in_words(wish.upscale, chosen)
    if wish.denoise not in (None, "auto") and not any(_is_told(stage) for stage in stages):
        name = next(stage.spec.name for stage in stages if stage.task == "denoise")
        notes.append(Note("no_level", "{name} is told no level of noise.", name=name))
    return Plan(tuple(stages), wish.upscale, wish.denoise, tuple(notes))


def _is_told(stage: Stage) -> bool:
    return stage.task == "denoise" and stage.spec.restores is not None and stage.spec.restores.noise


def _single(name: str, home: Path | None) -> Spec:
    spec = find_model(name, home)
    if spec.restores is None:
        raise ModelError(
            f"The model {name!r} does not restore images.",
            expected=f"a model with one of the tasks {', '.join(TASKS)}",
            got=f"tasks {', '.join(spec.tasks)}",
            hint=f"--model {USUAL}, or a FILE.safetensors that spandrel knows; lucida models --task upscale",
        )
    return spec


def _told(wish: Wish, own: Sequence[Spec], name: str, known: dict[str, tuple[str, ...]]) -> Wish:
    """Check a wish; where none is said, one model by name says it itself."""
    from dataclasses import replace

    if not 1 <= wish.upscale <= MOST or not math.isfinite(wish.upscale):
        raise InputError(
            "Images cannot be enlarged by that.",
            expected=f"a factor from 1 to {MOST:g}",
            got=f"{wish.upscale:g}",
            hint="--upscale 4; for smaller images use any image program",
        )
    if isinstance(wish.denoise, int | float) and not NOISE[0] < wish.denoise <= NOISE[1]:
        raise InputError(
            "That is no level of noise.",
            expected=f"a standard deviation above 0, up to {NOISE[1]:g} grey levels of 0..255",
            got=f"{wish.denoise:g}",
            hint="--denoise 25, or --denoise alone to have it estimated",
        )
    if wish.upscale != 1 or wish.denoise is not None or wish.fill is not None:
        return wish
    tasks = own[0].tasks if len(own) == 1 and name not in known else ()
    if "upscale" in tasks and own[0].gives.scale > 1:
        return replace(wish, upscale=float(own[0].gives.scale))
    if "denoise" in tasks or "upscale" in tasks:
        return replace(wish, denoise="auto") if "denoise" in tasks else wish
    raise InputError(
        "Nothing is to be done to the images.",
        expected="--upscale N, --denoise [LEVEL] or --fill MASK.png",
        got="none of them" + (f", and {name}, which fills what a mask covers" if "fill" in tasks else ""),
        hint="lucida restore photo.jpg --upscale 2",
    )


def compose(factor: float, specs: Sequence[Spec], name: str) -> list[Spec]:
    """Return the upscalers that together make an image at least so many times larger, least work first.

    Raises:
        ModelError: Every way would make it much larger than wished, or takes too many steps.
    """
    by_scale = {spec.gives.scale: spec for spec in reversed(specs)}
    ways = [
        (math.prod(way), len(way), way)
        for length in range(1, STAGES + 1)
        for way in combinations_with_replacement(sorted(by_scale), length)
        if factor - 1e-6 <= math.prod(way) <= WASTE * factor + 1e-6
    ]
    if not ways or max(by_scale) == 1:
        raise ModelError(
            f"The model {name!r} has no scale for that.",
            expected=f"scales whose product is {factor:g}, or up to {WASTE:g} times that",
            got=f"x{', x'.join(str(scale) for scale in sorted(by_scale))}, which {STAGES} steps do not bring there",
            hint=f"--upscale {max(by_scale)}" if max(by_scale) > 1 else "--model embedded",
        )
    # Small steps first: the pixels of a later stage are the more.
    return [by_scale[scale] for scale in min(ways)[2]]


def _in_words(factor: float, specs: Sequence[Spec]) -> list[Note]:
    scales = [spec.gives.scale for spec in specs]
    reached = math.prod(scales)
    if len(scales) == 1 and reached == factor:
        return []
    steps = [Note("enlarged_by", "x{scale} by {name}", scale=spec.gives.scale, name=spec.name) for spec in specs]
    if reached > factor + 1e-6:
        steps.append(Note("reduced_to", "reduced to x{factor} by antialiased bicubic", factor=f"{factor:g}"))
    way = steps[0]
    for step in steps[1:]:
        way = Note("then", "{first}, then {next}", first=way, next=step)
    return [Note("enlarged", "x{factor} is {way}.", factor=f"{factor:g}", way=way)]


def _nobody(task: Task, name: str) -> ModelError:
    return ModelError(
        f"No model at hand can {_DO[task]}.",
        expected=f"a model with the task {task!r}",
        got=f"--model {name}",
        hint="--model FILE.safetensors, of any architecture that spandrel knows; or onnx:PATH",
    )
