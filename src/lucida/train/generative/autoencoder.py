"""A convolutional variational autoencoder: images to a small grid of nearly normal numbers, and back.

Source: Kingma and Welling 2013, Auto-Encoding Variational Bayes; Rombach et al. 2022, Latent Diffusion, for the grid
and the small weight of the divergence.
"""

# Where PyTorch is not installed its classes are unknown to mypy.
# mypy: disallow_subclassing_any=False
from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from lucida.train.generative.unet import Larger, Norm

LIMIT = 20.0  # of the logarithm of a variance


@dataclass(frozen=True)
class AutoencoderShape:
    """How large an autoencoder is.

    Attributes:
        channels: Of the image.
        side: Of the image.
        depth: Channels of the latent.
        width: Channels at half the size.
        halvings: How often the side is halved, by two at the start.
    """

    channels: int = 3
    side: int = 32
    depth: int = 4
    width: int = 64
    halvings: int = 2

    @property
    def latent(self) -> tuple[int, int, int]:
        """Shape of a latent."""
        small = self.side // 2**self.halvings
        return self.depth, small, small


class Plain(nn.Module):
    """Two convolutions around which the input goes as well.

    Args:
        width: Channels.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.before, self.first = Norm(width), nn.Conv2d(width, width, 3, padding=1)
        self.between, self.second = Norm(width), nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(functional.silu(self.before(x)))
        found: Tensor = x + self.second(functional.silu(self.between(y)))
        return found


class Encoder(nn.Module):
    """Images (n, c, h, w) in -1..1 to means, and to the logarithms of variances, of latents.

    Args:
        shape: How large it is.
    """

    def __init__(self, shape: AutoencoderShape) -> None:
        super().__init__()
        width = shape.width
        layers: list[nn.Module] = [nn.Conv2d(shape.channels * 4, width, 3, padding=1), Plain(width)]
        for _ in range(shape.halvings - 1):
            layers += [nn.Conv2d(width, 2 * width, 3, stride=2, padding=1), Plain(2 * width), Plain(2 * width)]
            width *= 2
        self.layers = nn.Sequential(*layers, Norm(width), nn.SiLU(), nn.Conv2d(width, 2 * shape.depth, 1))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        folded = functional.pixel_unshuffle(image, 2).contiguous(memory_format=torch.channels_last)
        mean, log_variance = self.layers(folded).float().chunk(2, 1)
        return mean, log_variance.clamp(-LIMIT, LIMIT)


class Decoder(nn.Module):
    """Latents to images.

    Args:
        shape: How large it is.
    """

    def __init__(self, shape: AutoencoderShape) -> None:
        super().__init__()
        width = shape.width * 2 ** (shape.halvings - 1)
        layers: list[nn.Module] = [nn.Conv2d(shape.depth, width, 3, padding=1), Plain(width), Plain(width)]
        for _ in range(shape.halvings - 1):
            layers += [Larger(width), nn.Conv2d(width, width // 2, 1), Plain(width // 2)]
            width //= 2
        layers += [Plain(width), Norm(width), nn.SiLU(), nn.Conv2d(width, shape.channels * 4, 3, padding=1)]
        self.layers = nn.Sequential(*layers)

    def forward(self, latent: Tensor) -> Tensor:
        found = self.layers(latent.contiguous(memory_format=torch.channels_last)).float()
        return functional.pixel_shuffle(found, 2)


class Autoencoder(nn.Module):
    """Both.

    Args:
        shape: How large they are.
    """

    def __init__(self, shape: AutoencoderShape) -> None:
        super().__init__()
        self.shape = shape
        self.encoder, self.decoder = Encoder(shape), Decoder(shape)

    def forward(self, image: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return what comes back, and the mean and the logarithm of the variance of the latents.

        Args:
            image: float32 (n, c, h, w) in -1..1.
            noise: Normal numbers of the shape of the latents.
        """
        mean, log_variance = self.encoder(image)
        return self.decoder(mean + (log_variance / 2).exp() * noise), mean, log_variance


def kl(mean: Tensor, log_variance: Tensor, values: int) -> Tensor:
    """Return the divergence from standard normal latents, in nats a value of the image.

    Args:
        mean: float32 (n, ...).
        log_variance: Likewise.
        values: Numbers that an image has.
    """
    nats = (mean.square() + log_variance.exp() - 1 - log_variance).flatten(1).sum(1) / 2
    return nats.mean() / values
