"""YOLO: a text file beside every image, a line an object, and a data.yaml that names classes and splits."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from lucida.data.files import Omitted, folders_in, images_in, is_image, reader, size_of, whole_boxes
from lucida.data.sample import Boxes, Sample, Samples, Task
from lucida.data.source import SPLITS
from lucida.errors import InputError

_YAML: Final = (".yaml", ".yml")
_LISTS: Final = ("classes.txt", "labels/classes.txt", "obj.names")


class YoloFormat:
    """Lines `class x y width height` in shares of the image; polygons count by the box around them."""

    name = "yolo"
    layout = "YOLO (data.yaml with names, train and val; images/ and labels/ of the same stems)"
    tasks: tuple[Task, ...] = ("detect",)

    def claims(self, path: Path, task: Task) -> bool:
        """Tell whether a place is such a data.yaml, or holds one, or folders `images` and `labels` of text files."""
        if path.is_file():
            return path.suffix in _YAML
        return _yaml(path) is not None or any(_has_labels(folder) for folder in [path, *folders_in(path)])

    def read(self, path: Path, task: Task) -> Samples:
        """Read a place; what cannot be used is left out and counted in the notes.

        Raises:
            InputError: The YAML file is not what it must be, or there are no images where it says.
        """
        described = _described(path)
        omitted = Omitted()
        items = []
        for split, folder_or_list in described.parts:
            for image in _images(folder_or_list):
                sample = _sample(image, described, split, omitted)
                items += [sample] if sample is not None else []
        if not items:
            raise InputError(
                f"There are no images where {path} says.",
                expected="image files below " + ", ".join(str(part) for _, part in described.parts),
                got="none that can be read",
                hint="paths in data.yaml count from its own folder",
            )
        names = described.names or _by_number(items)
        return Samples(task, tuple(names), tuple(items), path.as_posix(), omitted.notes())


class _Described(NamedTuple):
    root: Path
    names: list[str]
    parts: list[tuple[str, Path]]


def _yaml(folder: Path) -> Path | None:
    found = sorted(file for file in folder.glob("*.y*ml") if file.suffix in _YAML)
    named = [file for file in found if file.stem in ("data", "dataset")]
    return next((file for file in (named or found) if "names" in (_body(file) or {})), None)


def _body(file: Path) -> dict[str, Any] | None:
    import yaml

    try:
        body = yaml.safe_load(file.read_bytes()) if file.stat().st_size < 2**20 else None
    except (OSError, yaml.YAMLError, ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def _described(path: Path) -> _Described:
    """Return the classes and where the images of each split lie."""
    file = path if path.is_file() else _yaml(path)
    if file is None:
        return _Described(path, _listed(path), _undescribed(path))
    body = _body(file) or {}
    given = body.get("names")
    names = [str(given[key]) for key in sorted(given)] if isinstance(given, dict) else [str(n) for n in given or []]
    root = file.parent
    parts = [(SPLITS[key], found) for key in body if key in SPLITS for found in _paths(root, body, body[key])]
    if not names:
        raise InputError(
            f"{file} names no classes.",
            expected="names: [cat, dog]",
            got=f"the keys {', '.join(map(str, body))}" if body else "no YAML object",
            hint="see the description of data sets of Ultralytics",
        )
    return _Described(root, names, parts or _undescribed(root))


def _paths(root: Path, body: dict[str, Any], given: object) -> list[Path]:
    """Return what an entry of data.yaml names; where the folder was moved since, the same below its own."""
    found = []
    for one in given if isinstance(given, list) else [given]:
        if not isinstance(one, str) or not one:
            continue
        bases = [root / str(body.get("path") or ""), root]
        # Roboflow writes ../train/images for what lies in train/images.
        candidates = [base / text for base in bases for text in (one, one.removeprefix("../"))]
        found.append(next((place for place in candidates if place.exists()), candidates[0]))
    return found


def _undescribed(root: Path) -> list[tuple[str, Path]]:
    """Return images/train, train/images, or images alone."""
    inner = [folder for folder in folders_in(root / "images") if folder.name.casefold() in SPLITS]
    outer = [folder / "images" for folder in folders_in(root) if _has_labels(folder)]
    parts = [(SPLITS[folder.name.casefold()], folder) for folder in inner]
    parts += [(SPLITS.get(folder.parent.name.casefold(), ""), folder) for folder in outer]
    return parts or [("", root / "images")]


def _has_labels(folder: Path) -> bool:
    labels = folder / "labels"
    return (folder / "images").is_dir() and labels.is_dir() and next(labels.rglob("*.txt"), None) is not None


def _listed(folder: Path) -> list[str]:
    file = next((folder / name for name in _LISTS if (folder / name).is_file()), None)
    return [line.strip() for line in file.read_text("utf-8").splitlines() if line.strip()] if file else []


def _images(place: Path) -> list[Path]:
    """Return the images of a folder, or those that a text file lists."""
    if place.is_dir():
        return images_in(place, deep=True)
    if place.suffix != ".txt" or not place.is_file():
        return []
    lines = (line.strip() for line in place.read_text("utf-8").splitlines())
    return [path for line in lines if line and is_image(path := place.parent / line)]


def _labels_of(image: Path) -> Path:
    """Return …/labels/a/b.txt of …/images/a/b.jpg, and b.txt beside b.jpg where no folder is named images."""
    parts = list(image.parts)
    last = max((i for i, part in enumerate(parts[:-1]) if part == "images"), default=None)
    if last is not None:
        parts[last] = "labels"
    return Path(*parts).with_suffix(".txt")


def _sample(image: Path, described: _Described, split: str, omitted: Omitted) -> Sample | None:
    name = image.relative_to(described.root).as_posix() if image.is_relative_to(described.root) else image.as_posix()
    size = size_of(image)
    if size is None:
        omitted.add("images that are missing or cannot be read", name)
        return None
    file = _labels_of(image)
    if not file.is_file():
        # As in the original: an image without a file of labels shows nothing.
        omitted.add("images without a file of labels", name, done="taken as empty")
    text = file.read_text("utf-8", "replace") if file.is_file() else ""
    return Sample(name, reader(image), _boxes(text, size, described.names, omitted, name), split)


def _boxes(text: str, size: tuple[int, int], names: list[str], omitted: Omitted, where: str) -> Boxes:
    boxes, labels = [], []
    for line in text.splitlines():
        box = _box(line)
        if box is None:
            omitted.add("lines that are no box or polygon", where) if line.strip() else None
        elif names and not box[0] < len(names):
            omitted.add("boxes of a class that is not named", where)
        else:
            boxes.append(box[1])
            labels.append(names[box[0]] if names else str(box[0]))
    scale = np.array([*size, *size], np.float32)
    xyxy = np.array(boxes, np.float32).reshape(-1, 4) * scale
    return whole_boxes(xyxy, labels, size, omitted, where)


def _box(line: str) -> tuple[int, list[float]] | None:
    """Return the class and left, top, right, bottom in shares of the image; None where a line is no object."""
    try:
        number, *values = (float(word) for word in line.split())
    except ValueError:
        return None
    if number < 0 or number != int(number) or not np.isfinite(values).all():
        return None
    if len(values) == 4:
        x, y, width, height = values
        return int(number), [x - width / 2, y - height / 2, x + width / 2, y + height / 2]
    if len(values) < 6 or len(values) % 2:
        return None
    return int(number), [min(values[::2]), min(values[1::2]), max(values[::2]), max(values[1::2])]


def _by_number(items: list[Sample]) -> list[str]:
    return sorted({label for sample in items for label in sample.labels}, key=int)
