"""Momentum contrast: two views of one image lie nearer to each other than to any other image.

Source: He et al. 2020, Momentum Contrast for Unsupervised Visual Representation Learning.
"""

# Where PyTorch is not installed its classes are unknown to mypy.
# mypy: disallow_subclassing_any=False
from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional

FAR = -1e4  # a logit that no softmax sees, also in half precision


class Contrast(nn.Module):
    """The projection, its slow copy, and the keys of earlier images to tell new ones from.

    Images are told apart within their own set only: telling photos from textures teaches nothing.

    Args:
        inputs: Length of the vectors that are projected.
        hidden: Width of the layer between.
        outputs: Length of the projected vectors.
        length: How many keys are remembered.
        temperature: Divides cosines before the softmax.
    """

    keys: Tensor
    sets: Tensor

    def __init__(
        self, inputs: int, hidden: int = 512, outputs: int = 128, length: int = 2048, temperature: float = 0.2
    ) -> None:
        super().__init__()
        self.temperature = temperature
        self.projection = nn.Sequential(
            nn.Linear(inputs, hidden, bias=False), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, outputs)
        )
        self.slow = copy.deepcopy(self.projection).requires_grad_(False)
        self.register_buffer("keys", torch.zeros(length, outputs))
        self.register_buffer("sets", torch.full((length,), -1))

    def forward(self, queries: Tensor, keys: Tensor, sets: Tensor) -> Tensor:
        """Return the loss, and remember the keys.

        Args:
            queries: Vectors of one view of each image, float32 (n, inputs).
            keys: Vectors of the other view, from the slow encoder, float32 (n, inputs); get no gradient.
            sets: Which set each image belongs to, int64 (n,), 0 or more.
        """
        near = functional.normalize(self.projection(queries).float(), dim=1)
        with torch.no_grad():
            far = functional.normalize(self.slow(keys).float(), dim=1)
        known = torch.cat([far, self.keys])
        logits = near @ known.T / self.temperature
        other = sets[:, None] != torch.cat([sets, self.sets])[None, :]
        loss = functional.cross_entropy(logits.masked_fill(other, FAR), torch.arange(len(near), device=near.device))
        self.keys = known[: len(self.keys)].detach()
        self.sets = torch.cat([sets, self.sets])[: len(self.sets)]
        return loss


def follow(slow: nn.Module, fast: nn.Module, momentum: float) -> None:
    """Move the state of one module towards another's by a share of 1 - momentum, in place."""
    new = fast.state_dict()
    with torch.no_grad():
        for name, value in slow.state_dict().items():
            if value.is_floating_point():
                value.lerp_(new[name], 1 - momentum)
            else:
                value.copy_(new[name])
