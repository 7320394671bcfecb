"""The encoder: a compact residual network of dense 3x3 convolutions.

Dense convolutions of few channels with an early stride train several times faster on a CPU than the
depthwise layers of mobile networks, whose operation count flatters them. Widths are multiples of 32: one
register of bf16 values with AVX-512; other widths fall off the fast path.

Needs PyTorch. The package runs the exported file; this is for the recipe, and for tuning.
"""

# Where PyTorch is not installed its classes are unknown to mypy.
# mypy: disallow_subclassing_any=False
from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

WIDTHS = (32, 96, 192, 384)
DEPTHS = (1, 1, 2, 1)


def convolve(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Build a convolution followed by batch normalisation."""
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs))


class Block(nn.Module):
    """Two 3x3 convolutions and a shortcut; where it strides, the shortcut averages (ResNet-D)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = convolve(inputs, outputs, 3, stride)
        self.second = convolve(outputs, outputs, 3)
        # Starting each block as the identity makes a high learning rate safe from the first step.
        for parameter in self.second[1].parameters():
            nn.init.zeros_(parameter)
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1:
            pool = nn.AvgPool2d(stride, ceil_mode=True, count_include_pad=False)
            self.shortcut = nn.Sequential(pool, convolve(inputs, outputs, 1))
        elif inputs != outputs:
            self.shortcut = nn.Sequential(nn.Identity(), convolve(inputs, outputs, 1))

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.first(x))
        return torch.relu(self.second(y) + self.shortcut(x))


class Encoder(nn.Module):
    """Map images to an embedding and to logits.

    Input: float32 (n, 3, height, width), RGB, normalised; height and width at least 16.
    Output: embedding float32 (n, widths[-1]), not normalised; logits float32 (n, classes).
    """

    def __init__(self, classes: int, widths: Sequence[int] = WIDTHS, depths: Sequence[int] = DEPTHS) -> None:
        super().__init__()
        self.stem = convolve(3, widths[0], 3, stride=2)
        blocks: list[nn.Module] = []
        inputs = widths[0]
        for stage, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            for index in range(depth):
                blocks.append(Block(inputs, width, stride=2 if stage > 0 and index == 0 else 1))
                inputs = width
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(inputs, classes)

    def maps(self, x: Tensor) -> list[Tensor]:
        """Return the feature map at the end of each stage, (n, width, height, width) in falling resolution."""
        features = torch.relu(self.stem(x))
        found: list[Tensor] = []
        for block in self.blocks:
            features = block(features)
            if found and features.shape[1] == found[-1].shape[1]:
                found[-1] = features
            else:
                found.append(features)
        return found

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        embedding = self.maps(x)[-1].mean(dim=(2, 3))
        return embedding, self.head(embedding)


class Described(nn.Module):
    """What is exported: the encoder, its embedding widened by where in the picture things are.

    Args:
        encoder: A trained encoder.
        directions: Principal directions of a stage's features, float32 (d, channels), to squeeze them by.
        stage: Which stage's map is described, from the end: -1 is the last.
        cells: Rows and columns that the map is averaged over.
    """

    directions: Tensor

    def __init__(self, encoder: Encoder, directions: Tensor, stage: int, cells: int) -> None:
        super().__init__()
        self.encoder, self.stage, self.cells = encoder, stage, cells
        self.register_buffer("directions", directions[:, :, None, None].contiguous())

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the embedding (n, width + d * cells * cells) and the logits of a batch."""
        maps = self.encoder.maps(x)
        shape = maps[-1].mean(dim=(2, 3))
        layout = functional.conv2d(functional.adaptive_avg_pool2d(maps[self.stage], self.cells), self.directions)
        return torch.cat([shape, layout.flatten(1)], dim=1), self.encoder.head(shape)


def fold_batch_norm(module: nn.Module) -> None:
    """Fold every batch normalisation into the convolution before it, in place; for inference only."""
    for child in module.children():
        fold_batch_norm(child)
    if isinstance(module, nn.Sequential) and len(module) == 2:
        convolution, norm = module[0], module[1]
        if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            module[0] = fuse_conv_bn_eval(convolution, norm)
            module[1] = nn.Identity()
