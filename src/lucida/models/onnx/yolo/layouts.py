"""The forms in which networks of the YOLO kind give their boxes, as data, and how a form is recognised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from lucida.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

    from lucida.models.onnx.yolo.header import Shape

STRIDES: Final = ((8, 16, 32), (8, 16, 32, 64), (16, 32), (8, 16))
MASKS: Final = 32  # coefficients of a mask, where the prototypes do not say


@dataclass(frozen=True)
class Layout:
    """One form.

    Attributes:
        name: As a TOML names it.
        about: Whose it is, and its shape.
        objectness: Whether a fifth value says that there is an object at all.
        turned: Whether values lie along the second axis, places along the third.
        anchors: Boxes of a place; 0 where the network has chosen among its boxes by itself.
        grid: Whether boxes are in units of their place in the grid.
        overlap: Intersection over union from which two boxes of a class are of one object, as its authors have it.
        centred: Whether an image lies in the middle of the grey square; in its left upper corner otherwise.
        channels: Order of the colours.
        scale: Factor on 0..255.
    """

    name: str
    about: str
    objectness: bool = False
    turned: bool = False
    anchors: int = 1
    grid: bool = False
    overlap: float = 0.45
    centred: bool = True
    channels: Literal["RGB", "BGR"] = "RGB"
    scale: float = 1 / 255


LAYOUTS: Final[dict[str, Layout]] = {
    layout.name: layout
    for layout in (
        Layout("v5", "YOLOv5, YOLOv7: (n, boxes, 5 + classes), three boxes a place", objectness=True, anchors=3),
        Layout("v6", "YOLOv6: (n, boxes, 5 + classes), one box a place, in pixels", objectness=True),
        Layout("v8", "YOLOv8, v9, 11, 12: (n, 4 + classes, boxes)", turned=True, overlap=0.7),
        Layout("chosen", "YOLOv10, 26, and exports with NMS inside: (n, boxes, 6)", anchors=0, overlap=1.0),
        Layout(
            "yolox",
            "YOLOX: (n, boxes, 5 + classes), one box a place, in units of the grid",
            objectness=True,
            grid=True,
            centred=False,
            channels="BGR",
            scale=1.0,
        ),
    )
}


@dataclass(frozen=True)
class Outputs:
    """How the outputs of a file are to be read.

    Attributes:
        layout: The form of its boxes.
        boxes: Name of the output with boxes and scores.
        prototypes: Name of the output that masks are made of; "" where there are no masks.
        classes: How many there are; 0 where boxes have their class as a number.
        masks: Coefficients of a mask.
    """

    layout: Layout
    boxes: str
    prototypes: str = ""
    classes: int = 0
    masks: int = 0


def places(height: int, width: int, strides: tuple[int, ...]) -> int:
    """Return in how many places a network looks for objects."""
    return sum((height // stride) * (width // stride) for stride in strides)


def strides_of(height: int, width: int, count: int, anchors: int = 1) -> tuple[int, ...] | None:
    """Return the strides of a network that gives so many boxes; None where none fit."""
    return next((each for each in STRIDES if anchors * places(height, width, each) == count), None)


def recognise(
    shapes: Mapping[str, Shape], size: tuple[int, int], classes: int, file: Path, layout: str = ""
) -> Outputs:
    """Return how outputs are to be read.

    Args:
        shapes: Of the outputs, in order, no size free but the first.
        size: Height and width of the input.
        classes: How many names the file has; 0 where it has none.
        file: For messages.
        layout: The one that it must be; "" for any.

    Raises:
        ModelError: They are of no form that is known; it says what was found.
    """
    prototypes = next((name for name, shape in shapes.items() if len(shape) == 4 and _quarter(shape, size)), "")
    masks = int(shapes[prototypes][1] or MASKS) if prototypes else 0
    for name, shape in shapes.items():
        if len(shape) != 3 or shape[1] is None or shape[2] is None:
            continue
        for each in LAYOUTS.values():
            count = _classes(each, (shape[1], shape[2]), size, masks)
            if count is None or (classes and count and count != classes) or (layout and each.name != layout):
                continue
            return Outputs(each, name, prototypes, count, masks)
    raise ModelError(
        f"{file} gives outputs that are not known here.",
        expected="; ".join(each.about for each in LAYOUTS.values() if layout in ("", each.name))
        + (f"; for {classes} classes" if classes else ""),
        got=f"{_said(shapes)}, of an input of {size[0]} x {size[1]} pixels",
        hint='describe it in a TOML beside it (documentation of lucida.models.onnx.card): kind = "boxes" takes scores'
        " and boxes as two outputs; or export it again",
    )


def _quarter(shape: Shape, size: tuple[int, int]) -> bool:
    """Tell whether an output is a map at a quarter of the input's size."""
    return shape[2:] == (size[0] // 4, size[1] // 4)


def _classes(layout: Layout, shape: tuple[int, int], size: tuple[int, int], masks: int) -> int | None:
    """Return how many classes an output has, if it is of this form; None where it is not."""
    count, values = (shape[1], shape[0]) if layout.turned else shape
    if not layout.anchors:
        return 0 if values == 6 + masks else None
    left = values - 4 - layout.objectness - masks
    return left if left > 0 and strides_of(*size, count, layout.anchors) else None


def _said(shapes: Mapping[str, Shape]) -> str:
    return ", ".join(
        f"{name} ({', '.join('?' if one is None else str(one) for one in shape)})" for name, shape in shapes.items()
    )
