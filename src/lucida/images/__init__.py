"""Safe decoding of image files, and the content id that names an image by its bytes.

Size limits are checked from the header, before a pixel is allocated; truncated and corrupt files are refused.
dtype and channels stay as the file has them: what a model needs is converted where the model is, not here.
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import Final

import simplejpeg

from lucida.errors import ImageError
from lucida.images.admission import (
    DECODER_ERRORS,
    FORMATS,
    HINT,
    Header,
    Limits,
    admit,
    check_bytes,
    check_pixels,
    no_image,
    recognise,
    undecodable,
)
from lucida.images.jpeg import ALL, HALVES, decode_jpeg, is_harmless, jpeg_header
from lucida.images.others import check_pillow, decode_pillow, probe_pillow
from lucida.images.pixels import Image, Spacing
from lucida.images.professional import decoder_of, placed

__all__ = [
    "FORMATS",
    "LIMITS",
    "Header",
    "Image",
    "Limits",
    "Spacing",
    "check",
    "content_id",
    "decode",
    "probe",
    "read",
    "recognise",
]

LIMITS: Final = Limits()
# Most photos of a phone's screen are smaller, and then read at once.
SNIFF: Final = 256 * 2**10
# Opening a pipe must not wait for somebody to write into it.
_FLAGS: Final = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def content_id(data: bytes) -> str:
    """Return the name of an image: the SHA-256 of its bytes, 64 hexadecimal characters."""
    return hashlib.sha256(data).hexdigest()


def probe(data: bytes, limits: Limits = LIMITS) -> Header:
    """Read the header of an image, and nothing more.

    Args:
        data: The encoded file, whole or at least its header.
        limits: Bounds on pixels and bytes.

    Returns:
        Size after orientation, format and mode.

    Raises:
        ImageError: The bytes are no image that can be decoded, or it is larger than the limits.
    """
    kind = admit(data, limits)
    if kind == "JPEG" and (quick := jpeg_header(data)):
        check_pixels(quick.width, quick.height, limits)
        return quick
    if (special := decoder_of(data, kind, limits)) is not None:
        return special.probe(data, limits)
    try:
        return placed(probe_pillow(data, kind, limits), data, kind)
    except DECODER_ERRORS as error:
        raise undecodable(error, kind, data) from error


def decode(
    source: bytes | str | Path, *, cover: int | None = None, fine: bool = False, limits: Limits = LIMITS
) -> Image:
    """Decode an image, upright, keeping dtype and channels.

    The interpreter's lock is free while pixels are decoded, so threads decode side by side.

    Args:
        source: The encoded bytes, or the path of a file.
        cover: Pixels that the shorter side must keep: a JPEG is decoded at the smallest of the scales 1, 1/2,
            1/4 and 1/8 that still does. Other formats are decoded whole.
        fine: Choose among all eighths: less is left to be scaled afterwards.
        limits: Bounds on pixels and bytes, checked before decoding.

    Returns:
        The first frame.

    Raises:
        ImageError: The file is missing, truncated, corrupt, too large, or no image.
    """
    try:
        data = source if isinstance(source, bytes) else read(source, limits)
        kind = admit(data, limits)
        if kind == "JPEG" and (header := jpeg_header(data)):
            check_pixels(header.width, header.height, limits)
            quick = decode_jpeg(data, header, cover, ALL if fine else HALVES)
            if quick is not None:
                return quick
        if (special := decoder_of(data, kind, limits)) is not None:
            return special.decode(data, limits)
        try:
            return placed(decode_pillow(data, kind, cover, limits), data, kind)
        except DECODER_ERRORS as error:
            raise undecodable(error, kind, data) from error
    except ImageError as error:
        if isinstance(source, bytes):
            raise
        raise ImageError(f"{source}: {error.what}", expected=error.expected, got=error.got, hint=error.hint) from error


def check(data: bytes, limits: Limits = LIMITS) -> Header:
    """Make sure that an image can be decoded to its last byte, as cheaply as its format allows.

    A JPEG is decoded at 1/8 of its size without colour: the whole stream is read, so truncation shows.

    Args:
        data: The encoded file.
        limits: Bounds on pixels and bytes.

    Returns:
        The header.

    Raises:
        ImageError: The bytes are truncated, corrupt, too large, or no image.
    """
    kind = admit(data, limits)
    if kind == "JPEG" and (header := jpeg_header(data)) and header.mode in ("L", "RGB"):
        check_pixels(header.width, header.height, limits)
        try:
            simplejpeg.decode_jpeg(data, "GRAY", min_height=1, min_width=1, strict=True)
            return header
        except DECODER_ERRORS as error:
            if not is_harmless(error):
                raise undecodable(error, kind, data) from error
    if (special := decoder_of(data, kind, limits)) is not None:
        special.decode(data, limits)
        return special.probe(data, limits)
    try:
        return check_pillow(data, kind, limits)
    except DECODER_ERRORS as error:
        raise undecodable(error, kind, data) from error


def read(path: Path | str, limits: Limits = LIMITS) -> bytes:
    """Read a regular file that begins like an image and whose size keeps the limits.

    Raises:
        ImageError: The file is missing, not readable, not a regular file, no image, or too large.
    """
    try:
        opened = os.open(path, _FLAGS)
        try:
            return _read(opened, limits)
        finally:
            os.close(opened)
    except OSError as error:
        raise ImageError(
            f"The file cannot be read: {error.strerror or error}.",
            expected="a readable image file",
            got=str(path),
            hint="check the path and its permissions",
        ) from error


def _read(opened: int, limits: Limits) -> bytes:
    status = os.fstat(opened)
    if not stat.S_ISREG(status.st_mode):
        raise ImageError("Not a regular file.", expected="an image file", got="a folder, pipe or device", hint=HINT)
    # A video is refused by its first bytes, not read whole.
    data = os.read(opened, min(SNIFF, status.st_size + 1))
    if recognise(data) is None:
        raise no_image(data[:32], status.st_size)
    check_bytes(status.st_size, limits)
    parts = [data]
    while len(data) and sum(map(len, parts)) < status.st_size:
        data = os.read(opened, status.st_size)
        parts.append(data)
    return parts[0] if len(parts) == 1 else b"".join(parts)
