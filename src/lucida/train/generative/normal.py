"""Latents of an autoencoder on axes on which they are normal: what is drawn there has the whole picture in common.

The divergence only brings each number near to normal; neighbours go on telling of each other. A linear map takes that
away, and is written into the exported halves.
"""

# Where PyTorch is not installed its classes are unknown to mypy.
# mypy: disallow_subclassing_any=False
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from lucida.train.generative.examples import on_range

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lucida.train.generative.autoencoder import Autoencoder

MEASURED: Final = 4096  # images that the map is taken from
MOST: Final = 1024  # numbers of a latent beyond which the map would be larger than the network


@dataclass(frozen=True, eq=False)
class Normal:
    """Where latents lie.

    Attributes:
        mean: float32 (d,).
        root: Symmetric root of the covariance, float32 (d, d).
        inverse: Of the root.
        scale: Brings all numbers of raw latents to variance 1.
        shift: Mean of all numbers of raw latents.
    """

    mean: Tensor
    root: Tensor
    inverse: Tensor
    scale: float
    shift: float


def fit_normal(network: Autoencoder, pixels: NDArray[np.uint8]) -> Normal:
    """Return where the latents of images, uint8 (n, s, s, 3), lie; of too large ones each number for itself."""
    chosen = pixels[:: -(-len(pixels) // MEASURED)]
    encoder: Any = network.encoder
    device = next(network.parameters()).device
    means, inner = [], []
    with torch.inference_mode():
        for start in range(0, len(chosen), 128):
            planes = torch.from_numpy(np.ascontiguousarray(chosen[start : start + 128].transpose(0, 3, 1, 2)))
            mean, log_variance = encoder(on_range(planes.to(device)))
            means.append(mean.flatten(1).cpu().double())
            inner.append(log_variance.exp().flatten(1).cpu().double())
    rows, within = torch.cat(means), torch.cat(inner).mean(0)
    centre = rows.mean(0)
    around = rows - centre
    spread = around.T @ around / max(1, len(rows) - 1) + within.diag()
    if len(centre) > MOST:
        spread = spread.diag().diag()
    values, vectors = torch.linalg.eigh(spread)
    sides = [(vectors * values.clamp(min=1e-8) ** power) @ vectors.T for power in (0.5, -0.5)]
    variance = float(rows.var() + within.mean())
    return Normal(centre.float(), sides[0].float(), sides[1].float(), variance**-0.5, float(rows.mean()))


class Drawn(nn.Module):
    """A decoder of normal numbers.

    Args:
        decoder: Of raw latents.
        normal: Where these lie.
    """

    def __init__(self, decoder: nn.Module, normal: Normal) -> None:
        super().__init__()
        self.decoder = decoder
        self.map = _linear(normal.root, normal.mean).to(next(decoder.parameters()).device)

    def forward(self, noise: Tensor) -> Tensor:
        found: Tensor = self.decoder(self.map(noise.flatten(1)).unflatten(1, noise.shape[1:]))
        return found


class Placed(nn.Module):
    """An encoder to normal numbers: what a latent is on average.

    Args:
        encoder: To raw latents.
        normal: Where these lie; None to leave them raw.
    """

    def __init__(self, encoder: nn.Module, normal: Normal | None = None) -> None:
        super().__init__()
        self.encoder = encoder
        self.map = _linear(normal.inverse, -normal.inverse @ normal.mean) if normal else None

    def forward(self, image: Tensor) -> Tensor:
        mean: Tensor = self.encoder(image)[0]
        if self.map is None:
            return mean
        found: Tensor = self.map(mean.flatten(1)).unflatten(1, mean.shape[1:])
        return found


def _linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    layer = nn.Linear(*weight.shape)
    # As it will be stored.
    layer.weight.data, layer.bias.data = weight.half().float(), bias.half().float()
    return layer.requires_grad_(False)
