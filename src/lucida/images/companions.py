"""What stands beside the pixels of a file: EXIF, colour profile, resolution, and the frames of an animation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from PIL import ExifTags
from PIL import Image as Pillow

from lucida.errors import ImageError
from lucida.images.admission import DECODER_ERRORS, Limits, admit, check_pixels, undecodable
from lucida.images.others import open_pillow, quiet
from lucida.images.xmp import packet_of

ANIMATED: Final = ("GIF", "WEBP", "PNG")
# How the pixels of one certain file lie in it, what it looked like small, and where they lie on a map: of another
# file none of this is true.
_STRUCTURE: Final = frozenset((
    *range(0xFE, 0x10A), 0x10A, 0x111, 0x112, 0x115, 0x116, 0x117, 0x118, 0x119, 0x11C, 0x13D, 0x140, 0x142, 0x143,
    0x144, 0x145, 0x14A, 0x152, 0x153, 0x156, 0x15B, 0x201, 0x202, 0x211, 0x212, 0x213, 0x214, 0x2BC, 0x8773, 0x830E,
    0x8482, 0x85D8, 0x87AF, 0x87B0, 0x87B1, 0xA480, 0xA481,
))  # fmt: skip
_TURNED: Final = re.compile(rb"(tiff:Orientation(?:>|=[\"'])\s*)[2-8]")
_WIDTH, _HEIGHT = 0xA002, 0xA003


@dataclass(frozen=True)
class Companions:
    """What a file says beside its pixels.

    Attributes:
        kind: Its format, one of `FORMATS`.
        exif: Its tags without those that are true of this one file only.
        icc: Colour profile; empty where there is none.
        dpi: Pixels an inch, across and down; None where nobody says.
        xmp: XMP packet; empty where there is none.
        frames: How many; 1 of a still image.
        loop: How many times an animation is shown, 0 for ever; None where it does not say.
        lossless: Of a WebP, whether its pixels are stored exactly.
        quality: Of a JPEG, about what its encoder was asked for, 1 to 100; 0 of others.
    """

    kind: str
    exif: Pillow.Exif
    icc: bytes = b""
    dpi: tuple[float, float] | None = None
    xmp: bytes = b""
    frames: int = 1
    loop: int | None = None
    lossless: bool = False
    quality: int = 0

    def exif_for(self, width: int, height: int) -> bytes:
        """Return the EXIF of an upright copy of this size, "Exif" and two zeros first; empty where there is none."""
        if not len(self.exif):
            return b""
        inner = self.exif.get_ifd(ExifTags.IFD.Exif)
        for tag, side in ((_WIDTH, width), (_HEIGHT, height)):
            if tag in inner:
                inner[tag] = side
        try:
            return self.exif.tobytes()
        except DECODER_ERRORS:  # a tag whose type is not what it says
            return b""


class Shown(NamedTuple):
    """One frame: its pixels (height, width, 4) uint8, and milliseconds that it is shown."""

    pixels: np.ndarray[Any, Any]
    duration: float


def companions(data: bytes, limits: Limits) -> Companions:
    """Read what a file says beside its pixels; what is damaged in it is left out.

    Args:
        data: The encoded file.
        limits: Bounds on pixels and bytes.

    Raises:
        ImageError: The bytes are no image.
    """
    kind = admit(data, limits)
    try:
        opened, _ = open_pillow(data, kind, limits)
    except (ImageError, *DECODER_ERRORS):
        return Companions(kind, Pillow.Exif())
    with quiet():
        frames = int(getattr(opened, "n_frames", 1)) if kind in ANIMATED else 1
        info = opened.info
        return Companions(
            kind,
            _exif(opened),
            info.get("icc_profile") or b"",
            _dpi(info.get("dpi")),
            _xmp(data) if kind in ("JPEG", "PNG", "WEBP", "TIFF") else b"",
            frames,
            info.get("loop") if isinstance(info.get("loop"), int) else None,
            kind == "WEBP" and b"VP8L" in data[:256],
            _quality(getattr(opened, "quantization", None)) if kind == "JPEG" else 0,
        )


def frames(data: bytes, limits: Limits) -> Iterator[Shown]:
    """Yield the frames of an animation as they are shown.

    Args:
        data: A GIF, WebP or PNG file.
        limits: Bounds on pixels of one frame, and bytes.

    Raises:
        ImageError: It is damaged.
    """
    kind = admit(data, limits)
    try:
        opened, _ = open_pillow(data, kind, limits)
        check_pixels(opened.width, opened.height, limits)
        for number in range(int(getattr(opened, "n_frames", 1))):
            with quiet():
                opened.seek(number)
                pixels = np.array(opened.convert("RGBA"))
            yield Shown(pixels, float(opened.info.get("duration", 0) or 0))
    except DECODER_ERRORS as error:
        raise undecodable(error, kind, data) from error


def _exif(opened: Any) -> Pillow.Exif:
    """Return tags that stay true; of a TIFF its own are among them."""
    try:
        # PNG's own getexif would decode the whole picture to look behind it.
        exif = Pillow.Image.getexif(opened)
        kept = Pillow.Exif()
        kept.endian = "<"
        for tag, value in exif.items():
            if tag not in _STRUCTURE and tag not in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
                kept[tag] = value
        for inner in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
            tags = exif.get_ifd(inner)
            if tags:
                kept.get_ifd(inner).update(tags)
                kept[inner] = kept.get_ifd(inner)
        return kept
    except DECODER_ERRORS:
        return Pillow.Exif()


def _dpi(found: Any) -> tuple[float, float] | None:
    try:
        across, down = (float(value) for value in found)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return (across, down) if 0 < across < 1e5 and 0 < down < 1e5 else None


def _xmp(data: bytes) -> bytes:
    try:
        # Upright from now on, as pixels are.
        return _TURNED.sub(rb"\g<1>1", packet_of(data))
    except ImageError:
        return b""


def _quality(tables: Any) -> int:
    """Return about what quality the tables of a JPEG stand for. Source: libjpeg's jpeg_quality_scaling."""
    if not tables or not tables.get(0):
        return 0
    scale = 100 * float(np.mean(tables[0])) / 57.6  # mean of the standard's table, which is that of quality 50
    return int(np.clip(100 - scale / 2 if scale <= 100 else 5000 / scale, 1, 100))
