"""A small diffusion transformer: patches as tokens, time and class in the norms.

Source: Peebles and Xie 2023, DiT; Chen et al. 2024, PixArt-alpha, for conditions that all blocks share.
"""

# Where PyTorch is not installed its classes are unknown to mypy.
# mypy: disallow_subclassing_any=False
from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from lucida.train.generative.conditions import Conditions
from lucida.train.generative.unet import attend
from lucida.train.masked import waves


@dataclass(frozen=True)
class TransformerShape:
    """How large a transformer is.

    Attributes:
        channels: Of the image, or of the latent.
        classes: How many there are; 0 for none.
        side: Of the image.
        patch: Side of a patch in pixels.
        wide: Length of a token; a multiple of 4.
        depth: Blocks.
        heads: Of the attention.
    """

    channels: int = 3
    classes: int = 0
    side: int = 32
    patch: int = 4
    wide: int = 192
    depth: int = 6
    heads: int = 4

    @property
    def multiple(self) -> int:
        """Sides of images must be multiples of it."""
        return self.patch


class Transformer(nn.Module):
    """Images float32 (n, c, h, w), times (n,) and classes int64 (n,) to float32 (n, c, h, w).

    Args:
        shape: How large it is.
    """

    places: Tensor

    def __init__(self, shape: TransformerShape) -> None:
        super().__init__()
        self.shape = shape
        wide, patch = shape.wide, shape.patch
        self.conditions = Conditions(shape.classes, wide)
        self.head = nn.Linear(shape.channels * patch**2, wide)
        self.register_buffer("places", waves((shape.side // patch,) * 2, wide), persistent=False)
        self.told = nn.Linear(wide, 6 * wide)
        self.blocks = nn.ModuleList(Block(wide, shape.heads) for _ in range(shape.depth))
        self.last = nn.Linear(wide, 2 * wide)
        self.tail = nn.Linear(wide, shape.channels * patch**2)
        for layer in (self.told, self.last, self.tail):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, image: Tensor, time: Tensor, label: Tensor | None = None) -> Tensor:
        """Return what the method asks of a network: a velocity, or a clean image."""
        shape = self.shape
        told = self.conditions(time, label)
        changes = self.told(told)
        tokens = functional.pixel_unshuffle(image, shape.patch).flatten(2).transpose(1, 2)
        x = self.head(tokens) + self.places
        for block in self.blocks:
            x = block(x, changes)
        scale, shift = self.last(told)[:, None].chunk(2, 2)
        x = self.tail(functional.layer_norm(x, (shape.wide,)) * (1 + scale) + shift).float()
        rows = x.transpose(1, 2).unflatten(2, (shape.side // shape.patch,) * 2)
        return functional.pixel_shuffle(rows, shape.patch)


class Block(nn.Module):
    """Attention and two layers, each scaled, shifted and gated by what all blocks are told and a table of its own.

    Args:
        wide: Length of a token.
        heads: Of the attention.
    """

    def __init__(self, wide: int, heads: int) -> None:
        super().__init__()
        self.wide, self.heads = wide, heads
        self.table = nn.Parameter(torch.zeros(6 * wide))
        self.into, self.out = nn.Linear(wide, 3 * wide), nn.Linear(wide, wide)
        self.first, self.second = nn.Linear(wide, 4 * wide), nn.Linear(4 * wide, wide)

    def forward(self, x: Tensor, changes: Tensor) -> Tensor:
        scale, shift, gate, scale2, shift2, gate2 = (changes + self.table)[:, None].chunk(6, 2)
        y = functional.layer_norm(x, (self.wide,)) * (1 + scale) + shift
        x = x + gate * self.out(attend(self.into(y), self.heads))
        y = functional.layer_norm(x, (self.wide,)) * (1 + scale2) + shift2
        found: Tensor = x + gate2 * self.second(functional.silu(self.first(y)))
        return found
