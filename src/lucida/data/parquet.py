"""Parquet files in the convention of the `datasets` library: one file, or a folder of them, one or more a split."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Final

import numpy as np

from lucida.catalog.sources.parquet import image_column
from lucida.data.files import Omitted, size_within, whole_boxes
from lucida.data.sample import Mask, Sample, Samples, Target, Task
from lucida.data.source import split_of
from lucida.errors import InputError

# The first of these columns that is there holds the target.
COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "classify": ("label", "labels", "class", "category"),
    "anomaly": ("label", "labels", "class", "category"),
    "tag": ("tags", "labels", "label"),
    "detect": ("objects", "annotations"),
    "segment": ("mask", "annotation", "label"),
}
_BOXES: Final = ("bbox", "bboxes", "boxes")
# Masks without names: black is background, white (or 1) is what is looked for.
TWO: Final = {0: "background", 1: "foreground", 255: "foreground"}
_CATEGORIES: Final = ("category", "categories", "label", "labels", "category_id")


class ParquetFormat:
    """Rows of an image {bytes, path} and its target; class names come from the features in the schema."""

    name = "parquet"
    layout = "a Parquet file or a folder of them (train.parquet, validation.parquet) as `datasets` writes"
    tasks: tuple[Task, ...] = ("classify", "tag", "detect", "segment", "anomaly")

    def claims(self, path: Path, task: Task) -> bool:
        """Tell whether a place holds Parquet files."""
        return bool(_files(path))

    def read(self, path: Path, task: Task) -> Samples:
        """Read all files of a place.

        Raises:
            InputError: No column of images or targets, or files that do not agree on their classes.
        """
        items: list[Sample] = []
        classes: list[str] = []
        omitted = Omitted()
        for file in _files(path):
            table = _Table(file, task, omitted)
            classes = classes or table.classes
            if table.classes != classes:
                raise InputError(
                    f"The Parquet files in {path} do not agree on their classes.",
                    expected=", ".join(classes[:12]),
                    got=f"{file.name} with {', '.join(table.classes[:12])}",
                    hint="name the one file that is meant",
                )
            items += table.samples()
        found = classes or sorted({label for sample in items for label in sample.labels})
        return Samples(task, tuple(found), tuple(items), path.as_posix(), omitted.notes())


def read_rows(path: Path) -> list[Sample]:
    """Return the images of all files of a place, nothing said of them; other columns need not be there.

    Raises:
        InputError: A file cannot be read, or has no column of images.
    """
    items: list[Sample] = []
    for file in _files(path):
        table = _read_table(file)
        column = image_column(table.schema)
        if column is None:
            raise InputError(
                f"{file} has no column of images.",
                expected="a column of images {bytes, path}",
                got=f"columns {', '.join(table.column_names)}",
                hint="name a file that has one",
            )
        images, split = table.column(column), split_of(file.name)
        items += [
            Sample(_name(file, one, row), _reader(images, row), None, split) for row, one in enumerate(_paths(images))
        ]
    return items


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(path.glob("*.parquet")) or sorted(path.glob("data/*.parquet"))
    return [path] if path.suffix == ".parquet" else []


class _Table:
    """One file, its images read when they are asked for."""

    def __init__(self, file: Path, task: Task, omitted: Omitted) -> None:
        self.file, self.task, self.omitted = file, task, omitted
        self.table = _read_table(file)
        self.image = image_column(self.table.schema)
        names = [name for name in self.table.column_names if name != self.image]
        self.column = next((name for name in COLUMNS[task] if name in names), None)
        if self.image is None or self.column is None:
            raise InputError(
                f"{file} lacks a column for this.",
                expected=f"a column of images {{bytes, path}} and one of {' or '.join(COLUMNS[task])}",
                got=f"columns {', '.join(self.table.column_names)}",
                hint=f"is the task {task!r} meant?",
            )
        self.images = self.table.column(self.image)
        self.rows = [_name(file, path, row) for row, path in enumerate(_paths(self.images))]
        self.features = _features(self.table.schema)
        self.names = _class_names(self.features, self.column)
        self.classes = self._classes()

    def _classes(self) -> list[str]:
        if self.task == "segment":
            return self.names or ["background", "foreground"]
        return list(self.names)

    def samples(self) -> list[Sample]:
        targets = self.table.column(self.column)
        split = split_of(self.file.name)
        others = self._others()
        read_target = _TARGETS[self.task]
        return [
            Sample(
                name,
                _reader(self.images, row),
                read_target(self, targets, row),
                split,
                {name: names[value] for name, (names, values) in others.items() if (value := values[row]) is not None},
            )
            for row, name in enumerate(self.rows)
        ]

    def _others(self) -> dict[str, tuple[list[str], list[int | None]]]:
        """Return the columns of classes that are not the target: an evaluation may group by them."""
        named = {name: _class_names(self.features, name) for name in self.table.column_names if name != self.column}
        return {name: (names, self.table.column(name).to_pylist()) for name, names in named.items() if names}

    def name(self, value: Any) -> str:
        """Return the name of a class: its number's, or the text itself.

        Raises:
            InputError: The number is not that of a class.
        """
        if isinstance(value, str) or not self.names:
            return str(value)
        if isinstance(value, int) and 0 <= value < len(self.names):
            return self.names[value]
        raise InputError(
            f"{self.file} has a label that its schema does not name.",
            expected=f"a number from 0 to {len(self.names) - 1}",
            got=repr(value),
            hint="a label of -1 often stands for an unlabelled test split",
        )


def _read_table(file: Path) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_table(file)
    except (OSError, pa.ArrowException) as error:
        raise InputError(
            f"{file} cannot be read.",
            expected="a Parquet file",
            got=" ".join(str(error).split()),
            hint="write it again, or name another",
        ) from error


def _paths(images: Any) -> list[str | None]:
    return images.combine_chunks().field("path").to_pylist() if images.type.num_fields else [None] * len(images)


def _name(file: Path, path: str | None, row: int) -> str:
    return f"{file.name}/{PurePosixPath(path).name}" if path else f"{file.name}#{row}"


def _reader(column: Any, row: int) -> Callable[[], bytes]:
    def read() -> bytes:
        value = column[row].as_py()
        found = value.get("bytes") if isinstance(value, dict) else value
        return found if isinstance(found, bytes) else b""

    return read


def _label(table: _Table, column: Any, row: int) -> Target:
    value = column[row].as_py()
    return None if value is None else table.name(value)


def _tags(table: _Table, column: Any, row: int) -> Target:
    value = column[row].as_py()
    if value is None:
        return None
    return tuple(dict.fromkeys(table.name(v) for v in (value if isinstance(value, list) else [value])))


def _boxes(table: _Table, column: Any, row: int) -> Target:
    value = column[row].as_py() or {}
    if isinstance(value, list):  # a list of objects instead of an object of lists
        value = {key: [one[key] for one in value] for key in (value[0] if value else {})}
    boxes: list[Any] = next((value[key] for key in _BOXES if key in value), [])
    labels: list[Any] = next((value[key] for key in _CATEGORIES if key in value), [])
    where = table.rows[row]
    if len(boxes) != len(labels):
        raise InputError(
            f"{where} of {table.file} has not as many classes as boxes.",
            expected=f"one of {', '.join(_CATEGORIES[:2])} for each of its boxes",
            got=f"{len(boxes):,} boxes, {len(labels):,} classes",
            hint="write the file again without this row",
        )
    kept = [(box, label) for box, label in zip(boxes, labels, strict=True) if _is_box(box)]
    for _ in range(len(boxes) - len(kept)):
        table.omitted.add("annotations that are no box of four numbers", where)
    xywh = np.array([box for box, _ in kept], np.float32).reshape(-1, 4)
    # COCO's order, which `datasets` uses for a column named bbox: left, top, width, height.
    xyxy = np.hstack([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]])
    size = size_within(_reader(table.images, row)()) if kept else None
    return whole_boxes(xyxy, [table.name(label) for _, label in kept], size, table.omitted, where)


def _is_box(box: Any) -> bool:
    return isinstance(box, Sequence) and len(box) == 4 and all(isinstance(value, int | float) for value in box)


def _mask(table: _Table, column: Any, row: int) -> Target:
    if table.names:
        return Mask(_reader(column, row), dict(enumerate(table.names)))
    return Mask(_reader(column, row), TWO, None)


_TARGETS: dict[str, Callable[[_Table, Any, int], Target]] = {
    "classify": _label,
    "anomaly": _label,
    "tag": _tags,
    "detect": _boxes,
    "segment": _mask,
}


def _features(schema: Any) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
    except (KeyError, ValueError, TypeError):
        return {}
    return found


def _class_names(features: dict[str, Any], column: str) -> list[str]:
    """Return the names of the classes of a column, wherever in it they stand.

    Source: the features of the `datasets` library, {"_type": "ClassLabel", "names": [...]}.
    """
    for feature in _walk(features.get(column, {})):
        if feature.get("_type") == "ClassLabel":
            return [str(name) for name in feature["names"]]
    return []


def _walk(feature: Any) -> Iterator[dict[str, Any]]:
    if isinstance(feature, dict):
        yield feature
    for inner in feature.values() if isinstance(feature, dict) else feature if isinstance(feature, list) else ():
        yield from _walk(inner)
