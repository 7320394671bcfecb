"""A training of a few milliseconds: points of a plane, left or right of a line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from lucida.train.loop import fit
from lucida.train.recipe import Recipe
from lucida.train.settings import Settings


class Points(Recipe):
    """Tells points of a plane left of a line from those right of it; noise and dropout make chance matter."""

    monitor = "accuracy"
    spread = 1.0

    def __init__(self, count: int = 40, seed: int = 3) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.points = torch.randn(count, 2)
        self.sides = (self.points.sum(1) > 0).long()
        torch.manual_seed(1)
        self.network = torch.nn.Sequential(
            torch.nn.Linear(2, 16),
            torch.nn.BatchNorm1d(16),
            torch.nn.ReLU(),
            torch.nn.Dropout(0.2),
            torch.nn.Linear(16, 2),
        )
        self.seen: list[float] = []
        self.spoilt: Any = None

    def __len__(self) -> int:
        return len(self.points)

    def example(self, row: int):
        return self.points[row] + 0.01 * torch.randn(2), self.sides[row]

    def collate(self, examples):
        return torch.stack([point for point, _ in examples]), torch.stack([side for _, side in examples])

    def loss(self, network, batch):
        if self.spoilt:
            self.spoilt(self, batch)
        points, sides = batch
        return {"loss": torch.nn.functional.cross_entropy(network(points), sides)}

    def measure(self, network, device):
        return {"accuracy": float((network(self.points).argmax(1) == self.sides).float().mean())}

    def export(self, folder: Path) -> dict[str, Any]:
        return {}


def fit_as_one_of(rank: int, count: int, port: int, settings: Settings, folder: Path) -> None:
    """Train as one of several processes, with a network in which images do not meet each other; one point is broken."""
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(count)} if count > 1 else {}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    torch.set_num_threads(1)
    recipe = Points()
    torch.manual_seed(1)
    recipe.network = torch.nn.Sequential(torch.nn.Linear(2, 16), torch.nn.ReLU(), torch.nn.Linear(16, 2))
    state = fit(recipe, settings, folder)
    assert state.step
