"""A small U-Net: squares of pixels laid into channels, two resolutions, attention at the lower one.

Source: Ho et al. 2020, DDPM; Dhariwal and Nichol 2021, ADM, for what time and class do to a block; Shi et al. 2016 for
the squares.
"""

# Where PyTorch is not installed its classes are unknown to mypy.
# mypy: disallow_subclassing_any=False
from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from lucida.train.generative.conditions import Conditions


@dataclass(frozen=True)
class UNetShape:
    """How large a U-Net is.

    Attributes:
        channels: Of the image, or of the latent.
        classes: How many there are; 0 for none.
        fold: Side of the squares of pixels that are laid into channels.
        width: Channels of the first resolution.
        growth: Factor of the channels of each of the resolutions.
        blocks: Residual blocks on each side of each resolution.
        heads: Of the attention.
    """

    channels: int = 3
    classes: int = 0
    fold: int = 2
    width: int = 96
    growth: tuple[int, ...] = (1, 2)
    blocks: int = 2
    heads: int = 4

    @property
    def multiple(self) -> int:
        """Sides of images must be multiples of it."""
        return self.fold * int(2 ** (len(self.growth) - 1))


class UNet(nn.Module):
    """Images float32 (n, c, h, w), times (n,) and classes int64 (n,) to float32 (n, c, h, w).

    Args:
        shape: How large it is.
    """

    def __init__(self, shape: UNetShape) -> None:
        super().__init__()
        self.shape = shape
        widths = [shape.width * factor for factor in shape.growth]
        told = 2 * shape.width
        self.conditions = Conditions(shape.classes, told)
        self.head = nn.Conv2d(shape.channels * shape.fold**2, widths[0], 3, padding=1)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        kept, width = [widths[0]], widths[0]
        for level, wide in enumerate(widths):
            deepest = level == len(widths) - 1
            for _ in range(shape.blocks):
                self.down.append(Block(width, wide, told, shape.heads if deepest else 0))
                width = wide
                kept.append(width)
            if not deepest:
                self.down.append(nn.Conv2d(width, width, 3, stride=2, padding=1))
                kept.append(width)
        for level, wide in reversed(list(enumerate(widths))):
            deepest = level == len(widths) - 1
            for _ in range(shape.blocks + 1):
                self.up.append(Block(width + kept.pop(), wide, told, shape.heads if deepest else 0))
                width = wide
            if level:
                self.up.append(Larger(width))
        self.norm = Norm(width)
        self.tail = nn.Conv2d(width, shape.channels * shape.fold**2, 3, padding=1)
        nn.init.zeros_(self.tail.weight)
        nn.init.zeros_(torch.as_tensor(self.tail.bias))

    def forward(self, image: Tensor, time: Tensor, label: Tensor | None = None) -> Tensor:
        """Return what the method asks of a network: a velocity, or a clean image."""
        told = self.conditions(time, label)
        x = functional.pixel_unshuffle(image, self.shape.fold) if self.shape.fold > 1 else image
        if self.training:
            x = x.contiguous(memory_format=torch.channels_last)
        x = self.head(x)
        kept = [x]
        for layer in self.down:
            x = layer(x, told) if isinstance(layer, Block) else layer(x)
            kept.append(x)
        for layer in self.up:
            x = layer(torch.cat([x, kept.pop()], 1), told) if isinstance(layer, Block) else layer(x)
        x = self.tail(functional.silu(self.norm(x))).float()
        return functional.pixel_shuffle(x, self.shape.fold) if self.shape.fold > 1 else x


class Block(nn.Module):
    """Two convolutions that time and class shift and scale, then attention where `heads` is not 0.

    Args:
        inputs: Channels.
        outputs: Channels.
        told: Length of the vector of conditions.
        heads: Of the attention; 0 for none.
    """

    def __init__(self, inputs: int, outputs: int, told: int, heads: int = 0) -> None:
        super().__init__()
        self.before, self.first = Norm(inputs), nn.Conv2d(inputs, outputs, 3, padding=1)
        self.told = nn.Linear(told, 2 * outputs)
        self.between, self.second = Norm(outputs, affine=False), nn.Conv2d(outputs, outputs, 3, padding=1)
        self.past = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()
        self.attention = Attention(outputs, heads) if heads else nn.Identity()
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        y = self.first(functional.silu(self.before(x)))
        scale, shift = self.told(told)[:, :, None, None].chunk(2, 1)
        y = self.second(functional.silu(self.between(y) * (1 + scale) + shift))
        found: Tensor = self.attention(self.past(x) + y)
        return found


class Attention(nn.Module):
    """Every place looks at all others.

    Args:
        width: Channels.
        heads: Into which they are divided.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.norm = heads, Norm(width)
        self.into, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        nn.init.zeros_(self.out.weight)

    def forward(self, x: Tensor) -> Tensor:
        width = x.shape[1]
        tokens = self.norm(x).flatten(2).transpose(1, 2)
        return x + self.out(attend(self.into(tokens), self.heads)).transpose(1, 2).reshape(
            x.shape[0], width, *x.shape[2:]
        )


class Larger(nn.Module):
    """Twice the size, by repetition and a convolution."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.convolution(functional.interpolate(x, scale_factor=2.0, mode="nearest"))
        return found


def attend(mixed: Tensor, heads: int) -> Tensor:
    """Return what tokens see: (n, t, 3 * width) of queries, keys and values to (n, t, width)."""
    queries, keys, values = (part.unflatten(2, (heads, -1)).transpose(1, 2) for part in mixed.chunk(3, 2))
    # On a processor the fused way is the slower one for so few tokens.
    with sdpa_kernel(SDPBackend.MATH) if mixed.device.type == "cpu" else nullcontext():
        seen = functional.scaled_dot_product_attention(queries, keys, values)
    return seen.transpose(1, 2).flatten(2)


class Norm(nn.Module):
    """The channels of every place to mean 0 and variance 1.

    Where channels lie together, as here, it takes a quarter of the time of a group norm.

    Args:
        width: Channels.
        affine: Whether each has a scale and a shift of its own.
    """

    def __init__(self, width: int, *, affine: bool = True) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=affine)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return found
