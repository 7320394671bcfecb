"""What to ask next: the rung whose certification is worth most for the answers it still needs.

Nothing here can hurt the guarantee, since each rung's evidence is read along a path fixed beforehand; a poor
choice costs answers only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lucida.evidence.finite import Floats
from lucida.evidence.nested import Epoch

_OPTIMISM = 0.8  # standard errors by which a rung's rate is taken lower than seen: better try than never know
_HOPELESS = 0.8  # of the promised rate: above it, a rung would take forever
_MARGIN = 0.3  # nats beyond the threshold, for the overshoot of one answer


@dataclass(frozen=True)
class Plan:
    """Name the rung to read next, and the ln M that would do for it if all below it on the way are certified.

    `aim` is the number of items in the set aimed at, `cost` the answers it is thought to need, `value` what
    that set is worth beyond its cost, in answers.
    """

    rung: int
    threshold: float
    aim: int
    cost: float
    value: float


@dataclass(frozen=True)
class Earlier:
    """Hold what earlier stages saw in each rung, shrunk: draws and errors, float64 of shape (rungs,)."""

    drawn: Floats
    errors: Floats


def relative_entropy(p: Floats, q: Floats) -> Floats:
    """Compute KL(Bernoulli(p), Bernoulli(q)) in nats, elementwise; 0 < q < 1."""
    p = np.clip(p, 1e-9, 1 - 1e-9)
    return np.asarray(p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q)), dtype=np.float64)


def make_plan(epoch: Epoch, earlier: Earlier, *, kept: int, room: int, worth: float) -> Plan | None:
    """Choose the rung to read next, or None when no larger set is worth its answers.

    For each entry b and each target j above it, estimate the answers that every rung b..j still needs; the
    value is ``worth * (size_j - kept) - answers``. Of the best pair, the largest rung not yet at its
    threshold is read.

    Args:
        epoch: the evidence so far.
        earlier: what was seen of each rung before this epoch.
        kept: items in the largest set certified so far.
        room: answers still allowed.
        worth: how many answers one more item in the set is worth, >= 0.
    """
    size = np.maximum(epoch.size, 1).astype(np.float64)
    bound = np.clip(epoch.null / size, 1e-9, 1 - 1e-9)
    seen = epoch.errors + earlier.errors
    rate = np.maximum(seen - _OPTIMISM * np.sqrt(seen), 0.5 * seen) / (epoch.drawn + earlier.drawn)
    lost = np.cumsum(epoch.stratum_wrong) >= epoch.null
    read_out = np.cumsum(epoch.stratum_answered) >= epoch.size
    hopeless = (rate > _HOPELESS * bound) | lost | read_out
    speed = relative_entropy(np.minimum(rate, _HOPELESS * bound), bound)
    rungs, inherited, best = np.arange(epoch.rungs), epoch.inherited(), None
    for entry in np.flatnonzero(epoch.weights).tolist():
        above = rungs >= entry
        share = np.where(above, np.cumsum(np.where(above, epoch.weights, 0.0)) + inherited[entry], 1.0)
        threshold = -np.log(epoch.level * share)
        done = ~above | (epoch.best >= threshold)
        missing = np.maximum(threshold - np.maximum(epoch.current, -3.0) + _MARGIN, 0.2)
        reads = np.where(done, 0.0, epoch.drawn + missing / speed)
        cost = answers_needed(epoch, entry, 1 - np.exp(-reads / size))
        value = worth * (epoch.size - kept) - cost
        blocked = np.logical_or.accumulate(~done & hopeless)
        possible = ~blocked & above & (epoch.size > 1.005 * kept) & (cost <= room)
        if not possible.any():
            continue
        target = int(np.argmax(np.where(possible, value, -np.inf)))
        if value[target] <= 0 or (best is not None and value[target] <= best.value):
            continue
        path = np.flatnonzero(~done[: target + 1])
        if len(path):
            last = int(path[-1])
            aim, needed, gain = int(epoch.size[target]), float(cost[target]), float(value[target])
            best = Plan(last, float(threshold[last]), aim, needed, gain)
    return best


def answers_needed(epoch: Epoch, entry: int, depth: Floats) -> Floats:
    """Estimate for each target the answers needed: each stratum is read as its neediest rung needs."""
    rungs = epoch.rungs
    needed = np.tril(np.broadcast_to(depth, (rungs, rungs)))  # row: target; column: rung on the way to it
    needed[:, :entry] = 0.0
    deepest = np.maximum.accumulate(needed[:, ::-1], axis=1)[:, ::-1]  # a stratum belongs to every rung above it
    missing = np.maximum(deepest * epoch.stratum_size - epoch.stratum_answered, 0.0)
    return np.asarray(np.tril(missing).sum(axis=1), dtype=np.float64)
