"""How good images are made worse: the published bicubic way, the way of phone photos, and plain noise.

Source: Zhang et al. 2021, Designing a practical degradation model (BSRGAN), for the real-world order of things.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import PIL.Image
import simplejpeg
from scipy import ndimage

from lucida.images.bicubic import resize

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Degradation = Callable[["NDArray[np.uint8]", int, np.random.Generator], "NDArray[np.uint8]"]

NOISIEST: Final = 75.0  # standard deviation in grey levels that denoisers learn up to
GREY: Final = (0.299, 0.587, 0.114)  # luma of BT.601


@dataclass(frozen=True)
class Real:
    """How often, and how much, photos are made worse; ranges are drawn from evenly.

    Attributes:
        blurred: Share of images that are blurred, before they are made smaller.
        blur: Standard deviations in pixels of the small image.
        twice: Share that was saved with losses before.
        noisy: Share with noise of the sensor.
        noise: Largest standard deviation in grey levels.
        saved: Share that is saved as JPEG at the end.
        quality: Of it.
    """

    blurred: float = 0.7
    blur: tuple[float, float] = (0.05, 0.5)
    twice: float = 0.2
    noisy: float = 0.6
    noise: float = 14.0
    saved: float = 0.75
    quality: tuple[int, int] = (30, 95)


def bicubic(pixels: NDArray[np.uint8], scale: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """Return an image made smaller as the benchmarks do."""
    return resize(pixels, 1 / scale)


def real(
    pixels: NDArray[np.uint8], scale: int, random: np.random.Generator, how: Real | None = None
) -> NDArray[np.uint8]:
    """Return an image made smaller, blurred, noisy and saved with losses, by chance.

    Args:
        pixels: uint8 (height, width, 3), sides multiples of the scale.
        scale: Factor that it becomes smaller by.
        random: Chance.
        how: How often and how much.
    """
    how = how or Real()
    found = pixels.astype(np.float32)
    if random.random() < how.blurred:
        found = _blurred(found, scale, how, random)
    if random.random() < how.twice:
        found = _saved(_noisy(found, how.noise, random), (50, 95), random)
    found = _smaller(found, scale, random)
    if random.random() < how.noisy:
        found = _noisy(found, how.noise, random)
    if random.random() < how.saved:
        found = _saved(found, how.quality, random)
    return _rounded(found)


DEGRADATIONS: Final[dict[str, Degradation]] = {"bicubic": bicubic, "real": real}


def with_noise(
    pixels: NDArray[np.uint8], random: np.random.Generator, sigma: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return an image with Gaussian noise, and without: more often in grey than in colour, since colour is easier.

    Args:
        pixels: uint8 (height, width, 3).
        random: Chance.
        sigma: Standard deviation in grey levels.

    Returns:
        Two float32 (height, width, 3) on 0..1, not cut; three equal channels for grey.
    """
    clean = pixels.astype(np.float32)
    grey = random.random() < 0.6
    if grey:
        clean = np.repeat(np.rint(clean @ np.asarray(GREY, np.float32))[..., None], 3, axis=2)
    noise = random.standard_normal((*clean.shape[:2], 1 if grey else 3), dtype=np.float32)
    return ((clean + sigma * noise) / 255).astype(np.float32), (clean / 255).astype(np.float32)


def _blurred(found: NDArray[Any], scale: int, how: Real, random: np.random.Generator) -> NDArray[Any]:
    """Blur with a Gaussian, round or long in any direction."""
    first, second = random.uniform(how.blur[0] * scale, how.blur[1] * scale, 2)
    if random.random() < 0.6:
        return np.asarray(ndimage.gaussian_filter(found, (first, first, 0), mode="mirror"))
    turn, reach = random.uniform(0, np.pi), int(np.ceil(3 * max(first, second)))
    down, across = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    along = across * np.cos(turn) + down * np.sin(turn)
    aside = down * np.cos(turn) - across * np.sin(turn)
    kernel = np.exp(-0.5 * ((along / first) ** 2 + (aside / second) ** 2)).astype(np.float32)
    return np.asarray(ndimage.convolve(found, (kernel / kernel.sum())[..., None], mode="mirror"))


def _smaller(found: NDArray[Any], scale: int, random: np.random.Generator) -> NDArray[Any]:
    """Make smaller as one program or another does."""
    height, width, depth = (found.shape[0] // scale, found.shape[1] // scale, found.shape[2])
    way = random.integers(3)
    if way == 0:
        return resize(found, 1 / scale)
    if way == 1:
        return np.asarray(found.reshape(height, scale, width, scale, depth).mean(axis=(1, 3)))
    small = PIL.Image.fromarray(_rounded(found)).resize((width, height), PIL.Image.Resampling.BILINEAR)
    return np.asarray(small, np.float32)


def _noisy(found: NDArray[Any], most: float, random: np.random.Generator) -> NDArray[Any]:
    """Add noise, weak more often than strong: of one colour or of three, even or of light, fine or smeared."""
    noise = random.standard_normal((*found.shape[:2], 1 if random.random() < 0.4 else 3), dtype=np.float32)
    noise = np.broadcast_to(noise * random.uniform(0, most) * random.random(), found.shape)
    if random.random() < 0.5:
        noise = noise * np.sqrt(np.clip(found, 8, 255) / 128)
    if random.random() < 0.3:
        spread = random.uniform(0.3, 0.8)
        noise = ndimage.gaussian_filter(noise, (spread, spread, 0))
    return np.asarray(found + noise, np.float32)


def _saved(found: NDArray[Any], quality: tuple[int, int], random: np.random.Generator) -> NDArray[Any]:
    """Save as JPEG, and read again."""
    colours = "420" if random.random() < 0.8 else "444"
    level = int(random.integers(quality[0], quality[1], endpoint=True))
    data = simplejpeg.encode_jpeg(np.ascontiguousarray(_rounded(found)), quality=level, colorsubsampling=colours)
    return np.asarray(simplejpeg.decode_jpeg(data), np.float32)


def _rounded(found: NDArray[Any]) -> NDArray[np.uint8]:
    return np.clip(np.floor(found + 0.5), 0, 255).astype(np.uint8)
