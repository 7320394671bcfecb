"""What a network is told beside its image: how much noise there is, and what is to be seen."""

# Where PyTorch is not installed its classes are unknown to mypy.
# mypy: disallow_subclassing_any=False
from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

WAVES: Final = 32  # sines and cosines each that a time is told by
FASTEST: Final = 200.0  # radians a unit of time


class Conditions(nn.Module):
    """Time and class as one vector.

    Args:
        classes: How many there are, 0 for none. One more number, `classes`, stands for "none named".
        width: Length of the vector.
    """

    rates: Tensor

    def __init__(self, classes: int, width: int) -> None:
        super().__init__()
        self.classes = classes
        self.register_buffer("rates", torch.logspace(0, torch.tensor(FASTEST).log10().item(), WAVES), persistent=False)
        self.first, self.second = nn.Linear(2 * WAVES, width), nn.Linear(width, width)
        self.label = nn.Embedding(classes + 1, width) if classes else None

    def forward(self, time: Tensor, label: Tensor | None = None) -> Tensor:
        """Return vectors (n, width).

        Args:
            time: float32 (n,).
            label: int64 (n,); left out where there are no classes.
        """
        angles = time.float()[:, None] * self.rates
        found: Tensor = self.second(functional.silu(self.first(torch.cat([angles.cos(), angles.sin()], 1))))
        if self.label is not None and label is not None:
            found = found + self.label(label)
        return functional.silu(found)
