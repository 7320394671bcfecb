"""The detectors that can be trained, as a table.

All are called in one way: with boxes and labels they return their losses, "loss" among them; without, scores
(n, places, classes) and boxes (n, places, 4) in pixels of the input.
"""

# Where PyTorch is not installed its classes are unknown to mypy.
# mypy: disallow_subclassing_any=False
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from lucida.errors import UnknownName
from lucida.train.backbone import EMBEDDED, IMAGENET, adapt_first
from lucida.train.backbone import build as build_backbone
from lucida.train.beginning import HUB, Built, begin


@dataclass(frozen=True)
class Architecture:
    """A kind of detector.

    Attributes:
        build: Called with its name, the classes, where to begin: "auto", "hub" or "nothing", and how many channels
            images have.
        size: Usual longer side of images in pixels.
        rate: Usual peak learning rate.
        batch: Usual images a step.
        fits: Whether images are larger than usual where objects are small.
        overlap: Above which two boxes of a class are of one object; 1 where the network itself sees to it.
        mean: Of the input on 0..1.
        std: Likewise.
        square: Whether training images must be squares of the size.
        picks: Whether the network itself chooses its places: among equals it may choose others elsewhere.
        single: Whether it can be exported for one image at a time only.
        small: Whether its weights are stored as int8 and half precision once they are exported.
    """

    build: Callable[[str, Sequence[str], str, int], Built]
    size: int
    rate: float
    batch: int = 8
    fits: bool = False
    overlap: float = 0.6
    mean: tuple[float, ...] = IMAGENET[0]
    std: tuple[float, ...] = IMAGENET[1]
    square: bool = False
    picks: bool = False
    single: bool = False
    small: bool = False


def _embedded(name: str, classes: Sequence[str], start: str, channels: int) -> Built:
    from lucida.train.detect.network import SmallDetector

    backbone = build_backbone(EMBEDDED, start=start, channels=channels)
    trunk = backbone.trunk
    # The last stage is half of the weights, and coarser than objects that touch each other.
    trunk.blocks = trunk.blocks[:-1]
    width = trunk.blocks[-1].second[0].out_channels
    network = SmallDetector(trunk, width, len(classes))
    network.requires_grad_(True)
    learned = () if backbone.start == "nothing" else ("trunk",)
    return Built(network, backbone.start, backbone.licence, learned, backbone.note)


def _torchvision(name: str, classes: Sequence[str], start: str, channels: int) -> Built:
    from lucida.train.detect.torchvision import build

    return _adapted(build(name, len(classes), start), channels)


def _transformers(name: str, classes: Sequence[str], start: str, channels: int) -> Built:
    from lucida.train.detect.transformers import build

    return _adapted(build(name, classes, start), channels)


def _adapted(built: Built, channels: int) -> Built:
    adapt_first(built.network, channels)
    return built


ZERO, ONE = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
DETECTORS: dict[str, Architecture] = {
    EMBEDDED: Architecture(_embedded, 320, 1e-3, fits=True, small=True),
    "fasterrcnn_mobilenet_v3_large_fpn": Architecture(_torchvision, 416, 5e-4, overlap=0.5, picks=True),
    "fasterrcnn_resnet50_fpn": Architecture(_torchvision, 640, 2e-4, 4, overlap=0.5, picks=True),
    "ssdlite320_mobilenet_v3_large": Architecture(_torchvision, 320, 1e-3, 16, square=True),
    "rtdetr": Architecture(
        _transformers, 640, 1e-4, 4, overlap=1.0, mean=ZERO, std=ONE, square=True, picks=True, single=True
    ),
    "detr": Architecture(_transformers, 512, 1e-4, 4, overlap=1.0),
}


def architecture(name: str) -> Architecture:
    """Return a row of the table; "hf:org/name" is a detector of the hub, read by transformers.

    Raises:
        UnknownName: No such detector.
    """
    if name.startswith(HUB):
        return replace(DETECTORS["rtdetr" if "rtdetr" in name or "rt_detr" in name else "detr"])
    if name not in DETECTORS:
        raise UnknownName("detector to train", name, DETECTORS, hint="hf:org/name is one of the hub's")
    return DETECTORS[name]


def build(name: str, classes: Sequence[str], start: str, channels: int = 3) -> Built:
    """Build a detector.

    Args:
        name: A row of the table, or "hf:org/name".
        classes: Names of the classes.
        start: "auto", "hub", "nothing", or the folder of an earlier run.
        channels: Of images.

    Raises:
        UnknownName: No such detector.
        InputError: The weights are not to be had, or are of another network.
        MissingExtra: A package is not installed.
    """
    row = architecture(name)
    return begin(lambda known: row.build(name, classes, known, channels), name, start)
