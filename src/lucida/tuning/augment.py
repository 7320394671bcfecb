"""Augmentation of whole batches as tensor operations, cheap enough for two CPU cores.

Geometry and colour change every image; each degradation (blur, lost resolution, JPEG blocks, noise) touches
a random share of the batch, so that photos softer or noisier than the training set do not collapse to one
class. Images are float32 (n, 3, height, width), RGB in 0..1, unless said otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Generator, Tensor
from torch.nn import functional

Degradation = Callable[[Tensor, Generator], Tensor]


def uniform(n: int, low: float, high: float, generator: Generator) -> Tensor:
    """Draw n numbers from [low, high)."""
    return torch.rand(n, generator=generator, device=generator.device) * (high - low) + low


def random_resized_crop(
    images: Tensor, size: int, generator: Generator, area: tuple[float, float] = (0.3, 1.0)
) -> Tensor:
    """Cut a random box from each image, flip half of them, and resample to (size, size).

    Source: Szegedy et al. 2015, Going deeper with convolutions.
    """
    n, device = len(images), images.device
    scale = uniform(n, area[0], area[1], generator).sqrt()
    ratio = uniform(n, math.log(3 / 4), math.log(4 / 3), generator).mul(0.5).exp()
    width, height = (scale * ratio).clamp(max=1), (scale / ratio).clamp(max=1)
    flip = (torch.rand(n, generator=generator, device=device) < 0.5).float() * -2 + 1
    theta = torch.zeros(n, 2, 3, device=device)
    theta[:, 0, 0], theta[:, 1, 1] = width * flip, height
    theta[:, 0, 2] = uniform(n, -1, 1, generator) * (1 - width)
    theta[:, 1, 2] = uniform(n, -1, 1, generator) * (1 - height)
    grid = functional.affine_grid(theta, [n, 3, size, size], align_corners=False)
    return functional.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def jitter_colour(images: Tensor, generator: Generator, strength: float = 0.35) -> Tensor:
    """Change brightness, contrast, saturation and white balance; make one image in twelve grey."""
    n = len(images)

    def factor(spread: float) -> Tensor:
        return uniform(n, 1 - spread, 1 + spread, generator).view(n, 1, 1, 1)

    gain = factor(strength) * (uniform(n * 3, 0.9, 1.1, generator).view(n, 3, 1, 1))
    images = images * gain
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    images = mean + (images - mean) * factor(strength)
    grey = images.mean(dim=1, keepdim=True)
    saturation = factor(strength)
    saturation[torch.rand(n, generator=generator, device=images.device) < 1 / 12] = 0
    return (grey + (images - grey) * saturation).clamp(0, 1)


def jitter_values(images: Tensor, generator: Generator, strength: float = 0.3) -> Tensor:
    """Change how strong and how high the values of whole images are, the same for all of their channels.

    Args:
        images: float32 (n, channels, height, width) of any number of channels, of mean 0 and deviation 1.
        generator: Of chance.
        strength: Largest share by which values grow or shrink, and largest shift, in deviations.
    """
    gain, shift = (uniform(len(images), -strength, strength, generator).view(-1, 1, 1, 1) for _ in range(2))
    return images * (1 + gain) + shift


def blur(images: Tensor, generator: Generator) -> Tensor:
    """Blur with a Gaussian of 0.4 to 1.5 pixels, one width for the batch."""
    sigma = float(uniform(1, 0.4, 1.5, generator))
    offsets = torch.arange(-3, 4, device=images.device, dtype=images.dtype)
    kernel = torch.exp(-(offsets**2) / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).repeat(3, 1)
    images = functional.conv2d(functional.pad(images, (3, 3, 3, 3), mode="reflect"), kernel[:, None, None, :], groups=3)
    return functional.conv2d(images, kernel[:, None, :, None], groups=3)


def lose_resolution(images: Tensor, generator: Generator) -> Tensor:
    """Shrink by a factor of 1.3 to 3.2 and enlarge again, as if the photo had been small."""
    size = images.shape[-1]
    small = max(8, round(size / float(uniform(1, 1.3, 3.2, generator))))
    mode = "bicubic" if float(uniform(1, 0, 1, generator)) < 0.5 else "bilinear"
    shrunk = functional.interpolate(images, size=(small, small), mode="area")
    return functional.interpolate(shrunk, size=(size, size), mode=mode, align_corners=False).clamp(0, 1)


def dct_basis(size: int = 8) -> Tensor:
    """Give the orthonormal DCT-II matrix (size, size)."""
    k = torch.arange(size, dtype=torch.float32)
    basis = torch.cos(math.pi / size * (k[None, :] + 0.5) * k[:, None]) * math.sqrt(2 / size)
    basis[0] /= math.sqrt(2)
    return basis


def jpeg_blocks(images: Tensor, generator: Generator) -> Tensor:
    """Quantise 8x8 DCT blocks of each channel, coarser at high frequencies, as JPEG does to luminance."""
    n, channels, height, width = images.shape
    if height % 8 or width % 8:
        return images
    basis = dct_basis().to(images.device)
    k = torch.arange(8, device=images.device)
    step = float(uniform(1, 0.02, 0.12, generator)) * (1 + 0.6 * (k[:, None] + k[None, :]))
    blocks = images.reshape(n, channels, height // 8, 8, width // 8, 8).transpose(3, 4)
    coefficients = torch.round(basis @ blocks @ basis.T / step) * step
    blocks = basis.T @ coefficients @ basis
    return blocks.transpose(3, 4).reshape(n, channels, height, width).clamp(0, 1)


def add_noise(images: Tensor, generator: Generator) -> Tensor:
    """Add Gaussian noise with a standard deviation of 0.01 to 0.07."""
    sigma = float(uniform(1, 0.01, 0.07, generator))
    noise = torch.randn(images.shape, generator=generator, device=images.device)
    return (images + sigma * noise).clamp(0, 1)


DEGRADATIONS: tuple[tuple[Degradation, float], ...] = (
    (blur, 0.12),
    (lose_resolution, 0.15),
    (jpeg_blocks, 0.10),
    (add_noise, 0.10),
)


def augment(images: Tensor, size: int, generator: Generator) -> Tensor:
    """Augment a batch: uint8 (n, height, width, 3) in 0..255 to float32 (n, 3, size, size) in 0..1."""
    batch = images.permute(0, 3, 1, 2).float().div_(255)
    batch = jitter_colour(random_resized_crop(batch, size, generator), generator)
    for degrade, share in DEGRADATIONS:
        chosen = torch.randperm(len(batch), generator=generator, device=batch.device)
        chosen = chosen[: round(share * len(batch))]
        if len(chosen):
            batch[chosen] = degrade(batch[chosen], generator)
    return batch


def cutmix(images: Tensor, generator: Generator) -> tuple[Tensor, Tensor, float]:
    """Paste one box from a permutation of the batch into it.

    Returns the images, the permutation, and the share of each image that remains its own.
    Source: Yun et al. 2019, CutMix.
    """
    n, _, height, width = images.shape
    permutation = torch.randperm(n, generator=generator, device=images.device)
    side = math.sqrt(1 - float(uniform(1, 0, 1, generator)))
    box_height, box_width = round(height * side), round(width * side)
    top = int(uniform(1, 0, height - box_height + 1, generator))
    left = int(uniform(1, 0, width - box_width + 1, generator))
    mixed = images.clone()
    rows, columns = slice(top, top + box_height), slice(left, left + box_width)
    mixed[:, :, rows, columns] = images[permutation, :, rows, columns]
    return mixed, permutation, 1 - box_height * box_width / (height * width)
