"""COCO: a JSON file of images, annotations and categories, with the image files beside it.

Source: the "data format" page of cocodataset.org; its run lengths go down the columns.
"""

from __future__ import annotations

import io
import json
from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw

from lucida.data.files import Omitted, inside, reader, size_of, split_within, whole_boxes
from lucida.data.sample import Mask, Sample, Samples, Target, Task
from lucida.errors import ImageError, InputError
from lucida.results import run_lengths

_PLACES: Final = ("*.json", "annotations/*.json", "*/_annotations.coco.json", "*/annotations/*.json", "*/*.json")
_SIGNS: Final = (b'"images"', b'"annotations"', b'"categories"')
IGNORE: Final = 255


class CocoFormat:
    """Boxes, polygons and run lengths in a JSON file a split, as `instances_train2017.json`."""

    name = "coco"
    layout = "COCO (a .json of images, annotations and categories, the image files beside it)"
    tasks: tuple[Task, ...] = ("detect", "segment", "tag")

    def claims(self, path: Path, task: Task) -> bool:
        """Tell whether a place holds such JSON files."""
        return bool(_files(path))

    def read(self, path: Path, task: Task) -> Samples:
        """Read all files of a place; what cannot be used is left out and counted in the notes.

        Raises:
            InputError: A file is not the JSON it claims to be.
        """
        omitted = Omitted()
        files = [_File(file, path if path.is_dir() else file.parent, task, omitted) for file in _files(path)]
        classes = list(dict.fromkeys(name for file in files for name in file.names.values()))
        if task == "segment":
            classes = ["background", *classes]
            _refuse_many(path, classes)
        items = [sample for file in files for sample in file.samples(classes)]
        return Samples(task, tuple(classes), tuple(items), path.as_posix(), omitted.notes())


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path] if path.suffix == ".json" and _is_coco(path) else []
    for pattern in _PLACES:
        found = [file for file in sorted(path.glob(pattern)) if _is_coco(file)]
        if found:
            # Beside the instances lie captions and keypoints of the same images.
            return [file for file in found if "instances" in file.name] or found
    return []


def _is_coco(path: Path) -> bool:
    try:
        with path.open("rb") as opened:
            head = opened.read(65_536).lstrip(b"\xef\xbb\xbf \t\r\n")
    except OSError:
        return False
    return head.startswith(b"{") and any(sign in head for sign in _SIGNS)


class _File:
    """One JSON file."""

    def __init__(self, file: Path, root: Path, task: Task, omitted: Omitted) -> None:
        self.file, self.root, self.task, self.omitted = file, root, task, omitted
        try:
            body = json.loads(file.read_bytes())
            self.images = [one for one in body["images"] if "file_name" in one and "id" in one]
            self.names = _categories(body)
            notes = body.get("annotations", [])
            self.of_image: dict[Any, list[dict[str, Any]]] = defaultdict(list)
            for note in notes:
                self.of_image[note["image_id"]].append(note)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise InputError(
                f"{file} is no COCO file.",
                expected='an object {"images": [...], "annotations": [...], "categories": [...]}',
                got=f"{type(error).__name__}: {error}",
                hint="captions and keypoints are not read: name the file of instances",
            ) from error

    def samples(self, classes: list[str]) -> list[Sample]:
        split = split_within(self.file.name) or split_within(self.file.parent.name)
        numbers = {name: number for number, name in enumerate(classes)}
        found = []
        for one in self.images:
            path = self._find(str(one["file_name"]))
            if path is None:
                self.omitted.add("images whose file is missing", str(one["file_name"]))
                continue
            target = self._target(one, path, numbers)
            found.append(Sample(path.relative_to(self.root).as_posix(), reader(path), target, split))
        return found

    def _find(self, name: str) -> Path | None:
        bases = [self.file.parent, self.file.parent / "images", self.root, self.root / "images"]
        # instances_train2017.json tells of train2017/.
        word = self.file.stem.split("_")[-1]
        bases += [self.root / word, self.root / "images" / word]
        places = (inside(base, name) for base in bases)
        return next((place for place in places if place is not None and place.is_file()), None)

    def _target(self, one: dict[str, Any], path: Path, numbers: dict[str, int]) -> Target:
        notes = []
        for note in self.of_image.get(one["id"], []):
            if note.get("category_id") in self.names:
                notes.append((self.names[note["category_id"]], note))
            else:
                self.omitted.add("annotations of a class that is not named", path.name)
        if self.task == "tag":
            return tuple(dict.fromkeys(name for name, _ in notes))
        size = _size(one) or size_of(path)
        if self.task == "detect":
            kept = [(name, note["bbox"]) for name, note in notes if not note.get("iscrowd") and _is_box(note)]
            for _ in range(len(notes) - len(kept)):
                self.omitted.add("crowds and annotations without a box", path.name)
            xywh = np.array([box for _, box in kept], np.float32).reshape(-1, 4)
            xyxy = np.hstack([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]])
            return whole_boxes(xyxy, [name for name, _ in kept], size, self.omitted, path.name)
        if size is None:
            self.omitted.add("masks of images whose size is not known", path.name)
            return None
        layers = [(IGNORE if n.get("iscrowd") else numbers[name], n.get("segmentation")) for name, n in notes]
        # Large first, so that what lies on top stays visible.
        order = sorted(range(len(layers)), key=lambda i: -float(notes[i][1].get("area") or 0))
        values = {number: name for name, number in numbers.items()}
        return Mask(partial(draw_mask, [layers[i] for i in order], size), values, IGNORE)


def _categories(body: dict[str, Any]) -> dict[int, str]:
    """Return the names by id, without the roof that some tools put above all classes and use nowhere."""
    found = sorted(body["categories"], key=lambda category: int(category["id"]))
    used = {note.get("category_id") for note in body.get("annotations", [])}
    roofs = {category.get("supercategory") for category in found}
    return {
        int(category["id"]): str(category["name"])
        for category in found
        if category["id"] in used or category["name"] not in roofs or category.get("supercategory") == category["name"]
    }


def _size(one: dict[str, Any]) -> tuple[int, int] | None:
    width, height = one.get("width"), one.get("height")
    return (width, height) if isinstance(width, int) and isinstance(height, int) and width > 0 < height else None


def _is_box(note: dict[str, Any]) -> bool:
    box = note.get("bbox")
    return isinstance(box, list) and len(box) == 4 and all(isinstance(value, int | float) for value in box)


def _refuse_many(path: Path, classes: list[str]) -> None:
    if len(classes) > IGNORE:
        raise InputError(
            f"{path} names too many classes for a mask of 8 bits.",
            expected=f"at most {IGNORE - 1} classes",
            got=f"{len(classes) - 1}",
            hint="leave out the categories that are not needed",
        )


def draw_mask(layers: list[tuple[int, Any]], size: tuple[int, int]) -> bytes:
    """Return a PNG of one channel with the number of the class of every pixel, later layers over earlier ones.

    Args:
        layers: Number of a class, 0 to 255, and its segmentation: polygons [[x, y, x, y, …], …] or run lengths
            {"counts": [...] or text, "size": [height, width]}.
        size: Width and height.

    Raises:
        ImageError: A segmentation is neither.
    """
    mask = Pillow.new("L", size)
    try:
        for number, shape in layers:
            if isinstance(shape, dict):
                mask.paste(number, mask=Pillow.fromarray(run_lengths.decode(shape, size).astype(np.uint8) * 255))
            for polygon in shape if isinstance(shape, list) else ():
                if len(polygon) >= 6:
                    ImageDraw.Draw(mask).polygon([float(value) for value in polygon], fill=number)
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise ImageError(
            f"A segmentation cannot be drawn: {error}.",
            expected="polygons, or run lengths that fill the image",
            got=str(shape)[:80],
            hint="leave the annotation out",
        ) from error
    out = io.BytesIO()
    mask.save(out, "PNG", compress_level=1)
    return out.getvalue()
