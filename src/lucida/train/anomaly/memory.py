"""What normal places look like, kept as a few thousand examples.

Source: Roth et al. 2022, Towards Total Recall in Industrial Anomaly Detection (PatchCore).
"""

# Where PyTorch is not installed its classes are unknown to mypy.
# mypy: disallow_subclassing_any=False
from __future__ import annotations

import torch
from torch import Tensor, nn

KEPT = 4000  # examples of a scale
CANDIDATES = 20_000  # that they are chosen from
WIDTH = 128  # directions that places are compared in
CHOSEN_BY = 32  # random directions that examples are chosen by
FAR = 1e9


class Memory(nn.Module):
    """How far places are from the nearest normal one.

    Args:
        channels: Of the map that tells what places look like.
        width: Directions that places are compared in.
        kept: Examples.
    """

    centre: Tensor
    directions: Tensor
    examples: Tensor

    def __init__(self, channels: int, width: int = WIDTH, kept: int = KEPT) -> None:
        super().__init__()
        self.register_buffer("centre", torch.zeros(channels))
        self.register_buffer("directions", torch.zeros(min(width, channels), channels))
        self.register_buffer("examples", torch.zeros(kept, min(width, channels)))

    @classmethod
    def of(cls, places: Tensor, owners: Tensor, generator: torch.Generator) -> tuple[Memory, Tensor]:
        """Return what remembers some places, and whose each of its examples is.

        Args:
            places: Of normal images, float32 (n, channels).
            owners: The image of each, int64 (n,).
            generator: Of chance.
        """
        order = torch.randperm(len(places), generator=generator)[:CANDIDATES]
        places, owners = places[order].float(), owners[order]
        memory = cls(places.shape[1], kept=min(KEPT, len(places)))
        memory.centre.copy_(places.mean(dim=0))
        spread = places.std(dim=0) + 1e-3
        scaled = (places - memory.centre) / spread
        # The directions in which normal places differ most; scaled first, so that no channel outshouts the others.
        # In double precision: with fewer places than channels, single does not converge.
        scatter = (scaled.T @ scaled / len(scaled)).double()
        vectors = torch.linalg.eigh(scatter).eigenvectors.float()
        memory.directions.copy_((vectors[:, -len(memory.directions) :] / spread[:, None]).T)
        known = memory.project(places)
        rows = far_apart(known, len(memory.examples), generator)
        memory.examples.copy_(known[rows])
        return memory, owners[rows]

    def project(self, places: Tensor) -> Tensor:
        """Return places (..., channels) as they are compared, (..., width)."""
        return (places - self.centre) @ self.directions.T

    def forward(self, maps: Tensor, left_out: Tensor | None = None) -> Tensor:
        """Return the distance of each place to the nearest example, (n, h, w).

        Args:
            maps: float32 (n, channels, h, w).
            left_out: Examples that are not to be looked at, bool (kept,).
        """
        places = self.project(maps.permute(0, 2, 3, 1))
        lengths = self.examples.square().sum(dim=1)
        if left_out is not None:
            lengths = lengths + left_out * FAR
        square = places.square().sum(dim=3) + (lengths - 2 * places @ self.examples.T).amin(dim=3)
        # Equal places may come out a little below 0.
        return square.clamp(min=1e-4).sqrt()


def far_apart(points: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Return rows of points that are far from each other, int64 (count,): each next one is the farthest from all.

    Source: Sener and Savarese 2018, Active Learning for Convolutional Neural Networks: A Core-Set Approach, algorithm
    1; random directions as in PatchCore.
    """
    if count >= len(points):
        return torch.arange(len(points))
    directions = torch.randn(points.shape[1], CHOSEN_BY, generator=generator)
    flat = points @ directions
    lengths = flat.square().sum(dim=1)
    distance = torch.full((len(flat),), torch.inf)
    rows = torch.empty(count, dtype=torch.int64)
    row = int(torch.randint(len(flat), (), generator=generator))
    for number in range(count):
        rows[number] = row
        distance = torch.minimum(distance, lengths + lengths[row] - 2 * flat @ flat[row])
        row = int(distance.argmax())
    return rows
