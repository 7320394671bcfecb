"""Take out of an image file what tells more than the picture does: place, time, device, names. Pixels stay."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import Final

from PIL import Image as Pillow

from lucida.errors import ImageError
from lucida.images import recognise
from lucida.images.jpeg import jpeg_header

_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA
# Of application segments only these say how pixels are to be read: JFIF, the colour profile, Adobe's transform.
_JFIF, _ICC, _ADOBE = 0xE0, 0xE2, 0xEE
_COMMENT = 0xFE
_PNG = b"\x89PNG\r\n\x1a\n"
# Chunks that a picture needs, or that say how its colours are meant.
_PNG_KEPT: Final = frozenset(
    (b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"cHRM", b"gAMA", b"iCCP", b"sBIT", b"sRGB", b"cICP", b"bKGD",
     b"pHYs", b"acTL", b"fcTL", b"fdAT")
)  # fmt: skip
_WEBP_DROPPED: Final = frozenset((b"EXIF", b"XMP "))


def strip(data: bytes) -> bytes:
    """Return an image file without EXIF, XMP, IPTC, comments and thumbnails; pixels, orientation and colours stay.

    JPEG, PNG and WebP are not encoded again; others are written as PNG.

    Args:
        data: The encoded file.

    Raises:
        ImageError: It is no image, or is damaged.
    """
    kind = recognise(data)
    try:
        if kind == "JPEG":
            return _jpeg(data)
        if kind == "PNG":
            return _png(data)
        if kind == "WEBP":
            return _webp(data)
    except (struct.error, IndexError) as error:
        raise ImageError("The file is damaged.", expected=f"a whole {kind}", got=str(error)) from error
    from lucida.images import decode

    out = io.BytesIO()
    Pillow.fromarray(decode(data).rgb8()).save(out, "PNG")
    return out.getvalue()


def _jpeg(data: bytes) -> bytes:
    header = jpeg_header(data)
    orientation = header.orientation if header else 1
    out = bytearray(data[:2])
    if orientation != 1:
        out += _orientation(orientation)
    for marker, start, end in _segments(data):
        application = 0xE0 <= marker <= 0xEF
        kept = (
            marker == _JFIF
            or (marker == _ICC and data[start + 4 : start + 16] == b"ICC_PROFILE\0")
            or (marker == _ADOBE and data[start + 4 : start + 9] == b"Adobe")
        )
        if (not application or kept) and marker != _COMMENT:
            out += data[start:end]
    return bytes(out)


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield marker, start and end of each segment after the first; the last runs to the end of the image."""
    place = 2
    while place + 4 <= len(data):
        if data[place] != 0xFF:
            raise ImageError("The JPEG is damaged.", expected="a marker", got=hex(data[place]))
        marker = data[place + 1]
        if marker == 0xFF:  # padding
            place += 1
            continue
        if marker == _SOS:
            end = data.rfind(b"\xff\xd9") + 2  # what lies behind the end is no picture
            yield marker, place, end if end > place else len(data)
            return
        length = struct.unpack(">H", data[place + 2 : place + 4])[0]
        if length < 2 or place + 2 + length > len(data):
            raise ImageError("The JPEG is damaged.", expected="whole segments", got=f"one of {length} bytes")
        yield marker, place, place + 2 + length
        place += 2 + length


def _orientation(value: int) -> bytes:
    """Return an EXIF segment that says how the picture stands, and nothing else."""
    tiff = b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, value, 0, 0)
    body = b"Exif\0\0" + tiff
    return b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body


def _png(data: bytes) -> bytes:
    out, place = bytearray(_PNG), len(_PNG)
    while place + 12 <= len(data):
        length, name = struct.unpack(">I4s", data[place : place + 8])
        end = place + 12 + length
        if end > len(data):
            raise ImageError("The PNG is damaged.", expected="whole chunks", got=f"one of {length} bytes")
        if name in _PNG_KEPT:
            out += data[place:end]
        place = end
        if name == b"IEND":
            break
    return bytes(out)


def _webp(data: bytes) -> bytes:
    chunks, place = bytearray(), 12
    while place + 8 <= len(data):
        name, length = struct.unpack("<4sI", data[place : place + 8])
        end = place + 8 + length + length % 2
        chunk = bytearray(data[place:end])
        if name == b"VP8X" and length:
            chunk[8] &= 0xFF ^ 0x0C  # neither EXIF nor XMP any more
        if name not in _WEBP_DROPPED:
            chunks += chunk
        place = end
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WEBP" + bytes(chunks)
