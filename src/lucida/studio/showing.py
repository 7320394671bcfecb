"""How an image of any size is shown in a browser: as it is, or reduced, with the part that is looked at in full."""

from __future__ import annotations

import io
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import Image as Pillow

from lucida.errors import ImageError, InputError
from lucida.images import Limits, decode, probe
from lucida.images.companions import companions

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from lucida.studio.shelf import Kept, Shelf

# Formats that every browser of today shows, with their media types.
BROWSERS: Final = {
    "JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp", "GIF": "image/gif", "BMP": "image/bmp",
    "AVIF": "image/avif",
}  # fmt: skip
WHOLE: Final = 12_000_000  # pixels up to which a file is sent as it is
WHOLE_BYTES: Final = 48 * 2**20
SIDE: Final = 2560  # longest side of what is sent of larger ones
MOST: Final = 400_000_000  # pixels that are decoded to be shown
PARTS: Final = 200_000_000  # pixels of an image of which parts are shown
PART: Final = 40_000_000  # pixels of one part, before it is reduced
OPEN: Final = 2  # images whose pixels lie on the disk: before and after


def is_whole(kept: Kept) -> bool:
    """Tell whether a browser is given all pixels."""
    return kept.width * kept.height <= WHOLE


def picture(kept: Kept) -> tuple[bytes, str]:
    """Return an image as a browser shows it, and its media type: the file itself, a copy, or a smaller one.

    Raises:
        ImageError: It is too large even for that, or damaged.
    """
    if is_whole(kept) and kept.bytes <= WHOLE_BYTES and kept.kind in BROWSERS and kept.mode != "CMYK":
        return kept.path.read_bytes(), BROWSERS[kept.kind]
    if kept.kind != "JPEG" and kept.width * kept.height > MOST:
        # A JPEG is decoded small; all others would have to be held whole.
        raise ImageError(
            "The image is too large to be shown.",
            expected=f"at most {MOST:,} pixels",
            got=f"{kept.width:,} x {kept.height:,} pixels",
            hint="download it: it is written whole",
        )
    out, profile = io.BytesIO(), _profile(kept.path) or None
    if is_whole(kept):
        Pillow.fromarray(decode(kept.path, limits=_limits(kept)).rgb8()).save(
            out, "PNG", compress_level=1, icc_profile=profile
        )
        return out.getvalue(), "image/png"
    reduced = Pillow.fromarray(decode(kept.path, cover=SIDE, limits=_limits(kept)).rgb8())
    reduced.thumbnail((SIDE, SIDE), reducing_gap=3.0)
    reduced.save(out, "JPEG", quality=92, subsampling=0, icc_profile=profile)
    return out.getvalue(), "image/jpeg"


def thumbnail(data: bytes, side: int) -> tuple[bytes, str]:
    """Return an image no side of which is longer, and its media type; one that is small enough is the file itself.

    Raises:
        ImageError: It is damaged or too large.
    """
    header = probe(data)
    if max(header.width, header.height) <= side and header.format in BROWSERS and header.mode != "CMYK":
        return data, BROWSERS[header.format]
    reduced, out = Pillow.fromarray(decode(data, cover=side).rgb8()), io.BytesIO()
    reduced.thumbnail((side, side), reducing_gap=3.0)
    reduced.save(out, "JPEG", quality=90, subsampling=0)
    return out.getvalue(), "image/jpeg"


class Parts:
    """Shows parts of large images in full; decodes each once, and keeps its pixels on the disk.

    Args:
        shelf: Whose folder the pixels lie in.
    """

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._open: OrderedDict[str, tuple[NDArray[Any], bytes]] = OrderedDict()
        self._lock = threading.Lock()

    def part(self, kept: Kept, left: int, top: int, width: int, height: int, most: int) -> tuple[bytes, str]:
        """Return a part of an image as a PNG, and its media type.

        Args:
            kept: The image.
            left, top, width, height: Where, in its pixels; what lies outside is left out.
            most: Longest side of the answer; a larger part is reduced.

        Raises:
            InputError: The part is empty or too large.
            ImageError: The image is too large, or damaged.
        """
        right, bottom = min(left + width, kept.width), min(top + height, kept.height)
        pixels = max(0, right - left) * max(0, bottom - top)
        if not 0 < pixels <= PART or kept.width * kept.height > PARTS:
            raise InputError(
                "There is no such part to be shown.",
                expected=f"1 to {PART:,} pixels of an image of at most {PARTS:,}",
                got=f"{width:,} x {height:,} at {left:,}, {top:,} of {kept.width:,} x {kept.height:,}",
            )
        whole, profile = self._pixels(kept)
        cut = Pillow.fromarray(np.ascontiguousarray(whole[top:bottom, left:right]))
        cut.thumbnail((most, most), reducing_gap=3.0)
        out = io.BytesIO()
        cut.save(out, "PNG", compress_level=1, icc_profile=profile or None)
        return out.getvalue(), "image/png"

    def _pixels(self, kept: Kept) -> tuple[NDArray[Any], bytes]:
        with self._lock:
            if kept.token not in self._open:
                file = self._shelf.folder / f"{kept.token}.npy"
                np.save(file, decode(kept.path, limits=_limits(kept)).rgb8())
                self._open[kept.token] = np.load(file, mmap_mode="r"), _profile(kept.path)
                while len(self._open) > OPEN:
                    old, _ = self._open.popitem(last=False)
                    (self._shelf.folder / f"{old}.npy").unlink(missing_ok=True)
            self._open.move_to_end(kept.token)
            return self._open[kept.token]


def _limits(kept: Kept) -> Limits:
    # What was written here may be larger than what is taken from others.
    return Limits(pixels=max(kept.width * kept.height, 1), bytes=max(kept.bytes, 1))


def _profile(path: Path) -> bytes:
    """Return the colour profile, where it is one of RGB: the copies that are shown are RGB."""
    data = path.read_bytes()
    icc = companions(data, Limits(pixels=2**40, bytes=len(data) + 1)).icc
    return icc if icc[16:20] == b"RGB " else b""
