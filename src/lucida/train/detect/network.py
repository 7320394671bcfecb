"""The default detector: the embedded encoder's first stages, a small pyramid, and a head without anchors.

Every place of the pyramid says how much it sees of each class, and where its object's box lies. Boxes are given by
their centre and size, so that a place may stand for an object that it lies beside: nothing is too small to be found.

Source: Lin et al. 2017, Feature Pyramid Networks; Tian et al. 2019, FCOS; Ge et al. 2021, YOLOX for centre and size;
Lyu et al. 2022, RTMDet for heads that levels share.
"""

# Where PyTorch is not installed its classes are unknown to mypy.
# mypy: disallow_subclassing_any=False
from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from lucida.models.embedded.network import convolve
from lucida.train.detect.assignment import detection_losses

if TYPE_CHECKING:
    from lucida.train.backbone import EncoderTrunk

STRIDES = (8, 16, 32)
WIDTH = 96
PRIOR = 0.01  # probability that an untrained place sees something
SIDE = 4.0  # strides that the box of an untrained place is wide and high


class LevelNorm(nn.BatchNorm2d):
    """Batch normalisation over all levels of a pyramid at once: one set of statistics, so it folds away."""

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """Normalise maps (n, c, h, w) of several sizes."""
        if not self.training:
            return [super(LevelNorm, self).forward(each) for each in maps]
        joined = super().forward(torch.cat([each.flatten(2) for each in maps], dim=2)[..., None])
        parts = joined[..., 0].split([each.shape[2] * each.shape[3] for each in maps], dim=2)
        return [part.unflatten(2, each.shape[2:]) for part, each in zip(parts, maps, strict=True)]


class Tower(nn.Module):
    """Convolutions that all levels share, and a last one that gives what is asked of each place."""

    def __init__(self, width: int, outputs: int, depth: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1, bias=False) for _ in range(depth))
        self.norms = nn.ModuleList(LevelNorm(width) for _ in range(depth))
        self.last = nn.Conv2d(width, outputs, 3, padding=1)
        for layer in self.layers:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        nn.init.normal_(self.last.weight, std=0.01)

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Return float (n, places, outputs) of maps (n, c, h, w)."""
        for layer, norm in zip(self.layers, self.norms, strict=True):
            maps = [torch.relu(each) for each in norm([layer(each) for each in maps])]
        return torch.cat([self.last(each).flatten(2).transpose(1, 2) for each in maps], dim=1)

    def fold(self) -> None:
        """Fold the norms into the convolutions before them, in place; for inference only."""
        for k, (layer, norm) in enumerate(zip(self.layers, self.norms, strict=True)):
            self.layers[k] = fuse_conv_bn_eval(layer, norm)
            self.norms[k] = nn.Identity()


class SmallDetector(nn.Module):
    """Find objects in images.

    Args:
        trunk: Gives maps in falling resolution; the last is of stride 8.
        channels: Of that map.
        classes: Number of classes.
        width: Channels of pyramid and heads.
        depth: Shared convolutions of each head.
    """

    def __init__(self, trunk: EncoderTrunk, channels: int, classes: int, *, width: int = WIDTH, depth: int = 2) -> None:
        super().__init__()
        self.trunk = trunk
        self.lateral = convolve(channels, width, 1)
        self.down = nn.ModuleList([convolve(channels, width, 3, 2), convolve(width, width, 3, 2)])
        self.fuse = nn.ModuleList([convolve(width, width, 3), convolve(width, width, 3)])
        self.classify, self.locate = Tower(width, classes, depth), Tower(width, 4, depth)
        nn.init.constant_(self.classify.last.bias, -math.log((1 - PRIOR) / PRIOR))
        with torch.no_grad():
            self.locate.last.bias.copy_(torch.tensor([0.0, 0.0, math.log(SIDE), math.log(SIDE)]))

    def pyramid(self, images: Tensor) -> list[Tensor]:
        """Return maps (n, width, h, w), a level each of STRIDES."""
        fine = self.trunk.maps(images)[-1]
        middle = torch.relu(self.down[0](fine))
        coarse = torch.relu(self.down[1](middle))
        middle = torch.relu(self.fuse[1](middle + functional.interpolate(coarse, size=middle.shape[-2:])))
        fine = torch.relu(self.fuse[0](self.lateral(fine) + functional.interpolate(middle, size=fine.shape[-2:])))
        return [fine, middle, coarse]

    def forward(
        self, images: Tensor, boxes: Sequence[Tensor] | None = None, labels: Sequence[Tensor] | None = None
    ) -> dict[str, Tensor] | tuple[Tensor, Tensor]:
        """Return the losses where boxes are given, else what is found.

        Args:
            images: float32 (n, 3, height, width), normalised; height and width are multiples of 32.
            boxes: Of each image float32 (k, 4), left, top, right, bottom in pixels.
            labels: Of each image int64 (k,).

        Returns:
            Losses by name; or scores float32 (n, places, classes) in 0 to 1, and boxes float32 (n, places, 4).
        """
        maps = self.pyramid(images)
        logits = self.classify(maps).float()
        centres, strides = places([(int(m.shape[2]), int(m.shape[3])) for m in maps], images.device)
        found = boxes_at(self.locate(maps).float(), centres, strides)
        if boxes is None or labels is None:
            return logits.sigmoid(), found
        return detection_losses(logits, found, centres, boxes, labels)


def places(sizes: Sequence[tuple[int, int]], device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the centres float32 (places, 2) in pixels, x first, and the strides float32 (places, 1) of a pyramid.

    Args:
        sizes: Height and width of each level.
        device: Where they are to lie.
    """
    centres, strides = [], []
    for (height, width), stride in zip(sizes, STRIDES, strict=True):
        y, x = torch.meshgrid(
            (torch.arange(height, device=device) + 0.5) * stride,
            (torch.arange(width, device=device) + 0.5) * stride,
            indexing="ij",
        )
        centres.append(torch.stack([x.flatten(), y.flatten()], dim=1))
        strides.append(torch.full((height * width, 1), float(stride), device=device))
    return torch.cat(centres), torch.cat(strides)


def boxes_at(raw: Tensor, centres: Tensor, strides: Tensor) -> Tensor:
    """Return boxes (n, places, 4) of shifts and logarithms of sizes (n, places, 4), both in strides."""
    middle = centres + raw[..., :2] * strides
    # Sizes stay finite whatever comes out in half precision.
    half = raw[..., 2:].clamp(-4, 6).exp() * strides / 2
    return torch.cat([middle - half, middle + half], dim=-1)
