"""Where a training stands, and how it is kept: what `kill -9` leaves is whole, and enough to go on from."""

from __future__ import annotations

import math
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from lucida.errors import InputError, TrainingError
from lucida.tuning import checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import nn
    from torch.optim import Optimizer

LAST, BEST, PLAN = "last.safetensors", "best.safetensors", "plan.json"


@dataclass
class State:
    """Where training stands; kept in every checkpoint.

    Attributes:
        step: Changes of weights so far.
        seconds: Time used so far, over all calls.
        best: Highest value of the monitored metric.
        best_step: When that was.
        metrics: All metrics of that evaluation.
        lowest: Lowest validation loss.
        stale: Evaluations since either of them was better than before.
        evaluated: Step of the last evaluation.
        waited: Seconds that were spent waiting for examples.
        stopped: Why training ended; "" while it goes on.
        skipped: Images that could not be read in mid-epoch: their rows.
        scale: In fp16: what gradients are multiplied by, and since when.
    """

    step: int = 0
    seconds: float = 0.0
    best: float = -math.inf
    best_step: int = 0
    metrics: dict[str, float] = field(default_factory=dict)
    lowest: float = math.inf
    stale: int = 0
    evaluated: int = 0
    waited: float = 0.0
    stopped: str = ""
    skipped: list[int] = field(default_factory=list)
    scale: dict[str, float] = field(default_factory=dict)

    def heed(self, found: dict[str, float], monitor: str) -> bool:
        """Take note of an evaluation; tell whether it is the best so far.

        Args:
            found: Its metrics.
            monitor: The one that is to grow.
        """
        value, loss = found[monitor], found.get("loss", math.inf)
        # A small validation part counts in coarse steps: between equals the loss decides, and where it still falls
        # there is something to learn.
        better = (value, -loss) > (self.best, -self.metrics.get("loss", math.inf))
        self.stale = 0 if better or loss < self.lowest else self.stale + 1
        self.lowest = min(self.lowest, loss)
        self.evaluated = self.step
        if better:
            self.best, self.best_step, self.metrics = value, self.step, found
        return better


def save_last(folder: Path, state: State, network: nn.Module, average: nn.Module | None, optimizer: Optimizer) -> None:
    """Write what a training goes on from.

    Raises:
        TrainingError: It cannot be written.
    """
    groups = {"network": network.state_dict(), "optimizer": checkpoint.flatten_optimizer(optimizer)}
    if average is not None:
        groups["average"] = average.state_dict()
    with room(folder):
        checkpoint.save(folder / LAST, groups, dict(state.__dict__))


def load_last(folder: Path, network: nn.Module, average: nn.Module | None, optimizer: Optimizer) -> State:
    """Put back what `save_last` wrote; nothing where there is nothing.

    Raises:
        InputError: The checkpoint is of another network.
    """
    path = folder / LAST
    if not path.exists():
        return State()
    groups, kept = checkpoint.load(path)
    try:
        network.load_state_dict(groups["network"])
        if average is not None:
            average.load_state_dict(groups["average"])
        checkpoint.restore_optimizer(optimizer, groups.get("optimizer", {}))
    except (RuntimeError, KeyError, ValueError) as error:
        raise another(path, error) from error
    return State(**kept)


def save_best(folder: Path, state: State, network: nn.Module) -> None:
    """Write the weights of the best evaluation.

    Raises:
        TrainingError: They cannot be written.
    """
    with room(folder):
        about = {"step": state.best_step, "metrics": state.metrics}
        checkpoint.save(folder / BEST, {"network": network.state_dict()}, about)


def load_best(folder: Path, network: nn.Module) -> None:
    """Put the weights of the best evaluation into a network, where there was one."""
    path = folder / BEST
    if path.exists():
        network.load_state_dict(checkpoint.load(path)[0]["network"])


@contextmanager
def room(folder: Path) -> Iterator[None]:
    """Say what it means that something cannot be written."""
    try:
        yield
    except OSError as error:
        raise TrainingError(
            "The checkpoint cannot be written.",
            expected=f"room and permission in {folder}",
            got=error.strerror or str(error),
            hint="free some room; the same command goes on from the last checkpoint",
        ) from error


def another(path: Path, error: Exception) -> InputError:
    """Return the error for weights that do not fit a network."""
    return InputError(
        f"{path} holds the weights of another network.",
        expected="names and shapes as this model has them",
        got=" ".join(str(error).split())[:200],
        hint="name the model that it was trained with, or another folder",
    )
