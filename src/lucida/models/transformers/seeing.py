"""Transformers models that find, outline and segment: what each kind can do, and what runs it, in one table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from lucida.errors import MissingExtra, ModelError
from lucida.models.hub.classes import tell_apart
from lucida.models.hub.processor import processor_file
from lucida.models.hub.snapshot import UNSTATED, Snapshot
from lucida.models.needs import ImageNeeds
from lucida.models.spec import Gives, Model, Precision, Spec, Task, Trial

if TYPE_CHECKING:
    from collections.abc import Mapping

SIDE: Final = 800  # pixels, where a processor does not say; models of any shape scale images by themselves
_HERE: Final = "lucida.models.transformers"


@dataclass(frozen=True)
class Kind:
    """One kind of model.

    Attributes:
        tasks: What it can do.
        runner: "module:class" of what runs it; the module needs PyTorch.
        note: What a person must know before relying on it.
        least: Probability from which its objects are usually shown.
        named: Whether it has to be told what to look for.
    """

    tasks: tuple[Task, ...]
    runner: str
    note: str
    least: float = 0.0
    named: bool = False


_TORCH = "Runs in PyTorch, with the image processor and the decoding of transformers."
KINDS: Final[dict[str, Kind]] = {
    "detect": Kind(("detect",), "objects:Detector", f"Finds its own classes. {_TORCH}", 0.5),
}


def kind_of(snapshot: Snapshot, task: str) -> Kind | None:
    """Return the kind of a model that is there for a task; None where it is not one of these."""
    return KINDS.get(task)


def seeing_spec(snapshot: Snapshot, kind: Kind, *, family: str) -> Spec:
    """Return the spec of a model of a kind; nothing is loaded for it.

    Raises:
        ModelError: It does not say how images are to be prepared.
    """

    def build(spec: Spec, precision: Precision, trial: Trial | None) -> Model:
        module, name = kind.runner.split(":")
        try:
            runner = getattr(import_module(f"{_HERE}.{module}"), name)
        except MissingExtra:
            raise
        except ImportError as error:
            raise MissingExtra(error.name or "transformers", "hub", f"Running {spec.name}") from error
        made: Model = runner(spec, snapshot, precision)
        return made

    def look_for(classes: Sequence[str]) -> Spec:
        return replace(spec, gives=replace(spec.gives, classes=tuple(classes)))

    def aim(task: Task) -> Spec:
        return replace(spec, tasks=(task,), aim=None)

    spec = Spec(
        name=snapshot.name,
        family=family,
        tasks=kind.tasks,
        needs=ImageNeeds(_side(processor_file(snapshot.folder)), resize="fit", interpolation="bilinear"),
        gives=Gives(classes=() if kind.named else class_names(snapshot.config), least=kind.least),
        licence=UNSTATED,
        source=snapshot.name,
        revision=snapshot.revision[:12],
        note=kind.note,
        look_for=look_for if kind.named else None,
        aim=aim if len(kind.tasks) > 1 else None,
        build=build,
    )
    return spec


def class_names(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the classes of a config.json, in order; "LABEL_0" … as transformers has it without."""
    given = config.get("id2label")
    if not isinstance(given, dict) or not given:
        return tuple(f"LABEL_{k}" for k in range(int(config.get("num_labels", 2))))
    try:
        numbered = {int(number): str(name) for number, name in given.items()}
    except ValueError as error:
        raise ModelError(
            "The classes in config.json are not numbered.",
            expected='"id2label": {"0": NAME, …}',
            got=str(error),
            hint="download the model again, whole",
        ) from error
    return tuple(words[0] for words in tell_apart([[numbered.get(k, f"LABEL_{k}")] for k in range(max(numbered) + 1)]))


def _side(table: Mapping[str, Any]) -> int:
    """Return the side in pixels that images are scaled to, as far as it is one number."""
    size = table.get("size")
    if isinstance(size, dict):
        size = next((size[key] for key in ("height", "longest_edge", "shortest_edge") if size.get(key)), None)
    return int(size) if isinstance(size, int | float) and size > 0 else SIDE
