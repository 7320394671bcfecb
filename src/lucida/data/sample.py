"""An image and what is known of it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

from lucida.data.decisions import Decisions

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Task = Literal["classify", "tag", "detect", "segment", "anomaly"]
TASKS: tuple[str, ...] = get_args(Task)
TRAIN, VALIDATION, TEST = "train", "validation", "test"


@dataclass(frozen=True, eq=False)
class Boxes:
    """Objects of an image.

    Attributes:
        xyxy: Left, top, right, bottom of each, float32 (n, 4), in pixels of the upright image as it is decoded.
        labels: The class of each, n names.
    """

    xyxy: NDArray[np.float32]
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Mask:
    """The class of every pixel of an image.

    Attributes:
        read: Returns an encoded image of one channel, as large as the upright image.
        values: What its values stand for: 0 to "background", 3 to "crack"; a value that is not here is an error.
        ignore: A value whose pixels count nowhere; None where there is none.
    """

    read: Callable[[], bytes] = field(repr=False)
    values: dict[int, str]
    ignore: int | None = 255


@dataclass(frozen=True)
class Soft:
    """A teacher's opinion.

    Attributes:
        probabilities: Class to probability; classes that are missing share what is left.
    """

    probabilities: dict[str, float]

    @property
    def label(self) -> str:
        """Return the likeliest class."""
        return max(self.probabilities, key=lambda name: self.probabilities[name])


# One class; several tags; objects; a mask; a teacher's opinion; nothing known.
Target = str | tuple[str, ...] | Boxes | Mask | Soft | None


@dataclass(frozen=True)
class Sample:
    """One image and what is known of it.

    Attributes:
        name: Path as given, for people and reports.
        read: Returns its bytes.
        target: What is known of it.
        split: "train", "validation", "test", another name, or "" where nobody has said.
        slices: What it may be grouped by in an evaluation: {"source": "phone", "time": "2026-05"}.
    """

    name: str
    read: Callable[[], bytes] = field(repr=False)
    target: Target = None
    split: str = ""
    slices: dict[str, str] = field(default_factory=dict)

    @property
    def labels(self) -> tuple[str, ...]:
        """Return the names of all classes that its target holds, once each."""
        match self.target:
            case None:
                return ()
            case str():
                return (self.target,)
            case Soft():
                return (self.target.label,)
            case Boxes():
                return tuple(dict.fromkeys(self.target.labels))
            case Mask():
                return tuple(dict.fromkeys(self.target.values.values()))
            case _:
                return self.target


@dataclass(frozen=True)
class Samples:
    """Images of one question, with what is known of them.

    Attributes:
        task: What is known: one class, several tags, boxes, masks.
        classes: All classes, in the order of the numbers that training gives them.
        items: The images.
        origin: Where they come from: a path, or the question of a catalog.
        notes: What a person should know: what was left out, and why, a sentence each.
        decided: What people said of pairs of these images: the same picture, or not.
    """

    task: Task
    classes: tuple[str, ...]
    items: tuple[Sample, ...] = field(repr=False)
    origin: str
    notes: tuple[str, ...] = ()
    decided: Decisions = field(default_factory=Decisions, repr=False)

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Sample]:
        return iter(self.items)

    def __getitem__(self, index: int) -> Sample:
        return self.items[index]

    @property
    def splits(self) -> dict[str, int]:
        """Return how many images each split has."""
        return dict(Counter(sample.split for sample in self.items))

    def of(self, *splits: str) -> Samples:
        """Return the images of some splits."""
        return replace(self, items=tuple(sample for sample in self.items if sample.split in splits))

    def take(self, rows: Iterable[int]) -> Samples:
        """Return some of the images."""
        return replace(self, items=tuple(self.items[row] for row in rows))

    def digest(self) -> str:
        """Return 16 hex digits that change whenever an image's name, split or target does.

        Pixels are not read: a file replaced by another under the same name goes unseen.
        """
        whole = hashlib.sha256(repr((self.task, self.classes)).encode())
        for sample in self.items:
            whole.update(repr((sample.name, sample.split, _plain(sample.target))).encode())
        return whole.hexdigest()[:16]


def _plain(target: Target) -> Any:
    if isinstance(target, Boxes):
        return target.xyxy.tolist(), target.labels
    if isinstance(target, Mask):
        return sorted(target.values.items()), target.ignore
    return target
