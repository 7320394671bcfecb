"""TIFF of satellites and microscopes through tifffile: many channels, deep values, metres between pixels.

Ordinary TIFF stays with Pillow. The first page counts.

Source: TIFF 6.0; OGC GeoTIFF 1.1, 7.1.1 (model types) and annex B (ModelPixelScale).
"""

from __future__ import annotations

import io
import logging
import struct
import zlib
from dataclasses import replace
from importlib.util import find_spec
from typing import Any, Final

import numpy as np

from lucida.errors import ImageError
from lucida.images.admission import Header, Limits, check_pixels, undecodable
from lucida.images.pixels import Image, Spacing

# Tags of the first page that decide who reads it.
_SAMPLES, _FORMAT, _BITS, _EXTRA, _PHOTOMETRIC = 277, 339, 258, 338, 262
_SCALE, _KEYS, _MODEL = 33550, 34735, 1024  # pixels on the ground; GeoKeys, of which one says what map it is
_SIZES: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 16: 8, 17: 8, 18: 8}
_CODES: Final = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 11: "f", 12: "d", 16: "Q"}
# Bytes of decoded values, at most, for each pixel that the limits allow: as deep as RGBA of 16 bits.
_BYTES_A_PIXEL: Final = 8
# What tifffile unpacks by itself, and what can be bounded beforehand.
_PLAIN: Final = frozenset((1, 32773))
_DEFLATE: Final = frozenset((8, 32946))
_KEPT: Final = {"uint8": "L", "uint16": "I;16", "int32": "I", "float32": "F"}
_WIDER: Final = {"int8": "int32", "int16": "int32", "uint32": "float32", "float16": "float32", "float64": "float32"}


def is_special(data: bytes) -> bool:
    """Tell whether the first page holds what Pillow cannot keep, as far as what is installed can keep it.

    Many channels are never Pillow's. What Pillow reads in part, such as a fourth channel beside RGB or signed values,
    is left to it where tifffile is not installed.
    """
    try:
        tags = _tags(data)
    except (struct.error, IndexError, ValueError, OverflowError):
        return False  # Pillow says what is wrong with it
    samples, bits = tags.get(_SAMPLES, (1,))[0], tags.get(_BITS, (1,))[0]
    formats, photometric = set(tags.get(_FORMAT, (1,))), tags.get(_PHOTOMETRIC, (1,))[0]
    if (
        samples > 4
        or (samples == 2 and bits > 8)
        or (samples > 1 and formats != {1})
        or (samples in (3, 4) and photometric in (0, 1))
    ):
        return True
    # A fourth channel of unspecified meaning is no transparency: near infrared, as a rule.
    meant = tags.get(_EXTRA, (0,))[0] != 0
    infrared = (samples == 4 and photometric == 2 and not meant) or (samples == 2 and not meant)
    odd = samples == 1 and ((formats == {2} and bits != 32) or (formats == {3} and bits != 32) or bits == 64)
    odd = odd or (samples == 1 and formats == {1} and bits == 32)
    return (infrared or odd) and find_spec("tifffile") is not None


def spacing_of(data: bytes) -> Spacing | None:
    """Return the distance of pixels on the ground, of a GeoTIFF: in metres of a projection, else in degrees."""
    try:
        tags = _tags(data)
    except (struct.error, IndexError, ValueError, OverflowError):
        return None
    across, down = (*tags.get(_SCALE, ()), 0, 0)[:2]
    keys = tags.get(_KEYS, ())
    entries = {keys[at]: keys[at + 3] for at in range(4, len(keys) - 3, 4)}
    known = across > 0 and down > 0 and bool(np.isfinite([across, down]).all())
    return Spacing(float(down), float(across), "degree" if entries.get(_MODEL) == 2 else "m") if known else None


def _tags(data: bytes) -> dict[int, tuple[Any, ...]]:
    """Return the numbers of the tags of the first page, at most 64 each; of classic and of big TIFF."""
    order = "<" if data[:2] == b"II" else ">"
    big = struct.unpack_from(f"{order}H", data, 2)[0] == 43
    start, count_code, entry, inline = (8, "Q", 20, 8) if big else (4, "H", 12, 4)
    offset_code = "Q" if big else "I"
    at = struct.unpack_from(order + offset_code, data, start)[0]
    count = struct.unpack_from(order + count_code, data, at)[0]
    at += struct.calcsize(order + count_code)
    found: dict[int, tuple[Any, ...]] = {}
    for number in range(min(count, 512)):
        tag, kind, values = struct.unpack_from(f"{order}HH{offset_code}", data, at + number * entry)
        place = at + number * entry + 4 + inline
        if kind not in _CODES:
            continue
        if _SIZES[kind] * values > inline:
            place = struct.unpack_from(order + offset_code, data, place)[0]
        found[tag] = struct.unpack_from(f"{order}{min(values, 64)}{_CODES[kind]}", data, place) or (0,)
    return found


def probe_tiff(data: bytes, limits: Limits) -> Header:
    """Return the header of such a TIFF; no pixel is decoded.

    Raises:
        ImageError: tifffile is not installed, or the file is too large or broken.
    """
    with _opened(data) as opened:
        return replace(_header(opened.pages[0], limits), spacing=spacing_of(data))


def decode_tiff(data: bytes, limits: Limits) -> Image:
    """Decode the first page of such a TIFF; channels come last, types that nobody computes with become wider.

    Raises:
        ImageError: As `probe_tiff`, or its compression needs a package that is not installed.
    """
    with _opened(data) as opened:
        page = opened.pages[0]
        header = _header(page, limits)
        _check_compression(page, data)
        values = np.asarray(page.asarray())
    if page.planarconfig == 2 and values.ndim == 3:
        values = np.moveaxis(values, 0, -1)
    if values.dtype == np.bool_:
        values = values.astype(np.uint8) * 255
    with np.errstate(over="ignore", invalid="ignore"):  # a double beyond a float is infinite, as it is drawn
        values = values.astype(_WIDER.get(values.dtype.name, values.dtype.newbyteorder("=")))
    values = values.reshape(header.height, header.width, -1)
    single = header.mode != "MULTI" and header.mode[:3] != "RGB"
    pixels = np.ascontiguousarray(values[..., 0] if single else values)
    return Image(pixels, header.mode, spacing=spacing_of(data), window=_window(pixels, header.mode))


def _window(pixels: np.ndarray[Any, Any], mode: str) -> tuple[float, float] | None:
    """Return what is shown black and white of one deep channel: heights and counts have no white of their own."""
    if mode not in ("I", "F", "I;16"):
        return None
    known = pixels[np.isfinite(pixels)]
    low, high = np.percentile(known[:: max(1, known.size // 2**18)], (2, 98)).tolist() if known.size else (0.0, 1.0)
    return (low, high) if high > low else (low, low + 1.0)


def _opened(data: bytes) -> Any:
    if find_spec("tifffile") is None:
        raise ImageError(
            'This TIFF needs the package tifffile, which is not installed: pip install "camera-lucida[geo]".',
            expected="the extra 'geo', or grey or RGB of 8 or 16 bits",
            got="a TIFF of many channels, of other types or of a map",
            hint='pip install "camera-lucida[geo]"',
        )
    import tifffile

    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # an odd tag is no reason to speak
    try:
        opened = tifffile.TiffFile(io.BytesIO(data))
        opened.pages[0]
    except tifffile.TiffFileError as error:
        raise undecodable(error, "TIFF", data) from error
    return opened


def _header(page: Any, limits: Limits) -> Header:
    width, height, samples = int(page.imagewidth), int(page.imagelength), int(page.samplesperpixel)
    check_pixels(width, height, limits)
    # A pixel of many channels takes the memory of several.
    size = width * height * samples * (np.dtype(page.dtype).itemsize if page.dtype is not None else 1)
    if page.dtype is None or np.dtype(page.dtype).kind not in "buif":
        raise ImageError(
            "The TIFF holds values of an unknown type.", expected="integers or floats", got=str(page.dtype)
        )
    check_pixels(-(-size // _BYTES_A_PIXEL), 1, limits)
    mode = _mode(page, samples)
    bits = 8 * np.dtype(_stored(page)).itemsize
    return Header(width, height, "TIFF", mode, 1, *((samples, bits) if mode == "MULTI" else ()))


def _stored(page: Any) -> str:
    """Return the type that values are decoded to."""
    name = np.dtype(page.dtype).name
    return "uint8" if name == "bool" else _WIDER.get(name, name)


def _mode(page: Any, samples: int) -> str:
    name = _stored(page)
    if samples == 1:
        return _KEPT.get(name, "F")
    if samples == 3 and int(page.photometric) == 2 and name in ("uint8", "uint16"):
        return "RGB" if name == "uint8" else "RGB;16"
    return "MULTI"


def _check_compression(page: Any, data: bytes) -> None:
    """Refuse what would unpack to more than the page holds, before it is unpacked."""
    code = int(page.compression)
    if code in _PLAIN or (code not in _DEFLATE and find_spec("imagecodecs") is not None):
        return
    if code not in _DEFLATE:
        raise ImageError(
            "This TIFF's compression needs the package imagecodecs, which is not installed: pip install imagecodecs.",
            expected="no compression, deflate or packbits",
            got=str(getattr(page.compression, "name", code)),
            hint="pip install imagecodecs, or gdal_translate -co COMPRESS=DEFLATE",
        )
    most = int(np.prod(page.chunks, dtype=np.int64)) * np.dtype(page.dtype).itemsize
    for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True):
        unpacked = zlib.decompressobj()
        unpacked.decompress(data[offset : offset + count], most + 1)
        if unpacked.unconsumed_tail:
            raise ImageError(
                "The TIFF unpacks to more than its header says.",
                expected=f"at most {most:,} bytes a tile",
                got="more",
                hint="copy the file again from where it came from, or leave it out",
            )
