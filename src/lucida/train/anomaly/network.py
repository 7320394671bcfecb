"""The network that says how odd each place of an image is."""

# Where PyTorch is not installed its classes are unknown to mypy.
# mypy: disallow_subclassing_any=False
from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from lucida.train.anomaly.features import AsMeasured, EvenLight
from lucida.train.anomaly.memory import Memory

SHRINKS = (1, 2)  # images are looked at as they are, and at half the size: small oddities and large ones


class OddnessNetwork(nn.Module):
    """Maps images to a heat map: the distances to what is normal at each scale, as a geometric mean.

    Input: float32 (n, 3, size, size), RGB on 0..1; measured values (n, c, size, size), normalised.
    Output: heat float32 (n, h, w); 1 is the threshold.

    Args:
        places: Says what places look like; see `lucida.train.anomaly.features`.
        memories: What is normal, one a scale.
        measured: Whether images hold measured values rather than light.
    """

    shares: Tensor
    threshold: Tensor

    def __init__(self, places: nn.Module, memories: Sequence[Memory] = (), *, measured: bool = False) -> None:
        super().__init__()
        self.lights = nn.ModuleList([(AsMeasured if measured else EvenLight)(shrink) for shrink in SHRINKS])
        self.places, self.memories = places, nn.ModuleList(memories)
        self.register_buffer("shares", torch.full((len(SHRINKS),), 1 / len(SHRINKS)))
        self.register_buffer("threshold", torch.ones(()))

    def describe(self, images: Tensor) -> list[Tensor]:
        """Return what places look like at each scale, (n, channels, h, w)."""
        return [self.places(light(images)) for light in self.lights]

    def combine(self, distances: Sequence[Tensor]) -> Tensor:
        """Return one map (n, h, w) of the distances at each scale, before the threshold."""
        shape = distances[0].shape[-2:]
        logs = [distances[0].log()]
        for one in distances[1:]:
            enlarged = functional.interpolate(one.log()[:, None], size=shape, mode="bilinear", align_corners=False)
            logs.append(enlarged[:, 0])
        weighted = [share * log for share, log in zip(self.shares.unbind(), logs, strict=True)]
        return torch.stack(weighted).sum(dim=0).exp()

    def forward(self, images: Tensor) -> Tensor:
        """Return heat maps."""
        maps = self.describe(images)
        return self.combine([memory(one) for memory, one in zip(self.memories, maps, strict=True)]) / self.threshold
