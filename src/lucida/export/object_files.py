"""Boxes and masks as files that trainers read: COCO, YOLO, Pascal VOC.

Coordinates are pixels of the upright image, as `lucida.images` decodes it.

Source: the "data format" page of cocodataset.org; the Ultralytics dataset page; the VOC2012 development kit.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from xml.sax.saxutils import escape

import numpy as np

from lucida.results import run_lengths

if TYPE_CHECKING:
    from lucida.catalog import CurrentObject

INSTANCES: Final = "instances.json"  # a name by which readers tell it from other JSON files


@dataclass(frozen=True)
class Pictured:
    """One image with its objects.

    Attributes:
        image: Content id.
        file: Its file name in the export.
        width, height: In pixels, upright.
        objects: What is in it.
    """

    image: str
    file: str
    width: int
    height: int
    objects: tuple[CurrentObject, ...]


def box_of(one: CurrentObject) -> tuple[float, float, float, float]:
    """Return left, top, right, bottom of an object; around its mask where it has no box."""
    box = one.detail.get("box")
    if box is not None:
        left, top, right, bottom = (float(side) for side in box)
        return left, top, right, bottom
    pixels = run_lengths.decode(one.detail["mask"])
    down, across = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
    if not len(down):
        return 0.0, 0.0, 0.0, 0.0
    return float(across[0]), float(down[0]), float(across[-1] + 1), float(down[-1] + 1)


def coco(pictures: Sequence[Pictured], classes: Sequence[str], about: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the one file of COCO; each annotation says, too, where it comes from.

    Args:
        pictures: Images and their objects.
        classes: Names of the classes.
        about: What stands as its "info".
    """
    number = {name: i for i, name in enumerate(classes, 1)}
    images: list[dict[str, Any]] = []
    notes: list[dict[str, Any]] = []
    for id, picture in enumerate(pictures, 1):
        images.append({"id": id, "file_name": picture.file, "width": picture.width, "height": picture.height})
        for one in picture.objects:
            left, top, right, bottom = box_of(one)
            mask = one.detail.get("mask")
            area = (right - left) * (bottom - top) if mask is None else float(run_lengths.decode(mask).sum())
            note: dict[str, Any] = {
                "id": len(notes) + 1,
                "image_id": id,
                "category_id": number[one.label],
                "bbox": [round(side, 2) for side in (left, top, right - left, bottom - top)],
                "area": round(area, 2),
                "iscrowd": 0,
                "segmentation": [] if mask is None else mask,
                "state": one.state,
                "kept": one.kept,
            }
            notes.append(note if one.score is None else {**note, "score": one.score})
    categories = [{"id": i, "name": name, "supercategory": ""} for name, i in number.items()]
    body = {"info": about, "licenses": [], "images": images, "annotations": notes, "categories": categories}
    yield INSTANCES, json.dumps(body, ensure_ascii=False) + "\n"


def yolo(pictures: Sequence[Pictured], classes: Sequence[str], about: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield a text file an image, and data.yaml; see `coco` for the arguments. Masks are written as their boxes."""
    number = {name: i for i, name in enumerate(classes)}
    for picture in pictures:
        lines = []
        for one in picture.objects:
            left, top, right, bottom = box_of(one)
            centre = ((left + right) / 2 / picture.width, (top + bottom) / 2 / picture.height)
            size = ((right - left) / picture.width, (bottom - top) / picture.height)
            lines.append(" ".join([str(number[one.label]), *(f"{share:.6f}" for share in (*centre, *size))]))
        yield f"labels/{_stem(picture.file)}.txt", "".join(f"{line}\n" for line in lines)
    names = "".join(f"  {i}: {json.dumps(name, ensure_ascii=False)}\n" for name, i in number.items())
    # Nobody has said what is to be held back: a validation part of the same images would tell nothing.
    yield "data.yaml", f"path: .\ntrain: images\nnames:\n{names}"


def voc(pictures: Sequence[Pictured], classes: Sequence[str], about: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield an XML file an image; see `coco` for the arguments. Masks are written as their boxes."""
    for picture in pictures:
        objects = ""
        for one in picture.objects:
            # VOC counts pixels from 1, the last one included.
            left, top, right, bottom = box_of(one)
            sides = {"xmin": left + 1, "ymin": top + 1, "xmax": right, "ymax": bottom}
            box = "".join(f"<{name}>{side:g}</{name}>" for name, side in sides.items())
            objects += f"  <object><name>{escape(_printable(one.label))}</name><bndbox>{box}</bndbox></object>\n"
        size = f"<width>{picture.width}</width><height>{picture.height}</height><depth>3</depth>"
        head = f"  <filename>{escape(picture.file)}</filename>\n  <size>{size}</size>\n"
        yield f"Annotations/{_stem(picture.file)}.xml", f"<annotation>\n{head}{objects}</annotation>\n"


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)


def _stem(file: str) -> str:
    return file.rpartition(".")[0] or file


# The folder of the images, and what writes the rest.
FORMATS: Final = {"coco": ("images", coco), "yolo": ("images", yolo), "voc": ("JPEGImages", voc)}
