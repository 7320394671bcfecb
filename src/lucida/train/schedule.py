"""How long, how fast, how many at once: found by trying, before training begins."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from lucida.train.settings import Plan, Settings

TRIED = 48  # steps of the search for a rate
SPEED = 8  # steps that tell the speed where no rate is searched
MARGIN = 0.95  # of the time: machines are not always as fast as when they were measured


def factor(step: int, total: int, warmup: float) -> float:
    """Return the rate of a step as a share of the peak: a linear rise, then half a cosine.

    Source: Loshchilov and Hutter 2017, SGDR; Goyal et al. 2017 for the warm-up.
    """
    rise = max(1, round(warmup * total))
    if step < rise:
        return (step + 1) / rise
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - rise) / max(1, total - rise))))


@dataclass
class Trial:
    """What a few steps on trial showed.

    Attributes:
        losses: (rate, loss) of each step.
        seconds: Of one step.
    """

    losses: list[tuple[float, float]]
    seconds: float


def trial_rates(low: float, high: float, steps: int = TRIED) -> list[float]:
    """Return rates from low to high, evenly by their logarithm."""
    return [low * (high / low) ** (k / (steps - 1)) for k in range(steps)]


def best_rate(losses: list[tuple[float, float]]) -> float | None:
    """Return a fifth of the rate with the lowest smoothed loss: fast, and far from where training breaks.

    Source: the range test of Smith 2017, Cyclical Learning Rates.
    """
    smooth, lowest, found = None, math.inf, None
    for number, (rate, loss) in enumerate(losses):
        if not math.isfinite(loss):
            break
        smooth = loss if smooth is None else 0.8 * smooth + 0.2 * loss
        if smooth < lowest and number > 4:
            lowest, found = smooth, rate / 5
    return found


def fit_plan(
    settings: Settings, *, batch: int, rate: float, examples: int, trial: Trial, measure: float, spent: float
) -> Plan:
    """Return how many steps to train.

    Args:
        settings: What was asked.
        batch: Images a step, over all processes, with what is accumulated.
        rate: Peak learning rate.
        examples: Of an epoch.
        trial: What a few steps showed.
        measure: Seconds of an evaluation.
        spent: Seconds used so far.
    """
    epoch = max(1, math.ceil(examples / (batch * settings.accumulate)))
    total = settings.epochs * epoch if settings.epochs else settings.most_epochs * epoch
    if not settings.epochs:
        left = settings.minutes * 60 * MARGIN - spent - settings.rounds * measure
        total = min(total, max(epoch // 4, 1, int(left / max(trial.seconds, 1e-6))))
    return Plan(batch, settings.accumulate, rate, total, round_of(total, epoch, settings.rounds), [])


def round_of(total: int, epoch: int, rounds: int) -> int:
    """Return the steps between evaluations: at least an epoch, unless all of training is less."""
    return max(1, min(total, max(epoch, total // rounds)))


def refit(
    plan: Plan, settings: Settings, *, step: int, epoch: int, seconds: float, spent: float, measure: float
) -> bool:
    """Fit the number of steps to the time that is left, if it is off by more than a twentieth; tell whether it was.

    Args:
        plan: Changed in place.
        settings: What was asked.
        step: Steps done.
        epoch: Steps of an epoch.
        seconds: Of a step, lately.
        spent: Seconds used so far.
        measure: Seconds of an evaluation.
    """
    if settings.epochs:
        return False
    rounds = max(1, math.ceil((plan.total - step) / plan.round))
    left = settings.minutes * 60 * (1 + MARGIN) / 2 - spent - rounds * measure
    total = step + max(0, int(left / max(seconds, 1e-6)))
    total = max(step, min(total, settings.most_epochs * epoch))
    if abs(total - plan.total) <= 0.05 * plan.total:
        return False
    plan.total = total
    return True


def timed(work: Callable[[], object]) -> float:
    """Return how many seconds some work takes."""
    start = time.monotonic()
    work()
    return time.monotonic() - start
