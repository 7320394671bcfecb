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
_WORDS = "Told in words what to look for (--classes)."
_BOTH: Final[tuple[Task, ...]] = ("detect", "segment")
_OWL = Kind(("detect",), "finding:Owl", f"{_WORDS} {_TORCH}", 0.1, named=True)
_DINO = Kind(("detect",), "finding:GroundingDino", f"{_WORDS} {_TORCH}", 0.25, named=True)
_MASKS = Kind(_BOTH, "universal:Universal", f"Objects of its own classes with their pixels. {_TORCH}", 0.5)
_SAM = Kind(("outline",), "outlines:Outliner", f"Outlines what a point or a box means. {_TORCH}")
# By the "model_type" of the config.json.
KINDS: Final[dict[str, Kind]] = {
    "owlvit": _OWL,
    "owlv2": _OWL,
    "grounding-dino": _DINO,
    "mm-grounding-dino": _DINO,
    "clipseg": Kind(("segment",), "semantic:SegmenterByText", f"{_WORDS} {_TORCH}", named=True),
    "mask2former": _MASKS,
    "maskformer": _MASKS,
    "oneformer": replace(_MASKS, runner="universal:OneFormer"),
    **dict.fromkeys(("sam", "sam_hq", "sam2", "sam2_video", "edgetam", "edgetam_video"), _SAM),
}
# All others, by the end of their architecture.
DETECTOR: Final = Kind(("detect",), "objects:Detector", f"Finds its own classes. {_TORCH}", 0.5)
SEGMENTER: Final = Kind(("segment",), "semantic:SemanticSegmenter", f"A class for every pixel. {_TORCH}")
ENDINGS: Final = {
    "ForObjectDetection": DETECTOR,
    "ForSemanticSegmentation": SEGMENTER,
}


def kind_of(snapshot: Snapshot) -> Kind | None:
    """Return the kind of a model; None where it is not one of these."""
    architecture = str((snapshot.config.get("architectures") or [""])[0])
    kind = KINDS.get(str(snapshot.config.get("model_type")))
    if kind is not None and architecture.endswith(("VisionModel", "VisionModelWithProjection")):
        return None
    if kind is None:
        return next((found for end, found in ENDINGS.items() if architecture.endswith(end)), None)
    if kind.runner.startswith("universal:") and trained_for(snapshot.name) == "semantic":
        return replace(kind, tasks=("segment",))
    return kind


def trained_for(name: str) -> str:
    """Return what a universal segmenter was trained for, as its name says; "" where that does not."""
    last = name.rstrip("/").rsplit("/", 1)[-1].casefold()
    return next((word for word in ("instance", "panoptic", "semantic") if word in last), "")


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
