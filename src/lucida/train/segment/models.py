"""The segmenters that can be trained, as a table.

All are called in one way: float32 (n, c, h, w) to logits (n, classes, h', w'), at the size of the input or less.
"""

# Where PyTorch is not installed its classes are unknown to mypy.
# mypy: disallow_subclassing_any=False
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lucida.errors import UnknownName
from lucida.train.backbone import EMBEDDED, IMAGENET, adapt_first
from lucida.train.backbone import build as build_backbone
from lucida.train.beginning import HUB, Built, begin


@dataclass(frozen=True)
class Architecture:
    """A kind of segmenter.

    Attributes:
        build: Called with its name, the classes, where to begin: "auto", "hub" or "nothing", and how many channels
            images have.
        size: Usual longer side of images in pixels.
        rate: Usual peak learning rate.
        batch: Usual images a step.
        mean: Of the input on 0..1.
        std: Likewise.
        small: Whether its weights are stored as int8 and half precision once they are exported.
    """

    build: Callable[[str, Sequence[str], str, int], Built]
    size: int
    rate: float
    batch: int = 8
    mean: tuple[float, ...] = IMAGENET[0]
    std: tuple[float, ...] = IMAGENET[1]
    small: bool = False


def _embedded(name: str, classes: Sequence[str], start: str, channels: int) -> Built:
    from lucida.train.segment.network import SmallSegmenter

    backbone = build_backbone(EMBEDDED, start=start, channels=channels)
    network = SmallSegmenter(backbone.trunk, len(classes))
    network.requires_grad_(True)
    learned = () if backbone.start == "nothing" else ("stem", "blocks")
    return Built(network, backbone.start, backbone.licence, learned, backbone.note)


def _unet(name: str, classes: Sequence[str], start: str, channels: int) -> Built:
    from lucida.train.segment.unet import build

    return _adapted(build(name, len(classes), start), channels)


def _torchvision(name: str, classes: Sequence[str], start: str, channels: int) -> Built:
    from lucida.train.segment.torchvision import build

    return _adapted(build(name, len(classes), start), channels)


def _transformers(name: str, classes: Sequence[str], start: str, channels: int) -> Built:
    from lucida.train.segment.transformers import build

    return _adapted(build(name, classes, start), channels)


def _adapted(built: Built, channels: int) -> Built:
    adapt_first(built.network, channels)
    return built


UNET = "unet"
SEGMENTERS: dict[str, Architecture] = {
    EMBEDDED: Architecture(_embedded, 320, 1e-3, small=True),
    UNET: Architecture(_unet, 384, 5e-4),
    "fcn_resnet50": Architecture(_torchvision, 384, 3e-4, 4),
    "deeplabv3_mobilenet_v3_large": Architecture(_torchvision, 384, 5e-4),
    "deeplabv3_resnet50": Architecture(_torchvision, 384, 3e-4, 4),
    "lraspp_mobilenet_v3_large": Architecture(_torchvision, 384, 5e-4),
    "segformer": Architecture(_transformers, 384, 3e-4),
}


def architecture(name: str) -> Architecture:
    """Return a row of the table.

    Args:
        name: A name of the table; "unet:ENCODER" for a U-Net on any of timm's; "hf:org/name" for one of the hub.

    Raises:
        UnknownName: No such segmenter.
    """
    if name.startswith(HUB):
        return SEGMENTERS["segformer"]
    short = name.split(":")[0] if name.startswith(f"{UNET}:") else name
    if short not in SEGMENTERS:
        raise UnknownName(
            "segmenter to train", name, SEGMENTERS, hint="unet:resnet18 takes any encoder of timm's; hf:org/name works"
        )
    return SEGMENTERS[short]


def build(name: str, classes: Sequence[str], start: str, channels: int = 3) -> Built:
    """Build a segmenter.

    Args:
        name: As for `architecture`.
        classes: Names of the classes.
        start: "auto", "hub", "nothing", or the folder of an earlier run.
        channels: Of images.

    Raises:
        UnknownName: No such segmenter.
        InputError: The weights are not to be had, or are of another network.
        MissingExtra: A package is not installed.
    """
    row = architecture(name)
    return begin(lambda known: row.build(name, classes, known, channels), name, start)
