"""The models of torchvision that find and segment, as data."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from lucida.errors import ModelError
from lucida.models.coco import VOC, numbered
from lucida.models.hub.classes import tell_apart

if TYPE_CHECKING:
    from collections.abc import Mapping

Way = Literal["boxes", "masks", "pixels"]
_RCNN: Final = "roi_heads.box_predictor.cls_score.bias"
_ONE: Final = "head.classification_head.cls_logits.bias"
_PIXELS: Final = "classifier.4.bias"
_LONGEST: Final = 100_000_000  # bytes of a header, as safetensors itself has it


@dataclass(frozen=True)
class Entry:
    """One model.

    Attributes:
        way: Whether it gives boxes, boxes with masks, or a class for every pixel.
        head: Name of the weight whose length tells how many classes there are.
        times: How many values of it a class has.
        side: Pixels that the shorter side of an image is scaled to.
    """

    way: Way
    head: str
    times: int = 1
    side: int = 800


MODELS: Final[dict[str, Entry]] = {
    "fasterrcnn_resnet50_fpn": Entry("boxes", _RCNN),
    "fasterrcnn_resnet50_fpn_v2": Entry("boxes", _RCNN),
    "fasterrcnn_mobilenet_v3_large_fpn": Entry("boxes", _RCNN),
    "fasterrcnn_mobilenet_v3_large_320_fpn": Entry("boxes", _RCNN, side=320),
    "fcos_resnet50_fpn": Entry("boxes", _ONE),
    "retinanet_resnet50_fpn": Entry("boxes", _ONE, 9),
    "retinanet_resnet50_fpn_v2": Entry("boxes", _ONE, 9),
    "ssd300_vgg16": Entry("boxes", "head.classification_head.module_list.0.bias", 4, 300),
    "ssdlite320_mobilenet_v3_large": Entry("boxes", "head.classification_head.module_list.0.1.bias", 6, 320),
    "maskrcnn_resnet50_fpn": Entry("masks", _RCNN),
    "maskrcnn_resnet50_fpn_v2": Entry("masks", _RCNN),
    "fcn_resnet50": Entry("pixels", _PIXELS, side=520),
    "fcn_resnet101": Entry("pixels", _PIXELS, side=520),
    "deeplabv3_resnet50": Entry("pixels", _PIXELS, side=520),
    "deeplabv3_resnet101": Entry("pixels", _PIXELS, side=520),
    "deeplabv3_mobilenet_v3_large": Entry("pixels", _PIXELS, side=520),
    "lraspp_mobilenet_v3_large": Entry("pixels", "classifier.low_classifier.bias", side=520),
}


def read_shapes(file: Path) -> dict[str, Any]:
    """Return the header of a safetensors file: name to {"shape": …}, and "__metadata__".

    Raises:
        ModelError: It is none.

    Source: the format's description, https://github.com/huggingface/safetensors
    """
    try:
        with file.open("rb") as opened:
            length = int.from_bytes(opened.read(8), "little")
            if length > _LONGEST:
                raise ValueError("no header")
            found = json.loads(opened.read(length))
        if not isinstance(found, dict):
            raise ValueError("no table")
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{file} cannot be read.",
            expected="weights in safetensors",
            got=getattr(error, "strerror", None) or str(error)[:80],
            hint="write it again, with safetensors.torch.save_file",
        ) from error
    return found


def classes_of(name: str, file: Path, header: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the classes of a file, the background first: those that it holds, else those of COCO or VOC.

    Raises:
        ModelError: Its weights are of another model, or it names another number of classes.
    """
    entry = MODELS[name]
    shape = header.get(entry.head, {}).get("shape", [])
    if len(shape) != 1 or shape[0] % entry.times:
        raise ModelError(
            f"The weights in {file} are not those of {name}.",
            expected=f"the weight {entry.head!r} with {entry.times} value{'s' * (entry.times > 1)} a class",
            got=f"shape {shape}" if shape else f"{', '.join(sorted(header)[:3])} …",
            hint="torchvision:NAME@FILE with the NAME that the file was written from",
        )
    count = shape[0] // entry.times
    given = header.get("__metadata__", {}).get("classes")
    if given is None:
        usual = {len(each): each for each in (numbered(), VOC)}
        names = usual.get(count, ("__background__", *(f"class {k}" for k in range(1, count))))
        return tuple(words[0] for words in tell_apart([[one] for one in names]))
    found = json.loads(given)
    if not isinstance(found, list) or len(found) != count:
        raise ModelError(
            f"The classes in {file} do not fit its weights.",
            expected=f"{count} names, the background first",
            got=f"{len(found) if isinstance(found, list) else type(found).__name__}",
            hint='save_file(weights, FILE, {"classes": json.dumps(["__background__", …])})',
        )
    return tuple(str(one) for one in found)
