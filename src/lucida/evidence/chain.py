"""Which nested sets an epoch tries: fixed from what was seen before its first answer."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from lucida.evidence.finite import Floats, Mixture
from lucida.evidence.nested import Epoch
from lucida.evidence.order import Ints

SHARES = (0.85, 0.15)  # of the level, for epoch 1 and epoch 2
ENTRIES = ((0.3, 0.15), (0.6, 0.45), (0.9, 0.40))  # (part of the promising fraction, weight)
STEP = 1.025  # each rung is at least this much larger than the one below it
_SMALLEST_PROMISE = 0.12  # of the items: below it a set would save little
_STRENGTH = 6.0  # pseudo-counts that pull a bin's error rate towards its neighbours'


@dataclass(frozen=True)
class Chain:
    """Hold the nested sets of one epoch: `strata` (the bins each rung adds) and `weights` (its own share)."""

    strata: tuple[tuple[int, ...], ...]
    weights: tuple[float, ...]

    def stratum_of_bin(self, bins: int) -> Ints:
        """Give for each of `bins` bins the first rung that holds it (int64)."""
        table = np.full(bins, len(self.strata) - 1, dtype=np.int64)
        for rung, members in enumerate(self.strata):
            table[list(members)] = rung
        return table


def build_chain(bin_order: Ints, left: Ints, promising: float) -> Chain:
    """Fix the rungs: prefixes of `bin_order`, from 0.3 of the promising fraction up to everything.

    Args:
        bin_order: all bins, the most trusted first.
        left: items not yet looked at, per bin.
        promising: the fraction of these items that is hoped to be good enough, in (0, 1].
    """
    held = np.cumsum(left[bin_order])
    total, last = int(held[-1]), len(bin_order) - 1
    aims = [max(part * max(promising, _SMALLEST_PROMISE) * total - 1, 1) for part, _ in ENTRIES]
    entries = [min(int(np.searchsorted(held, aim)), last) for aim in aims]
    cuts = [entries[0]]
    for cut in range(entries[0] + 1, last + 1):
        if held[cut] >= STEP * held[cuts[-1]] or cut == last or cut in entries:
            cuts.append(cut)
    weights = np.zeros(len(cuts))
    for entry, (_, weight) in zip(entries, ENTRIES, strict=True):
        weights[cuts.index(entry)] += weight
    edges = [0, *(cut + 1 for cut in cuts)]
    strata = tuple(tuple(bin_order[a:b].tolist()) for a, b in pairwise(edges))
    return Chain(strata, tuple(weights.tolist()))


def start_epoch(
    chain: Chain, bins: Ints, order: Ints, *, level: float, max_error: float, mixture: Mixture, missed: float
) -> Epoch:
    """Build the evidence of a chain over the items of `order` (in review order); `bins` is of all items."""
    table = chain.stratum_of_bin(int(bins.max()) + 1)
    return Epoch(
        order,
        table[bins[order]],
        np.array(chain.weights),
        items=len(bins),
        level=level,
        max_error=max_error,
        mixture=mixture,
        missed=missed,
    )


def learned_order(drawn: Floats, errors: Floats) -> Ints:
    """Order the bins by estimated error rate, lowest first; it need not follow the score.

    A bin's rate is shrunk towards a Gaussian-kernel average of its neighbours (beta-binomial, 6
    pseudo-counts). `drawn` and `errors` are float64 per bin.
    """
    index = np.arange(len(drawn))
    overall = (errors.sum() + 0.5) / (drawn.sum() + 1)
    kernel = np.exp(-0.5 * ((index[:, None] - index[None, :]) / max(len(drawn) / 14, 1)) ** 2)
    smooth = (kernel @ errors + 0.3 * overall) / (kernel @ drawn + 0.3)
    rate = (errors + _STRENGTH * smooth) / (drawn + _STRENGTH)
    return np.argsort(rate + 1e-7 * index, kind="stable")


def is_upside_down(left: Ints, errors: Floats) -> bool:
    """Tell whether the more confident half of the items showed clearly more errors than the other half."""
    confident = np.cumsum(left) <= left.sum() / 2
    return bool(errors[confident].sum() > errors[~confident].sum() + 1)


def is_doubtful(left: Ints, errors: Ints) -> bool:
    """Tell whether the more confident half showed more errors, but too few to call the order upside down."""
    confident = np.cumsum(left) <= left.sum() / 2
    more = int(errors[confident].sum()) - int(errors[~confident].sum())
    return more == 1


def promising_by_first_error(bin_order: Ints, left: Ints, errors: Floats) -> float:
    """Give the fraction of items up to the bin of the first error seen, 1 without an error."""
    held = np.cumsum(left[bin_order])
    first = int(np.searchsorted(np.cumsum(errors[bin_order]), 1))
    return float(held[min(first, len(held) - 1)] / max(held[-1], 1))


def promising_by_rate(bin_order: Ints, left: Ints, drawn: Floats, errors: Floats, max_error: float) -> float:
    """Give the largest fraction of items whose rate seen so far is well below `max_error`."""
    held = np.cumsum(left[bin_order])
    rate = (np.cumsum(errors[bin_order]) + 0.3) / (np.cumsum(drawn[bin_order]) + 1)
    fine = np.flatnonzero(rate <= 0.6 * max_error)
    return float(held[fine[-1]] / max(held[-1], 1)) if len(fine) else 0.0
