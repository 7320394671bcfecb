"""At which precision a model that gives images runs: the fastest whose images are those of fp32, by measurement."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

import numpy as np

from lucida.models.precision import recall, remember

if TYPE_CHECKING:
    from numpy.typing import NDArray

Opened = TypeVar("Opened")

FAITHFUL: Final = 50.0  # dB to fp32: a deviation of 0.8 grey levels of 0..255
SIDE: Final = 96  # pixels of the images that are measured on
IMAGES: Final = 3
TIMES: Final = 2


class Measured(NamedTuple):
    """What a precision did: PSNR to fp32 in dB, and seconds a pass."""

    psnr: float
    seconds: float


def photos(channels: int) -> NDArray[np.float32]:
    """Make images with the spectrum of photos (power falling with the square of frequency), and some noise.

    Returns:
        float32 (n, channels, SIDE, SIDE) in 0..1.
    """
    draw = np.random.default_rng(0)
    frequency = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE)[None, :])
    frequency[0, 0] = 1 / SIDE
    waves = np.fft.irfft2(np.fft.rfft2(draw.standard_normal((IMAGES, channels, SIDE, SIDE))) / frequency, s=(SIDE,) * 2)
    waves /= waves.std(axis=(2, 3), keepdims=True)
    lit = waves * 0.2 + draw.uniform(0.2, 0.8, (IMAGES, 1, 1, 1)) + draw.normal(0, 0.02, waves.shape)
    return np.clip(lit, 0, 1).astype(np.float32)


def choose(
    open_at: Callable[[str], Opened],
    run: Callable[[Opened, NDArray[np.float32]], NDArray[np.float32]],
    able: Sequence[str],
    *,
    channels: int,
    identity: str,
) -> Opened:
    """Load a model at the fastest precision that gives the images of fp32, measured once for a machine.

    Args:
        open_at: Loads it at a precision.
        run: Returns what it makes of images.
        able: Precisions below fp32 that the machine has.
        channels: Planes that it takes.
        identity: What changes whenever model, engine or machine do.
    """
    keys = {precision: f"{identity} restores at {precision}" for precision in ("fp32", *able)}
    known = {p: Measured(*found) for p, key in keys.items() if isinstance(found := recall().get(key), list)}
    if not able:
        return open_at("fp32")
    if len(known) < len(keys):
        known, opened = _measure(open_at, run, tuple(keys), photos(channels))
        remember({keys[p]: [round(found.psnr, 2), round(found.seconds, 6)] for p, found in known.items()})
        return opened[_best(known)]
    return open_at(_best(known))


def _best(known: dict[str, Measured]) -> str:
    faithful = [p for p, found in known.items() if p == "fp32" or found.psnr >= FAITHFUL]
    return min(faithful, key=lambda p: known[p].seconds)


def _measure(
    open_at: Callable[[str], Opened],
    run: Callable[[Opened, NDArray[np.float32]], NDArray[np.float32]],
    precisions: Sequence[str],
    images: NDArray[np.float32],
) -> tuple[dict[str, Measured], dict[str, Opened]]:
    known, opened, reference = {}, {}, None
    for precision in precisions:
        session = opened[precision] = open_at(precision)
        found = run(session, images)
        reference = found if reference is None else reference
        times = []
        for _ in range(TIMES):
            # The best of a few: other work on the machine only ever adds.
            began = time.perf_counter()
            run(session, images)
            times.append(time.perf_counter() - began)
        known[precision] = Measured(psnr(found, reference), min(times))
    return known, opened


def psnr(ours: NDArray[np.float32], reference: NDArray[np.float32]) -> float:
    """Return the peak signal-to-noise ratio in dB of images in 0..1, clipped to these; 99 where they are equal."""
    error = np.clip(ours, 0, 1).astype(np.float64) - np.clip(reference, 0, 1)
    mean = float(np.mean(error**2)) if np.isfinite(error).all() else 1.0
    return min(99.0, -10 * np.log10(mean)) if mean > 0 else 99.0
