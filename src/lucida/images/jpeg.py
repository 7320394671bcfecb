"""JPEG through libjpeg-turbo, at the smallest scale that serves.

On photos of 500 x 375 this is 1.3 times as fast as Pillow whole and 1.2 times at 1/4; on small ones, whose time Pillow
spends around the decoder, 1.7 times. The pixels are the same.
"""

from __future__ import annotations

from typing import Final

import simplejpeg
from PIL import ExifTags
from PIL import Image as Pillow

from lucida.images.admission import DECODER_ERRORS, Header, undecodable, valid_orientation
from lucida.images.pixels import Image, upright

# Complaints of libjpeg about files that every viewer shows whole; Pillow's decoder judges them instead.
_HARMLESS: Final = ("extraneous bytes", "Invalid SOS parameters", "subsampling level", "Unsupported color")


def jpeg_header(data: bytes) -> Header | None:
    """Return the header of a JPEG that the fast decoder knows; None leaves it to Pillow."""
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data, strict=False)
    except DECODER_ERRORS:
        return None
    orientation = _jpeg_orientation(data)
    if orientation >= 5:
        width, height = height, width
    mode = {"Gray": "L", "CMYK": "CMYK", "YCCK": "CMYK"}.get(colours, "RGB")
    return Header(width, height, "JPEG", mode, orientation)


def _jpeg_orientation(data: bytes) -> int:
    """Return the orientation of the first EXIF segment before the picture, or 1."""
    if data.find(b"Exif\0\0", 0, 2**18) < 0:
        return 1
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == 0xE1 and data[at + 4 : at + 10] == b"Exif\0\0":
            exif = Pillow.Exif()
            try:
                exif.load(data[at + 4 : at + 2 + length])
                return valid_orientation(exif.get(ExifTags.Base.Orientation))
            except DECODER_ERRORS:
                return 1
        if marker == 0xDA or length < 2:
            return 1
        at += 2 + length
    return 1


def dct_scale(width: int, height: int, cover: int | None) -> int:
    """Return by how much a JPEG may be divided; odd fractions are left out: they decode slower than the whole."""
    short = min(width, height)
    return next((by for by in (8, 4, 2) if cover is not None and -(-short // by) >= cover), 1)


def is_harmless(error: BaseException) -> bool:
    return any(text in str(error) for text in _HARMLESS)


def decode_jpeg(data: bytes, header: Header, cover: int | None) -> Image | None:
    """Decode a grey or colour JPEG with libjpeg-turbo; None leaves it to Pillow."""
    if header.mode == "CMYK":
        return None
    width, height = header.width, header.height
    if header.orientation >= 5:
        width, height = height, width
    by = dct_scale(width, height, cover)
    try:
        pixels = simplejpeg.decode_jpeg(
            data,
            "GRAY" if header.mode == "L" else "RGB",
            min_height=-(-height // by) if by > 1 else 0,
            min_width=-(-width // by) if by > 1 else 0,
            strict=True,
        )
    except DECODER_ERRORS as error:
        if is_harmless(error):
            return None
        raise undecodable(error, "JPEG", data) from error
    return Image(upright(pixels[..., 0] if header.mode == "L" else pixels, header.orientation), header.mode)
