"""What places of an image look like: maps of an encoder, at several scales."""

# Where PyTorch is not installed its classes are unknown to mypy.
# mypy: disallow_subclassing_any=False
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from lucida.errors import InputError, MissingExtra, UnknownName
from lucida.models.quiet import quiet
from lucida.train.backbone import ALIASES, EMBEDDED, IMAGENET, load_trunk
from lucida.train.backbone import build as build_backbone

PAD: Final = 127 / 255  # around images, as `ImageNeeds` pads them
STRIDES: Final = (8, 16)  # of the maps of other encoders: coarser ones know objects, finer ones only edges
STAGES: Final = (2, 3)  # of the embedded one
NEAR: Final = 3  # side of the neighbourhood that a place is averaged over
RADIUS: Final = 8  # share of the side of an image, inverted, that light is taken to be even within
SPREAD: Final = 0.12  # of what is left when light is taken away, and what it lies around: as natural photos have it
MIDDLE: Final = 0.45


@dataclass
class Extractor:
    """An encoder whose maps tell what places look like.

    Attributes:
        name: As it is recorded.
        network: Images float32 (n, 3, h, w) on 0..1 to a map (n, channels, h', w').
        start: What the weights are: "embedded", "hub", "nothing", or the run that they come from.
        licence: Of the weights.
        small: Whether the weights are stored as int8 and half precision once they are exported.
        note: What a person should know of how the weights were had.
    """

    name: str
    network: nn.Module
    start: str
    licence: str
    small: bool = False
    note: str = ""


def build(name: str, start: str = "auto") -> Extractor:
    """Return an encoder for places.

    Args:
        name: "embedded", or a name of timm's that gives maps.
        start: "auto", "hub", "nothing", or the folder of an earlier run.

    Raises:
        UnknownName: No such encoder.
        InputError: It gives no maps, or its weights are not to be had.
        MissingExtra: timm is not installed.
    """
    if name == EMBEDDED:
        backbone = build_backbone(EMBEDDED, start=start)
        network = _Places(_Stages(backbone.trunk), backbone.mean, backbone.std)
        return Extractor(name, network, backbone.start, backbone.licence, small=True)
    return _timm(name, start)


def _timm(name: str, start: str) -> Extractor:
    try:
        import timm
    except ImportError as error:
        raise MissingExtra("timm", "train", f"Looking at places with {name}") from error
    full = ALIASES.get(name, name.removeprefix("timm:").removeprefix("timm/"))
    if not timm.is_model(full):
        raise UnknownName("encoder", name, [EMBEDDED, *ALIASES, *timm.list_models()], hint="any of timm's with maps")
    trunk, origin, note = None, "nothing", ""
    if start in ("auto", "hub"):
        try:
            with quiet():
                trunk, origin = timm.create_model(full, pretrained=True, features_only=True), "hub"
        except Exception as error:  # every back end of the hub has errors of its own
            if start == "hub":
                raise InputError(
                    f"The published weights of {full} are not to be had.",
                    expected="a network, or the weights in the hub's cache",
                    got=" ".join(str(error).split())[:160],
                    hint="--model embedded has weights offline",
                ) from error
            note = f"The published weights of {full} are not to be had here: random weights tell little apart."
    if trunk is None:
        try:
            with quiet():
                trunk = timm.create_model(full, pretrained=False, features_only=True)
        except (RuntimeError, AttributeError, NotImplementedError, ValueError, AssertionError) as error:
            raise InputError(
                f"{full} gives no maps of places.",
                expected="a network of timm's with features_only",
                got=" ".join(str(error).split())[:160],
                hint="--model resnet18, mobilenetv3 or convnext",
            ) from error
    if start not in ("auto", "hub", "nothing"):
        from pathlib import Path

        load_trunk(trunk, Path(start))
        origin = start
    published = timm.get_pretrained_cfg(full)
    licence = str((published.license if published else "") or "") if origin == "hub" else ""
    mean, std = (tuple(published.mean), tuple(published.std)) if published else IMAGENET
    return Extractor(full, _Places(_Strided(trunk), mean, std), origin, licence, note=note)


class _Stages(nn.Module):
    """The maps of the embedded encoder."""

    def __init__(self, trunk: Any) -> None:
        super().__init__()
        self.trunk = trunk

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = self.trunk.maps(x)
        return [maps[stage] for stage in STAGES]


class _Strided(nn.Module):
    """The maps of an encoder of timm's."""

    def __init__(self, trunk: Any) -> None:
        super().__init__()
        self.trunk = trunk
        reductions = list(trunk.feature_info.reduction())
        self.chosen = [reductions.index(stride) for stride in STRIDES if stride in reductions] or [len(reductions) - 1]

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = self.trunk(x)
        return [maps[number] for number in self.chosen]


class _Places(nn.Module):
    """One map of all that an encoder says of a place and its neighbours.

    Source: Roth et al. 2022, Towards Total Recall in Industrial Anomaly Detection (PatchCore), locally aware features.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, maps: nn.Module, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self.maps = maps
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        found = [
            functional.avg_pool2d(one.float(), NEAR, 1, NEAR // 2, count_include_pad=False)
            for one in self.maps((x - self.mean) / self.std)
        ]
        shape = found[0].shape[-2:]
        coarser = [functional.interpolate(one, size=shape, mode="bilinear", align_corners=False) for one in found[1:]]
        return torch.cat([found[0], *coarser], dim=1)


class EachChannel(nn.Module):
    """Looks at each channel by itself, as if it were a grey photo: an oddity of one is not lost in their sum.

    Input: float32 (n, c, h, w), normalised. Output: the maps of all channels, (n, c * channels, h', w').

    Args:
        places: Images of three channels on 0..1 to a map.
    """

    def __init__(self, places: nn.Module) -> None:
        super().__init__()
        self.places = places

    def forward(self, x: Tensor) -> Tensor:
        grey = (x * SPREAD + MIDDLE).flatten(0, 1)[:, None].expand(-1, 3, -1, -1)
        maps: Tensor = self.places(grey)
        return maps.unflatten(0, (-1, x.shape[1])).flatten(1, 2)


class AsMeasured(nn.Module):
    """Leave values as they are: what was measured is no matter of light.

    Input and output: float32 (n, c, size, size), normalised; the border, which is 0, repeats the edge of the image.

    Args:
        shrink: Images are made smaller by this factor first.
    """

    def __init__(self, shrink: int = 1) -> None:
        super().__init__()
        self.shrink = shrink

    def forward(self, x: Tensor) -> Tensor:
        x = without_border(x, 0.0)
        return functional.avg_pool2d(x, self.shrink) if self.shrink > 1 else x


class EvenLight(nn.Module):
    """Take away how bright an image is, and where: parts under a lamp are photographed as they are found.

    The border that `ImageNeeds` lays around an image becomes plain, so that it looks the same around every image.

    Input and output: float32 (n, 3, size, size) on 0..1.

    Args:
        shrink: Images are made smaller by this factor first.
    """

    def __init__(self, shrink: int = 1) -> None:
        super().__init__()
        self.shrink = shrink

    def forward(self, x: Tensor) -> Tensor:
        inside = inside_border(x).to(x.dtype)
        # The light at an edge is that of the image, not of the border beside it.
        x = without_border(x)
        if self.shrink > 1:
            x, inside = functional.avg_pool2d(x, self.shrink), functional.max_pool2d(inside, self.shrink)
        radius = max(1, x.shape[-1] // RADIUS)
        light = x.mean(dim=1, keepdim=True)
        for _ in range(2):
            light = _average(light, radius)
        left = (x / (light + 0.05) - 1) * inside
        spread = left.square().sum(dim=(1, 2, 3), keepdim=True) / (x.shape[1] * inside.sum(dim=(1, 2, 3), keepdim=True))
        return left / (spread.sqrt() + 0.02) * SPREAD + MIDDLE


def _average(x: Tensor, radius: int) -> Tensor:
    side = 2 * radius + 1
    x = functional.avg_pool2d(x, (side, 1), 1, (radius, 0), count_include_pad=False)
    return functional.avg_pool2d(x, (1, side), 1, (0, radius), count_include_pad=False)


def inside_border(x: Tensor) -> Tensor:
    """Return which pixels of images float32 (n, c, h, w) are no border of plain grey, bool (n, 1, h, w)."""
    rows, columns = _extents(x)
    inside = _between(*rows)[:, None, :, None] & _between(*columns)[:, None, None, :]
    return inside


def without_border(x: Tensor, pad: float = PAD) -> Tensor:
    """Return images float32 (n, c, h, w) whose border of rows and columns of plain grey repeats their edge instead."""
    (there, first, last), (across, left, right) = _extents(x, pad)
    rows = torch.minimum(torch.maximum(there, first), last)[:, None, :, None].expand(-1, x.shape[1], -1, x.shape[3])
    x = torch.gather(x, 2, rows)
    columns = torch.minimum(torch.maximum(across, left), right)[:, None, None, :]
    return torch.gather(x, 3, columns.expand(-1, x.shape[1], x.shape[2], -1))


Extent = tuple[Tensor, Tensor, Tensor]


def _extents(x: Tensor, pad: float = PAD) -> tuple[Extent, Extent]:
    """Return all rows, the first and the last that is not plain grey, each (n or 1, length); then the columns."""
    off = (x - pad).abs() > 1e-3
    return _extent(off.any(dim=3).any(dim=1)), _extent(off.any(dim=2).any(dim=1))


def _extent(there: Tensor) -> Extent:
    length = there.shape[1]
    places = torch.arange(length, device=there.device)[None]
    first = torch.where(there, places, length).amin(dim=1, keepdim=True)
    last = torch.where(there, places, -1).amax(dim=1, keepdim=True)
    # An image of nothing but this grey is an image all the same.
    nothing = last < 0
    return places, torch.where(nothing, 0, first), torch.where(nothing, length - 1, last)


def _between(places: Tensor, first: Tensor, last: Tensor) -> Tensor:
    return (places >= first) & (places <= last)
