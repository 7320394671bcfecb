"""What `lucida serve` does when it is asked more than it can answer, and after long: times, refusals, memory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import numpy as np
from benchmarks.serving_load import Told, closed_loop, open_loop, percentiles
from benchmarks.serving_sides import OURS, Side, side
from numpy.typing import NDArray

TIMES: Final = 4  # of what it can answer
SHARE: Final = 0.8
CLIENTS: Final = 16  # enough to keep all cores at work, and few enough to be answered within a short deadline
EVERY: Final = 1.0  # seconds between two looks at the memory
SETTLED: Final = 0.2  # share of the time after which memory is judged
_YAML: Final = "models: {{m: {card}}}\nlimits: {{cache: 1 MB}}\n"


async def overload(card: Path, folder: Path, seconds: float, deadline: float) -> None:
    """Ask four times as much as can be answered.

    Args:
        card: TOML beside the model.
        folder: Where the requests are.
        seconds: For how long the capacity is measured; the overload lasts four times as long.
        deadline: Of the server, in seconds.
    """
    with side(OURS, card, _options(folder, card, deadline)) as one:
        capacity = await _capacity(one, folder, seconds)
        # Buffers of hundreds of connections are made once: memory is judged after that.
        await _asked(one, folder, capacity * TIMES, seconds)
        # A client of the same machine takes a share of its cores: what is served meanwhile is less.
        told, memory = await _asked(one, folder, capacity * TIMES, seconds * TIMES)
    _say(told, seconds * TIMES)
    p99, bound = percentiles(told.served)[2], 2 * deadline * 1000
    print(f"served within {p99:.0f} ms at the 99th percentile; twice the deadline is {bound:.0f} ms: {p99 <= bound}")
    _say_memory(memory)


async def soak(card: Path, folder: Path, seconds: float) -> None:
    """Ask 80 % of what can be answered.

    Args:
        card: TOML beside the model.
        folder: Where the requests are.
        seconds: For how long.
    """
    with side(OURS, card, _options(folder, card, 30.0)) as one:
        capacity = await _capacity(one, folder, min(10.0, seconds))
        told, memory = await _asked(one, folder, capacity * SHARE, seconds)
    _say(told, seconds)
    errors = len(told.refused) + sum(told.other.values()) + told.late
    print(f"errors: {errors} of {errors + len(told.served):,}")
    _say_memory(memory)


def _options(folder: Path, card: Path, deadline: float) -> list[str]:
    # Answers that are kept would grow for minutes: with little room for them memory is at its level at once.
    file = folder / "serve.yaml"
    file.write_text(_YAML.format(card=card))
    return ["--config", str(file), "--deadline", f"{deadline:g}"]


async def _capacity(one: Side, folder: Path, seconds: float) -> float:
    await asyncio.to_thread(closed_loop, one.port, CLIENTS, folder, 1.0)
    row = await asyncio.to_thread(closed_loop, one.port, CLIENTS, folder, seconds)
    print(f"{row['rate']:.1f} requests a second at {CLIENTS} clients, p99 {row['p99']:.0f} ms", flush=True)
    return float(row["rate"])


async def _asked(one: Side, folder: Path, rate: float, seconds: float) -> tuple[Told, NDArray[np.float64]]:
    files = [file.read_bytes() for file in sorted(folder.glob("*.http"))]
    print(f"asked {rate:.1f} times a second for {seconds:.0f} s", flush=True)
    async with _watched(one) as memory:
        told = await open_loop(one.port, rate, files, seconds)
    return told, np.array(memory)


@asynccontextmanager
async def _watched(one: Side) -> AsyncIterator[list[tuple[float, float]]]:
    """Give seconds and MB, which go on growing until the context ends."""
    found: list[tuple[float, float]] = []
    began = time.monotonic()

    async def watch() -> None:
        while True:
            found.append((time.monotonic() - began, await asyncio.to_thread(one.memory)))
            await asyncio.sleep(EVERY)

    watching = asyncio.create_task(watch())
    try:
        yield found
    finally:
        watching.cancel()


def _say(told: Told, seconds: float) -> None:
    for name, times in (("200", told.served), ("429", told.refused)):
        p50, p95, p99 = percentiles(times)
        rate = len(times) / seconds
        print(f"{name}: {len(times):,} ({rate:.1f} a second), p50 {p50:.0f} ms, p95 {p95:.0f} ms, p99 {p99:.0f} ms")
    print(f"other answers: {told.other or 'none'}; not sent, as all connections were busy: {told.late:,}")


def _say_memory(found: NDArray[np.float64]) -> None:
    found = found[found[:, 0] >= SETTLED * found[-1, 0]]
    slope, error = slope_of(found[:, 0] / 60, found[:, 1])
    low, high = slope - 1.96 * error, slope + 1.96 * error
    print(f"memory: {found[0, 1]:.1f} MB, then {found[-1, 1]:.1f} MB; at most {found[:, 1].max():.1f} MB")
    print(f"slope: {slope:+.3f} MB a minute, 95 % interval {low:+.3f} to {high:+.3f}")


def slope_of(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float]:
    """Return the slope of least squares and its standard error, neighbours in time being alike.

    Source: Newey and West 1987, with lags of n to the power of 1/3.
    """
    away = x - x.mean()
    slope = float(away @ (y - y.mean()) / (away @ away))
    scores = away * (y - y.mean() - slope * away)
    lags = int(len(x) ** (1 / 3)) + 1
    total = float(scores @ scores)
    for lag in range(1, min(lags, len(x) - 1) + 1):
        total += 2 * (1 - lag / (lags + 1)) * float(scores[lag:] @ scores[:-lag])
    return slope, max(0.0, total) ** 0.5 / float(away @ away)
