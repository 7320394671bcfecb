"""Samplers: from noise to a picture along the ordinary differential equation of a flow or a diffusion, in NumPy.

Both are one equation. With x = keep(sigma) data + sigma noise, and D(x, sigma) the data that the network expects in x,

    dx / dsigma = (x - D) / sigma

for a flow (keep = 1 - sigma, sigma from 1 to 0) as for a diffusion (keep = 1, sigma from sigma_most to 0). All samplers
are given D, never asked for at sigma 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    # x and sigma to what of it is expected to be data, both float32 (n, ...).
    Clean = Callable[[NDArray[np.float32], float], NDArray[np.float32]]
    # What is done to x after each step, at its new sigma: holding on to what a mask does not cover.
    After = Callable[[NDArray[np.float32], float], NDArray[np.float32]]
    Keep = Callable[[float], float]
    Sampler = Callable[[Clean, NDArray[np.float32], Sequence[float], Keep, After], NDArray[np.float32]]


def keep_flow(sigma: float) -> float:
    """Return the share of the data in a flow."""
    return 1 - sigma


def keep_diffusion(sigma: float) -> float:
    """Return the share of the data in a diffusion: all of it, whatever the noise."""
    return 1.0


def flow_sigmas(steps: int, strength: float = 1.0) -> list[float]:
    """Return the noise of each step of a flow, evenly spaced, 0 at the end.

    Args:
        steps: Of the whole way; a part of it has as many fewer.
        strength: Where to begin: 1 for pure noise, towards 0 for what is nearly the image.
    """
    return [float(sigma) for sigma in np.linspace(strength, 0, taken(steps, strength) + 1)]


def karras_sigmas(steps: int, strength: float, least: float, most: float, rho: float) -> list[float]:
    """Return the noise of each step of a diffusion, closer the less there is, 0 at the end.

    Args:
        steps: Of the whole way; a part of it has as many fewer.
        strength: Where to begin: 1 for `most`.
        least: The last noise before 0.
        most: The first noise of the whole way.
        rho: How much closer; 7 is usual.

    Source: Karras et al. 2022, equation 5.
    """
    ramp = np.linspace(1 - strength, 1, max(2, taken(steps, strength)))[: taken(steps, strength)]
    roots = most ** (1 / rho) + ramp * (least ** (1 / rho) - most ** (1 / rho))
    return [*(float(sigma) for sigma in roots**rho), 0.0]


def taken(steps: int, strength: float) -> int:
    """Return how many steps a part of the way has."""
    return max(1, math.ceil(steps * strength - 1e-9))


def euler(
    clean: Clean, x: NDArray[np.float32], sigmas: Sequence[float], keep: Keep, after: After
) -> NDArray[np.float32]:
    """Follow the tangent at each step."""
    for now, then in pairwise(sigmas):
        x = after(x + (then - now) * ((x - clean(x, now)) / now), then)
    return x


def heun(
    clean: Clean, x: NDArray[np.float32], sigmas: Sequence[float], keep: Keep, after: After
) -> NDArray[np.float32]:
    """Follow the mean of the tangents at both ends of each step, but for the last.

    Source: Karras et al. 2022, algorithm 1 (without noise between).
    """
    for now, then in pairwise(sigmas):
        slope = (x - clean(x, now)) / now
        tried = x + (then - now) * slope
        if then > 0:
            slope = (slope + (tried - clean(tried, then)) / then) / 2
            tried = x + (then - now) * slope
        x = after(tried, then)
    return x


def dpm(clean: Clean, x: NDArray[np.float32], sigmas: Sequence[float], keep: Keep, after: After) -> NDArray[np.float32]:
    """Follow the line through what was expected in this step and the one before, exactly in all else: DPM-Solver++(2M).

    The first and the last step are of first order: before the one nothing is known, and the other is infinitely long
    in the logarithm of the signal-to-noise ratio.

    Source: Lu et al. 2022, DPM-Solver++, algorithm 2.
    """
    before: NDArray[np.float32] | None = None
    length = math.inf
    for now, then in pairwise(sigmas):
        expected = data = clean(x, now)
        step = _log_snr(then, keep) - _log_snr(now, keep)
        if before is not None and then > 0 and math.isfinite(length):
            data = expected + (step / (2 * length)) * (expected - before)
        shrunk = then / now
        x = after(shrunk * x + (keep(then) - shrunk * keep(now)) * data, then)
        before, length = expected, step
    return x


SAMPLERS: Final[dict[str, Sampler]] = {"euler": euler, "heun": heun, "dpm++": dpm}


def calls(sampler: str, steps: int) -> int:
    """Return how often a sampler asks for the expected data."""
    return 2 * steps - 1 if sampler == "heun" else steps


def guided(without: NDArray[np.float32], with_: NDArray[np.float32], guidance: float) -> NDArray[np.float32]:
    """Return what is expected with a class, moved away from what is expected without it.

    Source: Ho and Salimans 2021, Classifier-Free Diffusion Guidance, in the usual convention: 1 is none.
    """
    return without + guidance * (with_ - without)


def _log_snr(sigma: float, keep: Keep) -> float:
    if sigma <= 0 or keep(sigma) <= 0:
        return math.inf if sigma <= 0 else -math.inf
    return math.log(keep(sigma) / sigma)
