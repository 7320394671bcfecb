"""Which bytes are let in: formats by their first bytes, and limits from the header alone."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, Final

from PIL import Image as Pillow

from lucida.errors import ImageError
from lucida.images.pixels import MODES, Spacing

FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF", "DICOM")

# Whatever a decoder may raise on bytes that are not what they claim to be.
DECODER_ERRORS: Final = (
    OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, EOFError, OverflowError, AttributeError,
    MemoryError, struct.error, RuntimeError, NotImplementedError, ZeroDivisionError, AssertionError,
    Pillow.DecompressionBombError,
)  # fmt: skip
_BRANDS: Final = {b"avif": "AVIF", b"avis": "AVIF"} | dict.fromkeys(
    (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"), "HEIF"
)
HINT: Final = "copy the file again from where it came from, or leave it out"


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds that a file must keep to be decoded at all.

    Args:
        pixels: Width times height, at most.
        bytes: Size of the encoded file, at most.
    """

    pixels: int = 200_000_000
    bytes: int = 512 * 2**20


@dataclass(frozen=True, slots=True)
class Header:
    """What the header of an image file says.

    Args:
        width: Pixels across, after the EXIF orientation is applied.
        height: Pixels down, after the EXIF orientation is applied.
        format: One of `FORMATS`.
        mode: Mode of `Image`, as decoding will give it.
        orientation: EXIF orientation, 1 to 8; 1 is upright.
        channels: How many, of a palette those of its colours; 0 for as many as the mode has.
        bits: Of a value; 0 for as many as the mode has.
        spacing: How far apart the pixels lie, where the file says.
    """

    width: int
    height: int
    format: str
    mode: str
    orientation: int
    channels: int = 0
    bits: int = 0
    spacing: Spacing | None = None

    def __post_init__(self) -> None:
        for name, value in zip(("channels", "bits"), MODES.get(self.mode, (0, 0)), strict=True):
            if not getattr(self, name):
                object.__setattr__(self, name, value)


def recognise(data: bytes) -> str | None:
    """Return the format that the first 132 bytes claim, one of `FORMATS`, or None."""
    if data[:3] == b"\xff\xd8\xff":
        return "JPEG"
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return "PNG"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return "GIF"
    if data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "TIFF"
    if data[:2] == b"BM" and data[14:15] in (b"\x0c", b"\x28", b"\x40", b"\x6c", b"\x7c"):
        return "BMP"
    # What stands before it is anybody's, so it comes last.
    return _BRANDS.get(data[8:12]) if data[4:8] == b"ftyp" else "DICOM" if data[128:132] == b"DICM" else None


def admit(data: bytes, limits: Limits) -> str:
    """Return the format of bytes that keep the limits, as far as that is known before any parsing."""
    check_bytes(len(data), limits)
    kind = recognise(data)
    if kind is None:
        raise no_image(data[:32], len(data))
    if kind == "WEBP" and len(data) >= 30:
        # The decoder allocates the canvas as soon as it is made.
        check_pixels(*_webp_size(data), limits)
    return kind


def no_image(head: bytes, size: int) -> ImageError:
    return ImageError(
        "The file is no image." if size else "The file is empty.",
        expected=f"one of {', '.join(FORMATS)}",
        got=f"{size:,} bytes that begin with {head[:8]!r}" if size else "0 bytes",
        hint="convert it to one of these formats, or leave it out",
    )


def check_bytes(size: int, limits: Limits) -> None:
    if size > limits.bytes:
        raise ImageError(
            "The file is too large to be decoded safely.",
            expected=f"at most {limits.bytes:,} bytes",
            got=f"{size:,} bytes",
            hint="scale the image down, or leave it out",
        )


def check_pixels(width: int, height: int, limits: Limits) -> None:
    if width * height > limits.pixels:
        raise ImageError(
            "The image has too many pixels to be decoded safely.",
            expected=f"at most {limits.pixels:,} pixels",
            got=f"{width:,} x {height:,} pixels",
            hint="scale the image down, or leave it out",
        )
    if width < 1 or height < 1:
        raise ImageError("The image has no pixels.", expected="at least 1 x 1", got=f"{width} x {height}", hint=HINT)


def undecodable(error: BaseException, kind: str, data: bytes) -> ImageError:
    if isinstance(error, ImageError):
        return error
    text = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    truncated = any(word in text.lower() for word in ("truncat", "premature", "not enough", "eof", "unexpected end"))
    return ImageError(
        f"The image is truncated: {text}." if truncated else f"The image cannot be decoded: {text}.",
        expected=f"a whole {kind} file",
        got=f"{len(data):,} bytes that a decoder refuses",
        hint=HINT,
    )


def _webp_size(data: bytes) -> tuple[int, int]:
    """Source: RFC 9649, sections 2.5 to 2.7."""
    chunk = data[12:16]
    if chunk == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if chunk == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + ((bits >> 14) & 0x3FFF)
    width, height = struct.unpack("<HH", data[26:30])
    return width & 0x3FFF, height & 0x3FFF


def valid_orientation(value: Any) -> int:
    return value if isinstance(value, int) and 1 <= value <= 8 else 1
