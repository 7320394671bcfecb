"""Pixels as they are restored: grey or colour, 8 or 16 bits, transparency apart, and what stood beside them."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import Image as Pillow
from PIL import ImageCms

from lucida.errors import ImageError
from lucida.images import LIMITS, decode
from lucida.images.companions import Companions, companions
from lucida.images.others import quiet
from lucida.notes import Note

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lucida.images import Image

LARGEST: Final = 1_000_000_000  # pixels of a result: 30,000 x 30,000 and some


@dataclass(frozen=True, eq=False)
class Picture:
    """An image, upright.

    Attributes:
        colour: (height, width, 1 or 3) uint8 or uint16.
        alpha: (height, width) of the same type; None where the file has none.
        beside: What the file says beside its pixels.
        notes: What was converted, a sentence each.
    """

    colour: NDArray[Any]
    alpha: NDArray[Any] | None
    beside: Companions
    notes: tuple[Note, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.colour.shape[1], self.colour.shape[0]

    @property
    def deep(self) -> bool:
        """Whether values have 16 bits."""
        return bool(self.colour.dtype == np.uint16)


def read_picture(data: bytes) -> Picture:
    """Decode an image for restoring: the first frame of an animation.

    Raises:
        ImageError: It is damaged, too large, or has values that are not seen as grey or colour.
    """
    image, beside = decode(data), companions(data, LIMITS)
    if image.mode == "CMYK":
        colour, how = _from_cmyk(image, beside.icc)
        return Picture(colour, None, replace(beside, icc=b""), (how,))
    pixels = image.stored() if image.palette is None else image.palette[image.pixels]
    if image.window is not None or pixels.dtype not in (np.uint8, np.uint16) or pixels.shape[2] > 4:
        raise ImageError(
            "The image holds measured values, which restoring would make up.",
            expected="grey or RGB of 8 or 16 bits",
            got=f"{image.mode}, {pixels.shape[2]} channels of {pixels.dtype}",
            hint="export it as PNG or TIFF of 16 bits",
        )
    return split(pixels, beside)


def split(pixels: NDArray[Any], beside: Companions) -> Picture:
    """Return an image of 1 to 4 channels, the even ones with alpha, with its transparency apart."""
    channels = pixels.shape[2]
    alpha = pixels[..., -1] if channels in (2, 4) else None
    colour = pixels[..., :-1] if alpha is not None else pixels
    return Picture(np.ascontiguousarray(colour), None if alpha is None else np.ascontiguousarray(alpha), beside)


def joined(colour: NDArray[Any], alpha: NDArray[Any] | None) -> NDArray[Any]:
    """Return rows of colour with their transparency as the last channel."""
    return colour if alpha is None else np.concatenate([colour, alpha[..., None]], axis=2)


def over_white(colour: NDArray[Any], alpha: NDArray[Any]) -> NDArray[Any]:
    """Return rows of colour laid over white."""
    top = np.iinfo(colour.dtype).max
    share = alpha[..., None].astype(np.float32) / top
    return np.rint(colour * share + top * (1 - share)).astype(colour.dtype)


def as_bytes(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Return values of 16 bits as 8, rounded."""
    return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _from_cmyk(image: Image, icc: bytes) -> tuple[NDArray[np.uint8], Note]:
    """Return inks as colours, and how that was done."""
    if icc:
        try:
            with quiet():
                inks = Pillow.frombytes("CMYK", (image.pixels.shape[1], image.pixels.shape[0]), image.pixels.tobytes())
                profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
                seen = ImageCms.profileToProfile(inks, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
            if seen is not None:
                return np.asarray(seen), Note("cmyk_profile", "CMYK became RGB by its own profile, as sRGB.")
        except (ImageCms.PyCMSError, OSError, ValueError, ImportError):
            pass
    said = "CMYK became RGB without a profile: inks may look a little different."
    return image.rgb8(), Note("cmyk_plain", said)
