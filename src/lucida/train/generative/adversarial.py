"""A generator and a discriminator that judges pairs of a real and a drawn image, without tricks.

Residual convolutions without norms, a loss of pairs, and a penalty on the discriminator's gradient at real and at drawn
images: that alone trains stably.

Source: Huang et al. 2024, The GAN is dead; long live the GAN! (R3GAN); Zhang et al. 2019, Fixup, for how blocks begin;
Miyato and Koyama 2018 for how the discriminator is told the class.
"""

# Where PyTorch is not installed its classes are unknown to mypy.
# mypy: disallow_subclassing_any=False
from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

LATENT: Final = 64  # length of the noise
PENALTY: Final = 0.05  # half of it times the squared gradient, at real and at drawn images
SEED: Final = 4  # side of the grid that drawing begins with


@dataclass(frozen=True)
class PairShape:
    """How large both are.

    Attributes:
        channels: Of the image.
        classes: How many there are; 0 for none.
        side: Of the image: 4 times a power of 2.
        width: Channels at the largest grid.
        most: Channels at the smallest.
        blocks: Of each grid.
    """

    channels: int = 3
    classes: int = 0
    side: int = 32
    width: int = 96
    most: int = 192
    blocks: int = 1

    @property
    def fold(self) -> int:
        """Side of the squares of pixels that are laid into channels: layers at full size cost most, and give least."""
        return max(1, self.side // 16)

    @property
    def widths(self) -> list[int]:
        """Channels by grid, from the smallest to the largest."""
        doublings = (self.side // self.fold // SEED).bit_length() - 1
        return [min(self.most, self.width * 2**k) for k in range(doublings, -1, -1)]


class Residual(nn.Module):
    """Two convolutions that begin as nothing.

    Args:
        width: Channels.
        depth: Blocks in all, which the first weights are scaled by.
    """

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(width, width, 3, padding=1), nn.Conv2d(width, width, 3, padding=1)
        with torch.no_grad():
            nn.init.kaiming_normal_(self.first.weight, 0.2)
            self.first.weight.mul_(depth**-0.5)
            nn.init.zeros_(self.second.weight)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = x + self.second(functional.leaky_relu(self.first(functional.leaky_relu(x, 0.2)), 0.2))
        return found


class Generator(nn.Module):
    """Noise float32 (n, 64) and classes int64 (n,) to images (n, c, side, side) in -1..1, about.

    Args:
        shape: How large it is.
    """

    def __init__(self, shape: PairShape) -> None:
        super().__init__()
        self.shape = shape
        widths = shape.widths
        self.label = nn.Embedding(shape.classes + 1, LATENT) if shape.classes else None
        self.begin = nn.Linear(LATENT * (2 if shape.classes else 1), widths[0] * SEED**2)
        depth = len(widths) * shape.blocks
        self.blocks, self.narrow = nn.ModuleList(), nn.ModuleList()
        for before, width in zip([widths[0], *widths], widths, strict=False):
            self.narrow.append(nn.Conv2d(before, width, 1, bias=False) if before != width else nn.Identity())
            self.blocks.append(nn.Sequential(*(Residual(width, depth) for _ in range(shape.blocks))))
        self.tail = nn.Conv2d(widths[-1], shape.channels * shape.fold**2, 3, padding=1)

    def forward(self, noise: Tensor, label: Tensor | None = None) -> Tensor:
        # Of length 1 a value, whatever was drawn.
        known = noise * torch.rsqrt(noise.square().mean(1, keepdim=True) + 1e-8)
        if self.label is not None and label is not None:
            known = torch.cat([known, self.label(label)], 1)
        x = self.begin(known).unflatten(1, (-1, SEED, SEED)).contiguous(memory_format=torch.channels_last)
        for number, (narrow, blocks) in enumerate(zip(self.narrow, self.blocks, strict=True)):
            x = narrow(x)
            if number:
                x = functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
            x = blocks(x)
        found: Tensor = self.tail(functional.leaky_relu(x, 0.2)).float()
        return functional.pixel_shuffle(found, self.shape.fold)


class Discriminator(nn.Module):
    """Images (n, c, side, side) and classes int64 (n,) to a number each: larger for what looks real.

    Args:
        shape: How large it is.
    """

    def __init__(self, shape: PairShape) -> None:
        super().__init__()
        self.shape = shape
        widths = shape.widths[::-1]
        self.head = nn.Conv2d(shape.channels * shape.fold**2, widths[0], 3, padding=1)
        depth = len(widths) * shape.blocks
        self.blocks, self.widen = nn.ModuleList(), nn.ModuleList()
        for width, after in zip(widths, [*widths[1:], widths[-1]], strict=True):
            self.blocks.append(nn.Sequential(*(Residual(width, depth) for _ in range(shape.blocks))))
            self.widen.append(nn.Conv2d(width, after, 1, bias=False) if after != width else nn.Identity())
        self.end = nn.Linear(widths[-1] * SEED**2, LATENT)
        self.score = nn.Linear(LATENT, 1)
        self.label = nn.Embedding(shape.classes + 1, LATENT) if shape.classes else None

    def forward(self, image: Tensor, label: Tensor | None = None) -> Tensor:
        folded = functional.pixel_unshuffle(image, self.shape.fold)
        x = self.head(folded.contiguous(memory_format=torch.channels_last))
        for number, (blocks, widen) in enumerate(zip(self.blocks, self.widen, strict=True)):
            x = blocks(x)
            if number < len(self.blocks) - 1:
                x = widen(functional.avg_pool2d(x, 2))
        features = functional.leaky_relu(self.end(functional.leaky_relu(x, 0.2).flatten(1)), 0.2)
        found: Tensor = self.score(features)[:, 0]
        if self.label is not None and label is not None:
            found = found + (features * self.label(label)).sum(1) / LATENT**0.5
        return found.float()


class Adversaries(nn.Module):
    """Both, as one network whose forward pass gives the losses of both: so one loop trains them, on any machines.

    Args:
        shape: How large they are.
    """

    def __init__(self, shape: PairShape) -> None:
        super().__init__()
        self.shape = shape
        self.generator, self.discriminator = Generator(shape), Discriminator(shape)

    def forward(self, image: Tensor, noise: Tensor, label: Tensor) -> dict[str, Tensor]:
        """Return "loss", and its parts.

        Args:
            image: Real ones, float32 (n, c, side, side).
            noise: float32 (n, 64).
            label: int64 (n,).
        """
        drawn = self.generator(noise, label)
        # What is learned from the generator's loss is the generator alone, though it goes through the discriminator.
        frozen = {name: value.detach() for name, value in self.discriminator.named_parameters()}
        better = functional_call(self.discriminator, frozen, (drawn, label))
        both = torch.cat([image, drawn.detach()]).requires_grad_(True)
        real, fake = self.discriminator(both, torch.cat([label, label])).chunk(2)
        (slope,) = torch.autograd.grad((real.sum(), fake.sum()), both, create_graph=True)
        fooled = functional.softplus(real.detach() - better).mean()
        told = functional.softplus(fake - real).mean()
        # Twice the mean over both halves is the sum of R1 and R2.
        steep = slope.float().square().sum((1, 2, 3)).mean() * 2
        return {"loss": fooled + told + PENALTY / 2 * steep, "generator": fooled, "discriminator": told, "slope": steep}
