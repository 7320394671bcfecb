"""What is looked at of the images of a training: RGB of 8 bits, or all channels as the files have them."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import numpy as np

from lucida.data.sample import TRAIN, VALIDATION
from lucida.errors import ImageError, InputError, UnknownName
from lucida.images import probe
from lucida.images.spacing import usual_spacing
from lucida.models.needs import RAW, ImageNeeds, in_words
from lucida.models.threads import available_cores
from lucida.progress import track

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lucida.data import Sample, Samples
    from lucida.images import Header, Spacing
    from lucida.models.needs import Resize

Wish = Literal["auto", "rgb", "raw"]
WISHES: Final[tuple[str, ...]] = get_args(Wish)
MULTI: Final = "MULTI"
FLAT: Final = 1e-7  # share of the largest value below which a deviation is rounding


@dataclass(frozen=True)
class Channels:
    """What is looked at of images.

    Attributes:
        count: 0 for RGB of 8 bits; else so many channels, as the files have them.
        deep: Whether their values have more than 8 bits.
        spacing: How far apart pixels lie, usually; None where nobody said.
        notes: What a person should know, a sentence each.
        like: A model whose images are prepared in the same way, to the number; None to go by the images.
    """

    count: int = 0
    deep: bool = False
    spacing: Spacing | None = None
    notes: tuple[str, ...] = ()
    like: ImageNeeds | None = None

    @property
    def raw(self) -> bool:
        """Tell whether all channels are looked at."""
        return self.count > 0

    @property
    def depth(self) -> int:
        """Return how many channels the network sees."""
        return self.count or 3

    def needs(
        self, size: int, resize: Resize, usual: tuple[Sequence[float], Sequence[float]], moments: Moments | None = None
    ) -> ImageNeeds:
        """Return what the network needs of an image.

        Args:
            size: Side in pixels.
            resize: How images are brought to it.
            usual: Mean and deviation of colours on 0..1, of the network.
            moments: What the values of the training images are; looked at where all channels are.
        """
        rgb = ImageNeeds(size, resize, "bilinear", mean=tuple(usual[0]), std=tuple(usual[1]), spacing=self.spacing)
        if not self.raw:
            return rgb
        if self.like is not None:
            mean, std = self.like.mean, self.like.std
        else:
            assert moments is not None, "pictures of all channels have been measured"
            mean, std = moments.normalisation()
        return replace(rgb, channels=RAW, scale=1.0, mean=mean, std=std, deep=self.deep)


@dataclass
class Moments:
    """Number, mean, and sum of squared differences from the mean, of each channel; of finite values alone.

    Source: Chan et al. 1983, Algorithms for computing the sample variance, for putting parts together.
    """

    number: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    mean: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    squares: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))

    def add(self, pixels: NDArray[Any]) -> None:
        """Look at an image (height, width, channels)."""
        values = pixels.reshape(-1, pixels.shape[2]).astype(np.float64)
        known = np.isfinite(values)
        number = known.sum(axis=0).astype(np.float64)
        values = np.where(known, values, 0.0)
        mean = values.sum(axis=0) / np.maximum(number, 1)
        squares = (np.where(known, values - mean, 0.0) ** 2).sum(axis=0)
        if not len(self.number):
            self.number, self.mean, self.squares = number, mean, squares
            return
        total = np.maximum(self.number + number, 1)
        apart = mean - self.mean
        self.squares += squares + apart**2 * self.number * number / total
        self.mean += apart * number / total
        self.number += number

    @property
    def std(self) -> NDArray[np.float64]:
        """Return the deviation of each channel; 0 where it is always the same."""
        found = np.sqrt(self.squares / np.maximum(self.number, 1))
        return np.where(found <= FLAT * np.abs(self.mean), 0.0, found)

    def normalisation(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return means and deviations; 1 for the deviation of a channel that is always the same.

        Raises:
            InputError: No image was looked at.
        """
        if not len(self.number):
            raise InputError("There is no image to train on.", expected="a training part", got="none that can be read")
        std = self.std
        return tuple(self.mean.tolist()), tuple(np.where(std > 0, std, 1.0).tolist())

    def notes(self) -> list[str]:
        """Return a sentence on channels that say nothing, if there are any."""
        flat = [str(number + 1) for number, std in enumerate(self.std.tolist()) if std == 0]
        said = f"Channel{'s' if len(flat) > 1 else ''} {', '.join(flat)}: the same value in all training images."
        return [said] if flat else []


def look(samples: Samples, wish: str = "auto", like: ImageNeeds | None = None) -> Channels:
    """Decide what is looked at, by the headers of the images that are trained on and judged by.

    Args:
        samples: Divided into parts.
        wish: "rgb", "raw" for all channels as they are stored, or "auto": these where there are more than four, or
            values of more than 8 bits.
        like: A model whose images are to be prepared in the same way.

    Raises:
        UnknownName: No such wish.
        InputError: All channels are to be looked at, and images differ in them.
    """
    if wish not in WISHES:
        raise UnknownName("choice of channels", wish, WISHES)
    if like is not None:
        count = like.depth if like.channels == RAW else 0
        return Channels(count, like.deep, like.spacing, like=like)
    parts = [_headers(samples.of(part)) for part in (TRAIN, VALIDATION)]
    spacing = usual_spacing(header.spacing for header in parts[0])
    return replace(_decided([*parts[0], *parts[1]], wish), spacing=spacing)


def _headers(samples: Samples) -> list[Header]:
    found: list[Header] = []
    with track("Looking at images", len(samples)) as step, ThreadPoolExecutor(available_cores()) as pool:
        for header in pool.map(_header, samples.items):
            found += [header] if header is not None else []
            step()
    return found


def _header(sample: Sample) -> Header | None:
    try:
        return probe(sample.read())
    except (ImageError, InputError, OSError):
        return None  # whoever reads its pixels counts it


def _decided(headers: Sequence[Header], wish: str) -> Channels:
    kinds = Counter((header.channels, header.bits > 8) for header in headers)
    special = [header for header in headers if not _usual(header)]
    if wish == "rgb" or not headers or (wish == "auto" and not special):
        return Channels()
    if wish == "auto" and len(special) < len(headers) and not any(header.mode == MULTI for header in special):
        # Photos, some of them with more bits: these are brought to 8, as the values must mean the same everywhere.
        note = f"Images of more than 8 bits, brought to 8 as the other {len(headers) - len(special):,} have: "
        return Channels(notes=(f"{note}{len(special):,}.",))
    if len(kinds) > 1:
        raise InputError(
            "The images differ in what they store.",
            expected="as many channels in all of them, all of 8 bits or all of more",
            got=", ".join(f"{images:,} images with {in_words(*kind)}" for kind, images in kinds.most_common()),
            hint="--channels rgb brings all of them to colours of 8 bits; or leave the others out",
        )
    ((count, deep),) = kinds
    bits = Counter(header.bits for header in headers).most_common(1)[0][0]
    said = f"{bits} bits, {count} channel{'' if count == 1 else 's'}: learned from as they are stored."
    return Channels(count, deep, notes=(said,))


def _usual(header: Header) -> bool:
    """Tell whether all that an image holds is in its RGB of 8 bits."""
    return header.bits <= 8 and (header.mode != MULTI or header.channels in (1, 3))
