"""Read labelled images from wherever they lie: each format is asked whether a place is its own."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from lucida.data.sample import TASKS, TEST, TRAIN, VALIDATION, Samples, Task
from lucida.errors import InputError, UnknownName

# What people call their splits.
SPLITS = {
    "train": TRAIN, "training": TRAIN, "trainval": TRAIN,
    "val": VALIDATION, "valid": VALIDATION, "validation": VALIDATION, "dev": VALIDATION,
    "test": TEST, "testing": TEST, "holdout": TEST,
}  # fmt: skip


class Format(Protocol):
    """A way in which labelled images are stored.

    Attributes:
        name: "parquet", "coco", "yolo", "voc", "folder", "masks".
        layout: What such a place looks like, in a line, for messages.
        tasks: What it can hold.
    """

    name: str
    layout: str
    tasks: tuple[Task, ...]

    def claims(self, path: Path, task: Task) -> bool:
        """Tell whether a place is of this format and may hold targets of this task; nothing large is read."""
        ...

    def read(self, path: Path, task: Task) -> Samples:
        """Read a place.

        Raises:
            InputError: It is not what it must be.
        """
        ...


def formats() -> tuple[Format, ...]:
    """Return all formats; the first that claims a place reads it."""
    from lucida.data.coco import CocoFormat
    from lucida.data.folders import FolderFormat, MvtecFormat
    from lucida.data.masks import MaskFormat
    from lucida.data.parquet import ParquetFormat
    from lucida.data.voc import VocFormat
    from lucida.data.yolo import YoloFormat

    return (
        ParquetFormat(),
        CocoFormat(),
        VocFormat(),
        YoloFormat(),
        MvtecFormat(),
        MaskFormat(),
        FolderFormat(),
    )


def read_data(path: Path | str, task: Task) -> Samples:
    """Read labelled images.

    Args:
        path: A folder or file in one of the formats of `formats`.
        task: What is to be known of each image.

    Returns:
        The images, with their splits where the place has some.

    Raises:
        UnknownName: No such task.
        InputError: There is nothing there, no format reads it, or its targets are not of this task.
    """
    if task not in TASKS:
        raise UnknownName("task", task, TASKS)
    place = Path(path).expanduser()
    fitting = [form for form in formats() if task in form.tasks]
    if place.exists():
        for form in fitting:
            if form.claims(place, task):
                return form.read(place, task)
    raise InputError(
        f"There are no labelled images to {task} at {place}.",
        expected="; or ".join(form.layout for form in fitting),
        got="something else" if place.exists() else "nothing there",
        hint="--data NAMES THE FOLDER that holds the images and their labels",
    )


def split_of(name: str) -> str:
    """Return the split that the name of a file or folder stands for; "" if none.

    "train-00000-of-00002.parquet" is of the split "train", as the `datasets` library reads it.
    """
    stem = name.split(".")[0].casefold()
    return SPLITS.get(stem) or SPLITS.get(stem.replace("_", "-").split("-")[0], "")
