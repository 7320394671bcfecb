"""Which examples step k sees: a pure function of the seed and k, so that a run can go on anywhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lucida.train.recipe import Recipe

Key = tuple[int, int]  # row of an example, and the seed of its chance


class Order(Sampler[list[Key]]):  # type: ignore[misc, unused-ignore]
    """Batches of keys from some step on, without end.

    Args:
        count: Examples of an epoch.
        batch: Examples a step; the last of an epoch are joined by the first of the next.
        seed: Decides the order.
        weights: How often each is drawn, in relation; None for each once.
        start: The first batch that is wanted.
    """

    def __init__(
        self, count: int, batch: int, *, seed: int, weights: Sequence[float] | None = None, start: int = 0
    ) -> None:
        self.count, self.batch, self.seed, self.start = count, batch, seed, start
        self._weights = np.asarray(weights, np.float64) / np.sum(weights) if weights is not None else None
        self._epochs: dict[int, NDArray[np.int64]] = {}

    def __iter__(self) -> Iterator[list[Key]]:
        number = self.start
        while True:
            yield self.keys(number)
            number += 1

    def keys(self, number: int) -> list[Key]:
        """Return the keys of one batch."""
        first = number * self.batch
        return [self._key(place) for place in range(first, first + self.batch)]

    def _key(self, place: int) -> Key:
        epoch, row = divmod(place, self.count)
        # A seed of its own for every example: what it looks like does not depend on who prepares it.
        return int(self._epoch(epoch)[row]), (self.seed * 1_000_003 + place) & 0x7FFFFFFF

    def _epoch(self, epoch: int) -> NDArray[np.int64]:
        if epoch not in self._epochs:
            for old in [known for known in self._epochs if known < epoch - 1]:
                del self._epochs[old]
            random = np.random.default_rng([self.seed, epoch])
            self._epochs[epoch] = (
                random.permutation(self.count) if self._weights is None else _drawn(self._weights, random)
            )
        return self._epochs[epoch]


def _drawn(weights: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.int64]:
    """Draw as many rows as there are, each as often as its weight says, within one: no luck in the shares.

    Source: systematic sampling.
    """
    count = len(weights)
    shuffled = random.permutation(count)
    ends = np.cumsum(weights[shuffled]) * count
    points = random.random() + np.arange(count)
    return random.permutation(shuffled[np.minimum(np.searchsorted(ends, points), count - 1)])


class _Examples(Dataset[Any]):  # type: ignore[misc, unused-ignore]
    """A recipe's examples by key."""

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe

    def __getitem__(self, key: Key) -> Any:
        row, seed = key
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            found = self._recipe.example(row)
        # An image that cannot be read goes by as its row, and is counted where the loop is.
        return row if found is None else found


class _Collate:
    """Batches of those that could be read, and the rows of the others."""

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe

    def __call__(self, found: list[Any]) -> tuple[Any, list[int]]:
        there = [one for one in found if not isinstance(one, int)]
        gone = [one for one in found if isinstance(one, int)]
        return (self._recipe.collate(there) if there else None), gone


def loader(recipe: Recipe, order: Order, workers: int, *, pinned: bool = False) -> DataLoader[Any]:
    """Return batches of a recipe's examples, prepared by worker processes; 0 prepares them in between."""
    return DataLoader(
        _Examples(recipe),
        batch_sampler=order,
        num_workers=workers,
        collate_fn=_Collate(recipe),
        pin_memory=pinned,
        worker_init_fn=_one_thread,
        prefetch_factor=4 if workers else None,
    )


def _one_thread(worker: int) -> None:
    torch.set_num_threads(1)
