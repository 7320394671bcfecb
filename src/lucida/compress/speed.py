"""How fast several ways to run a model are, side by side: they take turns, so that other work slows all alike."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import contextmanager
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Way = Callable[[NDArray[np.float32]], object]

BATCHES = (1, 32)
ROUNDS = 7
LEAST = 3
SECONDS = 60.0  # no further round begins after that, once there are `LEAST`
ALONE = 4  # images of one round, one at a time


def speeds(
    ways: dict[str, tuple[Way, NDArray[np.float32]]], *, rounds: int = ROUNDS, seconds: float = SECONDS
) -> dict[str, dict[int, float]]:
    """Measure images a second on one core.

    Args:
        ways: By name, what runs a batch, and images as it takes them: float32 (n, channels, size, size), 32 at best.
        rounds: How often each takes its turn.
        seconds: Bound on the time, roughly.

    Returns:
        By name and batch size, the median over rounds.
    """
    batches = {
        name: {size: np.resize(images, (size, *images.shape[1:])) for size in BATCHES}
        for name, (_, images) in ways.items()
    }
    rates: dict[str, dict[int, list[float]]] = {name: {size: [] for size in BATCHES} for name in ways}
    with one_core():
        for name, (way, _) in ways.items():
            for batch in batches[name].values():
                way(batch)
        began = time.perf_counter()
        for done in range(rounds):
            if done >= LEAST and time.perf_counter() - began > seconds:
                break
            for name, (way, _) in ways.items():
                for size, batch in batches[name].items():
                    times = ALONE if size == 1 else 1
                    start = time.perf_counter()
                    for _ in range(times):
                        way(batch)
                    rates[name][size].append(times * size / (time.perf_counter() - start))
    return {name: {size: median(found) for size, found in by.items()} for name, by in rates.items()}


@contextmanager
def one_core() -> Iterator[None]:
    """Let PyTorch use one core while the block runs, as each of this package's engines does a call."""
    import sys

    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
