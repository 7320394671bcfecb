"""What changes over training, as functions of progress from 0 to 1.

Progress is the share of the budget used. A budget in hours anneals properly by the deadline however slow
the machine is; a budget in steps repeats exactly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Budget:
    """How long to train: hours of the wall clock, or a number of steps; exactly one of them."""

    hours: float | None = None
    steps: int | None = None

    def __post_init__(self) -> None:
        if (self.hours is None) == (self.steps is None):
            raise ValueError("A budget is either hours or steps. Give one of --hours and --steps.")

    def progress(self, step: int, seconds: float) -> float:
        """Give the share used, 0 to 1, after ``step`` steps and ``seconds`` of training."""
        used = step / self.steps if self.steps is not None else seconds / ((self.hours or 0) * 3600)
        return min(1.0, used)


def learning_rate(progress: float, peak: float, warmup: float = 0.06) -> float:
    """Rise linearly to ``peak``, then fall along a cosine to zero."""
    if progress < warmup:
        return peak * (0.05 + 0.95 * progress / warmup)
    return peak * 0.5 * (1 + math.cos(math.pi * (progress - warmup) / (1 - warmup)))


# Small images first: most of what is learnt early does not need the detail and costs a third.
FULL = 64
RESOLUTIONS = ((0.0, 32), (0.22, 48), (0.7, FULL))


def resolution(progress: float, stages: tuple[tuple[float, int], ...] = RESOLUTIONS) -> int:
    """Give the side length in pixels to train at."""
    return [side for start, side in stages if progress >= start][-1]


def cutmix_share(progress: float, share: float = 0.3, until: float = 0.88) -> float:
    """Give the share of batches to mix: none at the end, so that the last steps see whole images."""
    return share if progress < until else 0.0


def contrast_begins(progress: float, start: float = 0.4) -> bool:
    """Tell whether to look at unlabelled images yet: a network that knows nothing learns faster from labels alone."""
    return progress >= start


def ema_decay(step: int, longest: float = 0.998) -> float:
    """Give the decay of the weight average, short at first so that it forgets the random start."""
    return min(longest, (1 + step) / (10 + step))
