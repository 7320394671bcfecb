"""An image as it is sent: upright, no larger than needed, and without what a camera wrote beside the pixels."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image as Pillow

from lucida.images import Image, decode, probe

SIDES = (1024, 768, 512)  # px of the longer side, tried in this order until the bytes fit
QUALITIES = (90, 80, 65)
_KEPT = (0xE0, 0xEE)  # JFIF, and Adobe's note on colours; EXIF, XMP, GPS, thumbnails and comments are left out
_BARE = {0x01, *range(0xD0, 0xD8)}  # markers without a length


def data_url(data: bytes, *, most: int, side: int = SIDES[0]) -> str:
    """Return an image as a data URL.

    A JPEG that is small enough and upright keeps its pixels as they are; all else is encoded anew.

    Args:
        data: The encoded file.
        most: Bytes that the encoded image may have.
        side: Pixels that its longer side may have; it is never enlarged.

    Raises:
        ImageError: The bytes are no image that can be decoded.
    """
    return f"data:image/jpeg;base64,{base64.b64encode(fitted(data, most=most, side=side)).decode()}"


def fitted(data: bytes, *, most: int, side: int = SIDES[0]) -> bytes:
    """Return an image as a JPEG of at most so many bytes and pixels a side, as far as quality allows.

    Raises:
        ImageError: The bytes are no image that can be decoded.
    """
    header = probe(data)
    longer = max(header.width, header.height)
    shorter = min(header.width, header.height)
    # Pixels are decoded in any case: a broken file must not be paid for.
    image = decode(data, cover=max(1, -(-shorter * side // longer)))
    if header.format == "JPEG" and header.orientation == 1 and header.mode in ("L", "RGB") and longer <= side:
        bare = without_notes(data)
        if bare is not None and len(bare) <= most:
            return bare
    return _encoded(image, most, side)


def without_notes(data: bytes) -> bytes | None:
    """Return a JPEG without metadata and without what follows it, its pixels untouched; None where it is an odd file.

    Source: ITU-T T.81, annex B.
    """
    kept, at = [data[:2]], 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker in _BARE:
            at += 2
            continue
        if marker == 0xD9:
            return b"".join([*kept, b"\xff\xd9"])
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == 0xDA:
            end = _scan_end(data, end)
        if end > len(data) or end < at + 4:
            return None
        if not (0xE0 <= marker <= 0xEF or marker == 0xFE) or marker in _KEPT:
            kept.append(data[at:end])
        at = end
    return b"".join([*kept, b"\xff\xd9"]) if data[at : at + 2] == b"\xff\xd9" else None


def _scan_end(data: bytes, at: int) -> int:
    """Return where the entropy-coded data of a scan ends: at a marker that is neither stuffing nor a restart."""
    while (at := data.find(b"\xff", at)) >= 0 and at + 1 < len(data):
        if data[at + 1] != 0 and data[at + 1] not in _BARE and data[at + 1] != 0xFF:
            return at
        at += 1 if data[at + 1] == 0xFF else 2
    return len(data) + 1


def _encoded(image: Image, most: int, side: int) -> bytes:
    pixels = Pillow.fromarray(np.asarray(image.rgb8()))
    found = b""
    for limit in (each for each in SIDES if each <= side):
        ratio = limit / max(pixels.size)
        if ratio < 1:
            size = (max(1, round(pixels.width * ratio)), max(1, round(pixels.height * ratio)))
            pixels = pixels.resize(size, Pillow.Resampling.LANCZOS)
        for quality in QUALITIES:
            buffer = io.BytesIO()
            pixels.save(buffer, "JPEG", quality=quality)
            found = buffer.getvalue()
            if len(found) <= most:
                return found
    return found
