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

from lucida.results import run_lengths

if TYPE_CHECKING:
    from lucida.catalog import CurrentObject

INSTANCES: Final = "instances"  # a name by which readers tell it from other JSON files
# What trainers of YOLO and VOC call a split, where people call it something else.
NAMES: Final = {"validation": "val", "valid": "val", "dev": "val"}


@dataclass(frozen=True)
class Pictured:
    """One image with its objects.

    Attributes:
        image: Content id.
        file: Its file name in the export.
        width, height: In pixels, upright.
        objects: What is in it.
        split: Its split; "" without splits.
    """

    image: str
    file: str
    width: int
    height: int
    objects: tuple[CurrentObject, ...]
    split: str = ""


def box_of(one: CurrentObject, width: int, height: int) -> tuple[float, float, float, float]:
    """Return left, top, right, bottom of an object; around its mask where it has no box.

    Models may place a box partly outside of the image: it is clipped, since trainers refuse it.

    Args:
        one: The object.
        width, height: Of its image.
    """
    box = one.detail.get("box")
    left, top, right, bottom = run_lengths.extent(one.detail["mask"])[1] if box is None else map(float, box)
    left, right = (min(max(side, 0.0), width) for side in (left, right))
    top, bottom = (min(max(side, 0.0), height) for side in (top, bottom))
    return left, top, right, bottom


def is_seen(one: CurrentObject, width: int, height: int) -> bool:
    """Tell whether anything of an object lies within its image."""
    left, top, right, bottom = box_of(one, width, height)
    return right > left and bottom > top


def coco(pictures: Sequence[Pictured], classes: Sequence[str], about: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield one file of COCO, or one a split; each annotation says, too, where it comes from.

    Args:
        pictures: Images and their objects.
        classes: Names of the classes.
        about: What stands as its "info".
    """
    for split in splits_of(pictures):
        inside = [picture for picture in pictures if picture.split == split]
        yield f"{INSTANCES}{split and '_'}{split}.json", _instances(inside, classes, about)


def _instances(pictures: Sequence[Pictured], classes: Sequence[str], about: dict[str, Any]) -> str:
    number = {name: i for i, name in enumerate(classes, 1)}
    images: list[dict[str, Any]] = []
    notes: list[dict[str, Any]] = []
    for id, picture in enumerate(pictures, 1):
        images.append({"id": id, "file_name": picture.file, "width": picture.width, "height": picture.height})
        for one in picture.objects:
            left, top, right, bottom = box_of(one, picture.width, picture.height)
            mask = one.detail.get("mask")
            area = (right - left) * (bottom - top) if mask is None else float(run_lengths.extent(mask)[0])
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
    return json.dumps(body, ensure_ascii=False) + "\n"


def yolo(pictures: Sequence[Pictured], classes: Sequence[str], about: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield a text file an image, and data.yaml; see `coco` for the arguments. Masks are written as their boxes."""
    number = {name: i for i, name in enumerate(classes)}
    for picture in pictures:
        lines = []
        for one in picture.objects:
            left, top, right, bottom = box_of(one, picture.width, picture.height)
            centre = ((left + right) / 2 / picture.width, (top + bottom) / 2 / picture.height)
            size = ((right - left) / picture.width, (bottom - top) / picture.height)
            lines.append(" ".join([str(number[one.label]), *(f"{share:.6f}" for share in (*centre, *size))]))
        yield f"labels/{_within(picture, _stem(picture.file))}.txt", "".join(f"{line}\n" for line in lines)
    names = "".join(f"  {i}: {json.dumps(name, ensure_ascii=False)}\n" for name, i in number.items())
    # Without splits nobody has said what is to be held back: a validation part of the same images would tell nothing.
    named = {NAMES.get(split, split) or "train": f"images/{split}".rstrip("/") for split in splits_of(pictures)}
    parts = "".join(f"{name}: {folder}\n" for name, folder in named.items())
    yield "data.yaml", f"path: .\n{parts}names:\n{names}"


def voc(pictures: Sequence[Pictured], classes: Sequence[str], about: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield an XML file an image and a list a split; see `coco` for the arguments. Masks are written as their boxes."""
    stems = {split: [_stem(p.file) for p in pictures if p.split == split] for split in splits_of(pictures) if split}
    lists = {NAMES.get(split, split): names for split, names in stems.items()}
    if {"train", "val"} <= lists.keys():
        lists["trainval"] = [*lists["train"], *lists["val"]]
    for name, inside in lists.items():
        yield f"ImageSets/Main/{name}.txt", "".join(f"{stem}\n" for stem in inside)
    for picture in pictures:
        objects = ""
        for one in picture.objects:
            # VOC counts pixels from 1, the last one included.
            left, top, right, bottom = box_of(one, picture.width, picture.height)
            sides = {"xmin": left + 1, "ymin": top + 1, "xmax": right, "ymax": bottom}
            box = "".join(f"<{name}>{side:g}</{name}>" for name, side in sides.items())
            objects += f"  <object><name>{escape(_printable(one.label))}</name><bndbox>{box}</bndbox></object>\n"
        size = f"<width>{picture.width}</width><height>{picture.height}</height><depth>3</depth>"
        head = f"  <filename>{escape(picture.file)}</filename>\n  <size>{size}</size>\n"
        yield f"Annotations/{_stem(picture.file)}.xml", f"<annotation>\n{head}{objects}</annotation>\n"


def splits_of(pictures: Sequence[Pictured]) -> list[str]:
    """Return the splits in which there are images, in their order; "" alone where nothing was divided."""
    return list(dict.fromkeys(picture.split for picture in pictures))


def place_of(picture: Pictured, form: str) -> str:
    """Return where the file of an image lies in an export."""
    folder = FORMATS[form][0]
    # VOC keeps all images together: its lists say which is of which split.
    return f"{folder}/{picture.file if form == 'voc' else _within(picture, picture.file)}"


def _within(picture: Pictured, name: str) -> str:
    return f"{picture.split}/{name}" if picture.split else name


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)


def _stem(file: str) -> str:
    return file.rpartition(".")[0] or file


# The folder of the images, and what writes the rest.
FORMATS: Final = {"coco": ("images", coco), "yolo": ("images", yolo), "voc": ("JPEGImages", voc)}
