"""Decoded images of a training, at the size it works with, kept in memory as far as they fit."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import PIL.Image

from lucida.errors import ImageError, InputError
from lucida.images import decode
from lucida.models.needs import in_words
from lucida.models.planes import shrink
from lucida.models.threads import available_cores
from lucida.progress import track
from lucida.train.channels import Channels, Moments

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from lucida.data import Sample, Samples
    from lucida.images import Image

MEMORY = 2 * 2**30  # bytes that decoded images of one part may take


@dataclass(frozen=True, eq=False)
class Picture:
    """One decoded image.

    Attributes:
        pixels: uint8 (height, width, 3), RGB, at the working size; or all channels in the type that the file has.
        width: Of the upright image before it was made smaller, in pixels.
        height: Likewise.
    """

    pixels: NDArray[Any]
    width: int
    height: int


class Pictures:
    """The images of some samples, made smaller until their shorter side is `edge`; never made larger.

    Args:
        samples: Whose images.
        edge: Pixels of the shorter side; 0 keeps every size.
        memory: Bytes that may be kept; where it does not suffice, images are decoded whenever they are asked for.
        what: Said beside the progress bar.
        channels: What is looked at; RGB of 8 bits by default.

    Attributes:
        skipped: Images that could not be read, and why.
        moments: Of all values, where all channels are looked at.
    """

    def __init__(
        self,
        samples: Samples,
        edge: int = 0,
        *,
        memory: int = MEMORY,
        what: str = "Reading images",
        channels: Channels | None = None,
    ) -> None:
        self._samples, self._edge, self._channels = samples, edge, channels or Channels()
        self.moments = Moments()
        self._kept: list[Picture | None] = [None] * len(samples)
        self.skipped: dict[str, str] = {}
        room = memory
        with track(what, len(samples)) as step, ThreadPoolExecutor(available_cores()) as pool:
            for start in range(0, len(samples), 256):
                rows = range(start, min(start + 256, len(samples)))
                for row, found in zip(rows, pool.map(self._tried, rows), strict=True):
                    room -= found.pixels.nbytes if found else 0
                    if found and self._channels.raw:
                        self.moments.add(found.pixels)
                    self._kept[row] = found if room > 0 else None
                    step()
        self.whole = room > 0

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, row: int) -> Picture | None:
        """Return an image; None where it cannot be read."""
        kept = self._kept[row]
        return kept if kept is not None or self.whole else self._tried(row)

    def readable(self) -> list[int]:
        """Return the rows of the images that could be read."""
        return [row for row, sample in enumerate(self._samples) if sample.name not in self.skipped]

    def _tried(self, row: int) -> Picture | None:
        sample = self._samples[row]
        try:
            return read_picture(sample, self._edge, self._channels)
        except (ImageError, InputError) as error:
            self.skipped[sample.name] = error.what
            return None


def read_picture(sample: Sample, edge: int = 0, channels: Channels | None = None) -> Picture:
    """Decode the image of a sample.

    Args:
        sample: Whose image.
        edge: Pixels of the shorter side, if it is longer; 0 keeps the size.
        channels: What is looked at; RGB of 8 bits by default.

    Raises:
        ImageError: It cannot be decoded, or has other channels.
    """
    image = decode(sample.read())
    if channels is not None and channels.raw:
        return _raw(image, edge, channels)
    height, width = image.pixels.shape[:2]
    pixels = image.rgb8()
    if edge and min(height, width) > edge:
        size = (max(1, round(width * edge / min(height, width))), max(1, round(height * edge / min(height, width))))
        # Twice the size first, by whole blocks, is several times faster and looks the same.
        picture = PIL.Image.fromarray(pixels).resize(size, PIL.Image.Resampling.BILINEAR, reducing_gap=2.0)
        pixels = np.asarray(picture)
    return Picture(np.array(pixels), width, height)


def _raw(image: Image, edge: int, channels: Channels) -> Picture:
    pixels = image.stored()
    height, width, count = pixels.shape
    wanted, found = (channels.count, channels.deep), (count, pixels.dtype.itemsize > 1)
    if wanted != found:
        raise ImageError(
            f"Others have {in_words(*wanted)}, this one has {in_words(*found)}.",
            expected=in_words(*wanted),
            got=in_words(*found),
            hint="leave it out, or --channels rgb",
        )
    if edge and min(height, width) > edge:
        scale = edge / min(height, width)
        pixels = shrink(pixels, (max(1, round(width * scale)), max(1, round(height * scale))))
    return Picture(np.array(pixels), width, height)
