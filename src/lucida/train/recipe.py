"""What the loop asks of a recipe: a network, examples, a loss, a measure."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from lucida.train.settings import Settings
    from lucida.train.standing import State


class Recipe(ABC):
    """One kind of training.

    Attributes:
        network: What is trained.
        monitor: Name of the metric of `measure` that is to grow.
        rate: Peak learning rate of AdamW for this network where none is given or found.
        batch: Images a step where none is given.
        shared: Whether several processes share its work; else the first of them does all.
        notes: What a person should know, a sentence each; a recipe adds to it.
        skipped: Images that could not be read, and why.
    """

    network: nn.Module
    monitor: str
    rate: float = 1e-3
    batch: int = 32
    shared: bool = True
    # Rates are searched within this factor of `rate`; 1 where the usual one is to be kept.
    spread: float = 4.0

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.skipped: dict[str, str] = {}

    @abstractmethod
    def __len__(self) -> int:
        """Return how many training examples an epoch has."""

    @abstractmethod
    def example(self, row: int) -> Any:
        """Return one training example, augmented; None where its image cannot be read.

        Runs in worker processes. All chance is drawn from PyTorch's global generator, which is seeded before.
        """

    @abstractmethod
    def collate(self, examples: list[Any]) -> Any:
        """Put examples, at least one, into a batch: tensors in lists, tuples or dicts. Runs in worker processes."""

    @abstractmethod
    def loss(self, network: nn.Module, batch: Any) -> dict[str, Tensor]:
        """Return the loss under "loss", and whatever else should be reported.

        Args:
            network: `self.network`, as the loop wrapped it; call this one.
            batch: What `collate` gave, on the device.
        """

    @abstractmethod
    def measure(self, network: nn.Module, device: torch.device) -> dict[str, float]:
        """Return metrics of the validation part, `monitor` among them.

        Args:
            network: Weights to measure, in evaluation mode.
            device: Where it lies.
        """

    @abstractmethod
    def export(self, folder: Path) -> dict[str, Any]:
        """Write the trained network as a model that runs without PyTorch, and return what should be kept about it.

        Args:
            folder: An existing, empty folder.
        """

    def fit(self, settings: Settings, folder: Path) -> State:
        """Train the network in place, as the shared loop does; a recipe without gradients has a way of its own.

        Args:
            settings: How.
            folder: Folder of the run; training goes on from what lies there.

        Raises:
            TrainingError: Training cannot go on.
            InputError: There is nothing to train on.
        """
        from lucida.train.loop import fit

        return fit(self, settings, folder)

    def evaluated(self, network: nn.Module, step: int, folder: Path) -> None:  # noqa: B027 - most keep nothing
        """Keep what an evaluation showed, beside its metrics; by default nothing.

        Args:
            network: That was measured, in evaluation mode.
            step: After how many changes of weights.
            folder: Of the run.
        """

    def weights(self) -> Sequence[float] | None:
        """Return how often each training example is to be drawn, in relation; None for once an epoch each."""
        return None

    def groups(self) -> list[dict[str, Any]]:
        """Return the groups of parameters; "scale" is a factor on the learning rate, "betas" may be those of AdamW."""
        return [{"params": [p for p in self.network.parameters() if p.requires_grad], "scale": 1.0}]
