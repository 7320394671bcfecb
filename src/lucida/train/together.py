"""Several processes, or GPUs, train as one: each sees its share of the images; the first decides and writes."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs, PartialState
from accelerate.state import AcceleratorState
from accelerate.utils import broadcast_object_list, gather_object

from lucida.models.quiet import quiet
from lucida.train.device import mixed_precision
from lucida.train.order import Key, Order

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lucida.train.settings import Settings

T = TypeVar("T")


def accelerator_of(settings: Settings) -> Accelerator:
    """Return what spreads the work over processes and GPUs, in the arithmetic that was asked for."""
    # Accelerate keeps the first arithmetic of a process for ever, and refuses another.
    AcceleratorState._reset_state()
    with quiet():
        return Accelerator(
            mixed_precision=mixed_precision(settings.arithmetic),
            gradient_accumulation_steps=settings.accumulate,
            cpu=not torch.cuda.is_available(),
            log_with="wandb" if settings.wandb else None,
            # Detectors have layers that some batches do not reach.
            kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
        )


class Team:
    """The processes of one training; what all must do alike is decided once."""

    def __init__(self, accelerator: Accelerator) -> None:
        self._accelerator = accelerator

    @property
    def several(self) -> bool:
        """Tell whether there are others."""
        return bool(self._accelerator.num_processes > 1)

    @property
    def first(self) -> bool:
        """Tell whether this process decides and writes."""
        return bool(self._accelerator.is_main_process)

    @property
    def count(self) -> int:
        """Return how many processes there are."""
        return int(self._accelerator.num_processes)

    @property
    def rank(self) -> int:
        """Return which one this is."""
        return int(self._accelerator.process_index)

    def agreed(self, value: T) -> T:
        """Return what the first process has there."""
        if not self.several:
            return value
        held = [value]
        broadcast_object_list(held)
        return held[0]

    def mean(self, values: dict[str, float]) -> dict[str, float]:
        """Return the means over all processes, so that all see the same."""
        if not self.several:
            return values
        names = sorted(values)
        own = torch.tensor([values[name] for name in names], device=self._accelerator.device)
        return dict(zip(names, self._accelerator.reduce(own, "mean").tolist(), strict=True))

    def all_of(self, rows: list[int]) -> list[int]:
        """Return what all processes have in their lists, each once."""
        return sorted(set(gather_object(rows))) if self.several else rows

    def wait(self) -> None:
        """Wait for the others."""
        self._accelerator.wait_for_everyone()

    def share(self, order: Order) -> Order:
        """Return the batches that this process sees."""
        return _Share(order, self.rank, self.count) if self.several else order


class _Share(Order):
    """Every so many-th batch: what one of several processes sees."""

    def __init__(self, order: Order, rank: int, world: int) -> None:
        self.__dict__.update(order.__dict__)
        self._rank, self._world = rank, world

    def keys(self, number: int) -> list[Key]:
        return super().keys(number * self._world + self._rank)


def join() -> None:
    """Meet the other processes of this training, where it was started as several."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        PartialState(cpu=not torch.cuda.is_available())


@contextmanager
def first_one_first() -> Iterator[None]:
    """Let the first process do something before the others, which find it done."""
    if not PartialState._shared_state:
        yield
        return
    with PartialState().main_process_first():
        yield


def wait_for_all() -> None:
    """Wait until all processes are here."""
    if PartialState._shared_state:
        PartialState().wait_for_everyone()
