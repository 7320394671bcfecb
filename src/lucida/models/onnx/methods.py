"""How each method goes from noise to what its network draws: in steps, or at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from lucida.models.onnx import samplers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lucida.models.onnx.networks import Networks

    Count = Callable[[], None]


@dataclass(frozen=True, eq=False)
class Work:
    """A request in numbers.

    Attributes:
        steps: Of the whole way from noise.
        guidance: 1 for none.
        sampler: Its name.
        share: Where on the way from an image to noise to begin; 1 for pure noise.
        start: What to begin from, float32 (1, *shape of the card); None for noise alone.
        redraw: float32 (1, 1, height, width), 1 where is to be drawn anew; None for everywhere.
        labels: Numbers of classes, int64 (n, ways): the class, and what guidance leads away from.
    """

    steps: int
    guidance: float
    sampler: str
    share: float
    start: NDArray[np.float32] | None
    redraw: NDArray[np.float32] | None
    labels: NDArray[np.int64]

    def of(self, rows: slice) -> Work:
        """Return the work of some of its pictures."""
        return replace(self, labels=self.labels[rows])


def _flow(networks: Networks, noise: NDArray[np.float32], work: Work, count: Count) -> NDArray[np.float32]:
    def clean(x: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
        found = networks.run(x, work.labels, sigma)
        count()
        return x - sigma * _guided(found, work)

    return _in_steps(clean, noise, samplers.flow_sigmas(work.steps, work.share), samplers.keep_flow, work)


def _diffusion(networks: Networks, noise: NDArray[np.float32], work: Work, count: Count) -> NDArray[np.float32]:
    own = networks.card.sampling

    def clean(x: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
        # The preconditioning of Karras et al. 2022, table 1.
        whole = math.hypot(sigma, own.sigma_data)
        found = networks.run(x * (1 / whole), work.labels, math.log(sigma) / 4)
        count()
        return (own.sigma_data / whole) ** 2 * x + (sigma * own.sigma_data / whole) * _guided(found, work)

    sigmas = samplers.karras_sigmas(work.steps, work.share, own.sigma_least, own.sigma_most, own.rho)
    return _in_steps(clean, noise, sigmas, samplers.keep_diffusion, work)


def _gan(networks: Networks, noise: NDArray[np.float32], work: Work, count: Count) -> NDArray[np.float32]:
    found = networks.run(noise, work.labels)[:, 0]
    count()
    return found


def _vae(networks: Networks, noise: NDArray[np.float32], work: Work, count: Count) -> NDArray[np.float32]:
    count()
    if work.start is None:
        return noise
    # Of length one in all, as latents of pictures are.
    return np.asarray(math.sqrt(1 - work.share**2) * work.start + work.share * noise, np.float32)


METHODS: Final = {"flow": _flow, "diffusion": _diffusion, "gan": _gan, "vae": _vae}


def _in_steps(
    clean: samplers.Clean, noise: NDArray[np.float32], sigmas: Sequence[float], keep: samplers.Keep, work: Work
) -> NDArray[np.float32]:
    start, redraw = work.start, work.redraw

    def noisy(sigma: float) -> NDArray[np.float32]:
        return sigma * noise if start is None else keep(sigma) * start + sigma * noise

    def hold(x: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
        return x if redraw is None else redraw * x + (1 - redraw) * noisy(sigma)

    return samplers.SAMPLERS[work.sampler](clean, noisy(sigmas[0]), sigmas, keep, hold)


def _guided(found: NDArray[np.float32], work: Work) -> NDArray[np.float32]:
    return found[:, 0] if found.shape[1] == 1 else samplers.guided(found[:, 1], found[:, 0], work.guidance)
