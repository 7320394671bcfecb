"""How each model is best run on this machine: measured when the server starts, and kept for the next time.

What is measured is what an image costs when it is looked at alone, and when several are looked at together, with an
engine that takes any number of images and with one that was told which numbers come. Every worker is one thread of one
core; which precision is fastest and faithful was measured when the model was loaded.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from lucida.images import Image
from lucida.models import engine
from lucida.models.needs import RAW
from lucida.models.precision import recall, remember
from lucida.runs.seeing import Wish
from lucida.serve.batching import Batching

if TYPE_CHECKING:
    from lucida.models.spec import Model
    from lucida.serve.sharing import Served, SharedSeer

SIZES: Final = (1, 2, 4, 8)
SECONDS: Final = 1.5  # for one model, at most, loading aside; on a machine that others use as well, twice that
ROUNDS: Final = 5
LONGEST: Final = 0.25  # seconds that whoever comes may have to wait for a batch
WORTH: Final = 0.95  # of the cost that is left, at most, for a change to be made
MUCH: Final = 0.5  # the same for company to be waited for
LINGER: Final = 0.005  # seconds that it is waited for
HEAVY: Final = 2.0  # seconds to load a model once more after which it is not loaded for every number of images

Way = Literal["free", "fixed"]
WAYS: Final[tuple[Way, ...]] = ("free", "fixed")
Costs = dict[tuple[Way, int], float]


@dataclass(frozen=True)
class Chosen:
    """How a model is run.

    Attributes:
        most: Images that are looked at together, at most.
        fixed: Whether the engine is told which numbers of images come.
        linger: Seconds that an image waits for others.
        alone: Seconds that an image costs as it comes, one at a time; 0 where that was not measured.
        cost: Seconds that it costs now.
    """

    most: int = 1
    fixed: bool = False
    linger: float = 0.0
    alone: float = 0.0
    cost: float = 0.0

    @property
    def sizes(self) -> tuple[int, ...]:
        """Numbers of images that the engine is told."""
        return tuple(size for size in SIZES if size <= self.most) if self.fixed else ()

    def __str__(self) -> str:
        many = f"up to {self.most} images at a time" if self.most > 1 else "one image at a time"
        wait = f", which wait {self.linger * 1000:.0f} ms for each other" if self.linger else ""
        if not self.alone:
            return f"{many}{wait}, as asked"
        fixed = ", loaded for those numbers" if self.fixed and self.most > 1 else ""
        return f"{many}{wait}{fixed}: {self.cost * 1000:.2f} ms an image, {self.alone * 1000:.2f} ms without"


def plan(served: Served, wanted: str) -> str:
    """Have a loaded model run as it is best here.

    Args:
        served: The model.
        wanted: As `Settings.plan` says.

    Returns:
        What was chosen and why, in a sentence; "" where there was no choice.
    """
    seer = _seer(served) if wanted not in ("", "default") else None
    if seer is None:
        return ""
    if wanted != "measured":
        chosen, how = Chosen(int(wanted), fixed=int(wanted) in SIZES), ""
    else:
        chosen, how = _known_or_measured(seer)
    seer.model.settle(chosen.sizes)
    served.batching = Batching(chosen.most, chosen.linger)
    return f"{served.name} ({seer.model.engine}): {chosen}{how}"


def _known_or_measured(seer: SharedSeer) -> tuple[Chosen, str]:
    key = f"serve {seer.spec.key} {seer.wish.task} {seer.model.engine} on {engine.describe()}"
    if isinstance(known := recall().get(key), list) and len(known) == len(Chosen.__dataclass_fields__):
        return Chosen(*known), ", as measured before"
    began = time.monotonic()
    chosen = choose(measure(seer.model, _asking(seer)))
    remember({key: list(chosen.__dict__.values())})
    return chosen, f", measured in {time.monotonic() - began:.1f} s"


def _seer(served: Served) -> SharedSeer | None:
    """Return what asks the model in the way in which it is mostly asked; None where it can be asked one at a time."""
    if served.talks or served.spec.needs.channels == RAW:
        return None
    for service in served.services:
        if service.shrinks and service.fits(served.spec, wish := Wish(service.task)):
            return served.seer(wish)
    return None


def _asking(seer: SharedSeer) -> Callable[[int], Any]:
    cover = seer.spec.needs.cover
    pixels = np.random.default_rng(0).integers(0, 256, (cover, cover * 4 // 3, 3), np.uint8)
    image = Image(pixels, "RGB")
    return lambda n: seer.look_together([image] * n, [b""] * n)


def measure(model: Model, ask: Callable[[int], Any], *, clock: Callable[[], float] | None = None) -> Costs:
    """Measure what an image costs.

    Args:
        model: Which may know some numbers of images afterwards.
        ask: Has it look at so many images.
        clock: Seconds; those of the processor on processors, where others may be at work, by default.

    Returns:
        Seconds an image, by whether the engine knows how many come, and how many come.
    """
    clock = clock or (time.perf_counter if engine.has_gpu() else time.process_time)
    model.settle(())
    found: Costs = {("free", size): cost for size, cost in _costs(ask, clock).items()}
    began = time.monotonic()
    if model.settle((1,)) and time.monotonic() - began < HEAVY:
        model.settle(SIZES)
        found |= {("fixed", size): cost for size, cost in _costs(ask, clock).items()}
    return found


def _costs(ask: Callable[[int], Any], clock: Callable[[], float]) -> dict[int, float]:
    """Return what an image costs by how many come, from few to many until the time is over."""
    until, last = clock() + SECONDS / 2, time.monotonic() + SECONDS
    found: dict[int, float] = {}
    for size in SIZES:
        if found and (size * min(found.values()) > LONGEST or clock() > until or time.monotonic() > last):
            break
        ask(size)
        times = []
        for _ in range(ROUNDS):
            began = clock()
            ask(size)
            times.append(clock() - began)
            if clock() > until:
                break
        found[size] = max(min(times), 1e-9) / size
    return found


def choose(costs: Mapping[tuple[Way, int], float]) -> Chosen:
    """Return how a model is best run, by what an image costs."""
    least = {way: min((cost for (one, _), cost in costs.items() if one == way), default=math.inf) for way in WAYS}
    way: Way = "fixed" if least["fixed"] <= WORTH * least["free"] else "free"
    own = {size: cost for (one, size), cost in costs.items() if one == way}
    # Of numbers that cost as good as the same, the smallest: whoever comes waits least.
    most = min(size for size, cost in own.items() if cost * WORTH <= least[way])
    linger = LINGER if engine.has_gpu() and own[most] <= MUCH * own[1] else 0.0
    return Chosen(most, way == "fixed", linger, costs["free", 1], own[most])
