"""What is tried before a training begins: a rate, how many images fit, how long a step takes."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import torch
from accelerate.utils.memory import should_reduce_batch_size

from lucida.train import schedule
from lucida.train.settings import Plan
from lucida.train.standing import State

if TYPE_CHECKING:
    from torch import Tensor

    from lucida.train.steps import Steps


def usual_batch(steps: Steps) -> int:
    """Return the images a step: what was given, else the recipe's, fewer where an epoch would be too short."""
    recipe = steps.recipe
    return steps.settings.batch or max(1, min(recipe.batch, len(recipe) // 8 or 1))


def find_plan(steps: Steps, initial: dict[str, Tensor], begun: float) -> Plan:
    """Find what was not given, by steps that are forgotten again.

    Args:
        steps: Prepared.
        initial: The weights, which are put back.
        begun: When the run began, by `time.monotonic`.
    """
    settings, recipe = steps.settings, steps.recipe
    batch, given, usual = usual_batch(steps), settings.rate, recipe.rate
    if not settings.batch and torch.cuda.is_available():
        batch = _largest_batch(steps, initial, batch)
    searched = given is None and recipe.spread > 1
    rates = schedule.trial_rates(usual / 30, usual * 10) if searched else [given or usual] * schedule.SPEED
    trial = _try(steps, initial, batch, rates)
    rate, note = given or usual, ""
    if searched and (found := schedule.best_rate(trial.losses)):
        rate = min(max(found, usual / recipe.spread), usual * recipe.spread)
        note = f"Learning rate {rate:.2g}, found by trying {len(trial.losses)} of them."
    measure = schedule.timed(lambda: steps.measure(recipe.network)) if steps.team.first else 0.0
    plan = schedule.fit_plan(
        settings,
        batch=batch,
        rate=rate,
        examples=-(-len(recipe) // steps.team.count),
        trial=trial,
        measure=measure,
        spent=time.monotonic() - begun,
    )
    plan.notes += [note] if note else []
    return plan


def _largest_batch(steps: Steps, initial: dict[str, Tensor], batch: int) -> int:
    """Double the batch as long as a step with it fits into the memory of the GPU."""
    while batch * 2 <= min(256, max(1, len(steps.recipe) // 8)):
        try:
            _try(steps, initial, batch * 2, [steps.recipe.rate] * 2)
        except RuntimeError as error:
            # Where one of several has no room, the others wait for it in vain: --batch is for these.
            if steps.team.several or not should_reduce_batch_size(error):
                raise
            torch.cuda.empty_cache()
            break
        batch *= 2
    return batch


def _try(steps: Steps, initial: dict[str, Tensor], batch: int, rates: list[float]) -> schedule.Trial:
    """Train some steps and forget them."""
    losses, times = [], []
    batches = steps.batches(batch, 0, seed=steps.settings.seed + 7)
    steps.network.train()
    state = State()
    try:
        for rate in rates:
            start = time.monotonic()
            loss = steps.change(batches, 1, rate, state)["loss"]
            times.append(time.monotonic() - start)
            losses.append((rate, loss))
            if not math.isfinite(loss) or loss > 4 * losses[0][1] + 1:
                break
    finally:
        steps.forget(initial)
    return schedule.Trial(losses, sorted(times)[len(times) // 2] * steps.settings.accumulate)
