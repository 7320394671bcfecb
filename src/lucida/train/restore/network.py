"""The network of the embedded restorers: few plain convolutions, on the small image only.

A kernel is trained as a sum of branches and stored as one; what a block adds weighs itself, without parameters; the
image grows at the very end, by pixel shuffle, onto its bicubic enlargement. A denoiser works on half the resolution,
four times the channels, and is told how much noise there is.

Source: Ding et al. 2021, RepVGG, and Zhang et al. 2021, ECBSR, for the branches; Wan et al. 2024, SPAN, for the
attention; Shi et al. 2016, ESPCN, for the shuffle; Zhang et al. 2018, FFDNet, for the denoiser.
"""

# Where PyTorch is not installed its classes are unknown to mypy.
# mypy: disallow_subclassing_any=False
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from lucida.images.bicubic import cubic

REACH = 2  # pixels to each side that bicubic enlargement looks at


@dataclass(frozen=True)
class Shape:
    """How large a network is.

    Attributes:
        scale: How many times larger its images are; 1 for a denoiser.
        width: Channels.
        blocks: Of three convolutions each.
    """

    scale: int
    width: int = 48
    blocks: int = 5

    @property
    def folded(self) -> int:
        """Side of the squares of pixels that are laid into channels at the start."""
        return 2 if self.scale == 1 else 1

    @property
    def halo(self) -> int:
        """Pixels of the input on each side that a pixel of the output depends on."""
        convolutions = 3 * self.blocks + 3
        return self.folded * (convolutions + 1) if self.scale == 1 else max(convolutions, REACH)


class Convolution(nn.Module):
    """A 3 x 3 convolution whose kernel is a sum of branches, added as kernels: they cost training almost nothing.

    Args:
        inputs: Channels.
        outputs: Channels.
        gain: Size of the first kernels.
        branches: Whether there is more than one.
    """

    def __init__(self, inputs: int, outputs: int, gain: float = 1.0, *, branches: bool = True) -> None:
        super().__init__()
        spread = gain / (9 * inputs) ** 0.5
        self.full = nn.Parameter(torch.randn(outputs, inputs, 3, 3) * spread)
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.branches = branches
        if branches:
            self.centre = nn.Parameter(torch.zeros(outputs, inputs))
            self.into = nn.Parameter(torch.randn(inputs, inputs) / inputs**0.5)
            self.out = nn.Parameter(torch.randn(outputs, inputs, 3, 3) * spread * 0.3)

    def kernel(self) -> Tensor:
        """Return the one kernel that does what all branches do."""
        if not self.branches:
            return self.full
        # A sum of many small products: half precision would lose the later, small changes.
        with torch.autocast(self.full.device.type, enabled=False):
            sequence = torch.matmul(self.out.permute(0, 2, 3, 1), self.into).permute(0, 3, 1, 2)
            return self.full + sequence + functional.pad(self.centre[:, :, None, None], (1, 1, 1, 1))

    def fold(self) -> None:
        """Keep the one kernel only."""
        if self.branches:
            self.full = nn.Parameter(self.kernel().detach().contiguous(), requires_grad=False)
            del self.centre, self.into, self.out
            self.branches = False

    def forward(self, x: Tensor) -> Tensor:
        kernel = self.kernel()
        if self.training:
            kernel = kernel.contiguous(memory_format=torch.channels_last)
        return functional.conv2d(x, kernel, self.bias, padding=1)


class Block(nn.Module):
    """Three convolutions, whose answer is weighed by itself: strong answers count more.

    SPAN's own form, (x + y) * (sigmoid(y) - 1/2), learnt far slower here: 29.2 against 30.1 dB on Set5 x4 after
    450 steps.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = Convolution(width, width, 1.4), Convolution(width, width, 1.4)
        self.third = Convolution(width, width, 0.5)

    def forward(self, x: Tensor) -> Tensor:
        y = self.third(functional.silu(self.second(functional.silu(self.first(x)))))
        return x + y * (torch.sigmoid(y) + 0.5)


class Restorer(nn.Module):
    """RGB images on 0..1, float32 (n, 3, height, width), to such images, `scale` times larger; not cut to 0..1.

    A denoiser takes even sides, and noise as (n, 1, 1, 1): its standard deviation on 0..1.

    Args:
        shape: How large it is.
    """

    base: Tensor
    apart: Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        width, side = shape.width, shape.folded
        known = 3 * side**2 + (1 if shape.scale == 1 else 0)
        self.head = Convolution(known, width, branches=False)
        self.body = nn.ModuleList(Block(width) for _ in range(shape.blocks))
        self.join = Convolution(width, width, 0.5)
        self.tail = Convolution(width, 3 * (shape.scale * side) ** 2, 0.1, branches=False)
        self.register_buffer("base", bicubic_kernel(shape.scale), persistent=False)
        pixels = torch.eye(side**2).view(side**2, 1, side, side)
        self.register_buffer("apart", pixels.repeat(3, 1, 1, 1), persistent=False)

    def forward(self, image: Tensor, noise: Tensor | None = None) -> Tensor:
        scale, side = self.shape.scale, self.shape.folded
        if noise is None:
            known = image - 0.45
        else:
            # As pixel_unshuffle, which would be exported as a dozen operations.
            small = functional.conv2d(image, self.apart, stride=side, groups=3)
            known = torch.cat([small, noise.expand(-1, -1, small.shape[2], small.shape[3])], dim=1)
        first = self.head(known.contiguous(memory_format=torch.channels_last) if self.training else known)
        x = first
        for block in self.body:
            x = block(x)
        change = self.tail(self.join(x) + first).float()
        if noise is not None:
            return image + functional.pixel_shuffle(change, side)
        return functional.pixel_shuffle(change + unshuffled_bicubic(image, self.base), scale)


def unshuffled_bicubic(image: Tensor, kernel: Tensor) -> Tensor:
    """Return bicubic enlargement before its pixel shuffle, (n, 3 * scale**2, height, width)."""
    padded = functional.pad(image, (REACH,) * 4, mode="replicate")
    with torch.autocast(image.device.type, enabled=False):
        return functional.conv2d(padded, kernel, groups=3)


def enlarged(image: Tensor, scale: int) -> Tensor:
    """Return a batch of RGB images enlarged by bicubic, as the network begins with."""
    return functional.pixel_shuffle(unshuffled_bicubic(image, bicubic_kernel(scale)), scale)


def bicubic_kernel(scale: int) -> Tensor:
    """Return bicubic enlargement as a convolution of three groups before a pixel shuffle, (3 * scale**2, 1, 5, 5)."""
    centres = (np.arange(scale) + 0.5) / scale - 0.5
    weights = cubic(centres[:, None] - np.arange(-REACH, REACH + 1)[None])
    kernel = np.einsum("ai,bj->abij", weights, weights).reshape(scale**2, 1, 5, 5)
    return torch.from_numpy(np.tile(kernel, (3, 1, 1, 1))).float()
