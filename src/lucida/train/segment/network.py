"""A small U-Net on the embedded encoder: less than 3 MB once it is stored small.

Source: Ronneberger et al. 2015, U-Net: Convolutional Networks for Biomedical Image Segmentation.
"""

# Where PyTorch is not installed its classes are unknown to mypy.
# mypy: disallow_subclassing_any=False
from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from lucida.models.embedded.network import Block, convolve

WIDE = 192  # channels of the trunk's last stage that is kept
CONTEXT = 96


class Join(nn.Module):
    """Enlarge a coarse map to a finer one, put both side by side, and convolve.

    Args:
        coarse: Channels of the coarse map.
        fine: Channels of the finer one.
        outputs: Channels of the result.
        refine: Whether a second convolution follows.
    """

    def __init__(self, coarse: int, fine: int, outputs: int, *, refine: bool) -> None:
        super().__init__()
        self.join = convolve(coarse + fine, outputs, 3)
        self.refine: nn.Module = nn.Sequential(convolve(outputs, outputs, 3), nn.ReLU()) if refine else nn.Identity()

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        enlarged = functional.interpolate(coarse, size=fine.shape[-2:], mode="nearest")
        y: Tensor = self.refine(torch.relu(self.join(torch.cat([enlarged, fine], dim=1))))
        return y


class SmallSegmenter(nn.Module):
    """A U-Net whose descent is the embedded encoder without its last stage.

    Input: float32 (n, 3, height, width), normalised; height and width multiples of 32.
    Output: logits float32 (n, classes, height / 2, width / 2).

    Args:
        trunk: Of the encoder; its `stem` and `blocks` are taken, its last stage is left out.
        classes: How many.
    """

    def __init__(self, trunk: Any, classes: int) -> None:
        super().__init__()
        self.stem = trunk.stem
        self.blocks = nn.ModuleList([block for block in trunk.blocks if block.second[0].out_channels <= WIDE])
        widths = list(dict.fromkeys(block.second[0].out_channels for block in self.blocks))
        # The last stage would be half of all weights: a narrow bottleneck sees as far.
        self.narrow = convolve(widths[-1], CONTEXT, 1)
        self.far = Block(CONTEXT, CONTEXT, stride=2)
        self.farther = Block(CONTEXT, CONTEXT, stride=2)
        self.joins = nn.ModuleList(
            [
                Join(CONTEXT, CONTEXT, 96, refine=False),
                Join(96, widths[2], 64, refine=False),
                Join(64, widths[1], 64, refine=True),
                Join(64, widths[0], 32, refine=True),
            ]
        )
        self.head = nn.Conv2d(32, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits at half the size."""
        features = torch.relu(self.stem(x))
        maps: list[Tensor] = []
        for block in self.blocks:
            features = block(features)
            if maps and features.shape[1] == maps[-1].shape[1]:
                maps[-1] = features
            else:
                maps.append(features)
        far = self.far(torch.relu(self.narrow(features)))
        maps.append(far)
        y = self.farther(far)
        for join, fine in zip(self.joins, reversed(maps), strict=True):
            y = join(y, fine)
        logits: Tensor = self.head(y)
        return logits
