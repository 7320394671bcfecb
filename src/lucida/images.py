"""Safe decoding of image files, and the content id that names an image by its bytes.

Size limits are checked from the header, before a pixel is allocated; truncated and corrupt files are refused.
dtype and channels stay as the file has them: what a model needs is converted where the model is, not here.
"""

from __future__ import annotations

import hashlib
import io
import os
import struct
import sys
import threading
import warnings
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np
import simplejpeg
from PIL import ExifTags, ImageFile
from PIL import Image as Pillow

from lucida.errors import ImageError

FORMATS: Final = ("JPEG", "PNG", "WebP", "GIF", "BMP", "TIFF", "AVIF", "HEIF")

# Whatever a decoder may raise on bytes that are not what they claim to be.
_DECODER_ERRORS: Final = (
    OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, EOFError, OverflowError, AttributeError,
    MemoryError, struct.error, RuntimeError, NotImplementedError, ZeroDivisionError, AssertionError,
    Pillow.DecompressionBombError,
)  # fmt: skip
# Complaints of libjpeg about files that every viewer shows whole; Pillow's decoder judges them instead.
_HARMLESS: Final = ("extraneous bytes", "Invalid SOS parameters", "subsampling level", "Unsupported color")
_BRANDS: Final = {b"avif": "AVIF", b"avis": "AVIF"} | dict.fromkeys(
    (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"), "HEIF"
)
_HINT: Final = "copy the file again from where it came from, or leave it out"


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
        format: "JPEG", "PNG", "WebP", "GIF", "BMP", "TIFF", "AVIF" or "HEIF".
        mode: Mode of `Image`, as decoding will give it.
        orientation: EXIF orientation, 1 to 8; 1 is upright.
    """

    width: int
    height: int
    format: str
    mode: str
    orientation: int


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """A decoded image, upright, as its file has it.

    Args:
        pixels: Array (height, width) or (height, width, channels); uint8, uint16, int32 or float32.
        mode: "L", "LA", "RGB", "RGBA", "CMYK" (uint8), "P" (uint8 indices into `palette`), "I;16", "LA;16",
            "RGB;16", "RGBA;16" (uint16), "I" (int32), or "F" (float32).
        palette: RGBA colours of mode "P", (256, 4) uint8; None otherwise.
    """

    pixels: np.ndarray[Any, Any]
    mode: str
    palette: np.ndarray[Any, Any] | None = None

    def rgb8(self) -> np.ndarray[Any, Any]:
        """Return the image as (height, width, 3) uint8.

        Grey is repeated, a palette is looked up, transparency is laid over white, CMYK is converted as Pillow
        does, 16 bits are divided by 257 and rounded, 32-bit integers are clipped to 16 bits first, floats are
        clipped to 0..1 (not-a-number becomes 0) and multiplied by 255.
        """
        pixels, mode = self.pixels, self.mode
        if mode == "RGB":
            return pixels
        if mode == "CMYK":
            size = (pixels.shape[1], pixels.shape[0])
            return np.array(Pillow.frombytes("CMYK", size, pixels.tobytes()).convert("RGB"))
        if mode == "P" and self.palette is not None:
            pixels = self.palette[pixels]
        elif mode == "F":
            pixels = np.rint(np.clip(np.nan_to_num(pixels, nan=0.0), 0.0, 1.0) * 255.0).astype(np.uint8)
        elif pixels.dtype != np.uint8:
            pixels = ((np.clip(pixels, 0, 65535).astype(np.uint32) + 128) // 257).astype(np.uint8)
        if pixels.ndim == 3 and pixels.shape[2] in (2, 4):
            pixels = _over_white(pixels)
        if pixels.ndim == 2 or pixels.shape[2] == 1:
            pixels = np.repeat(pixels.reshape(*pixels.shape[:2], 1), 3, axis=2)
        return np.ascontiguousarray(pixels)


def _over_white(pixels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    colour, alpha = pixels[..., :-1].astype(np.uint16), pixels[..., -1:].astype(np.uint16)
    return ((colour * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def content_id(data: bytes) -> str:
    """Return the name of an image: the SHA-256 of its bytes, 64 hexadecimal characters."""
    return hashlib.sha256(data).hexdigest()


def recognise(data: bytes) -> str | None:
    """Return the format that the first 32 bytes claim, one of `FORMATS`, or None."""
    if data[:3] == b"\xff\xd8\xff":
        return "JPEG"
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return "PNG"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return "GIF"
    if data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "TIFF"
    if data[:2] == b"BM" and data[14:15] in (b"\x0c", b"\x28", b"\x40", b"\x6c", b"\x7c"):
        return "BMP"
    return _BRANDS.get(data[8:12]) if data[4:8] == b"ftyp" else None


def probe(data: bytes, limits: Limits = Limits()) -> Header:
    """Read the header of an image, and nothing more.

    Args:
        data: The encoded file, whole or at least its header.
        limits: Bounds on pixels and bytes.

    Returns:
        Size after orientation, format and mode.

    Raises:
        ImageError: The bytes are no image that can be decoded, or it is larger than the limits.
    """
    kind = _admit(data, limits)
    if kind == "JPEG" and (quick := _jpeg_header(data)):
        _check_pixels(quick.width, quick.height, limits)
        return quick
    try:
        opened = _open(data, kind)
        return _header(opened, kind, limits)
    except _DECODER_ERRORS as error:
        raise _undecodable(error, kind, data) from error


def decode(source: bytes | str | Path, *, cover: int | None = None, limits: Limits = Limits()) -> Image:
    """Decode an image, upright, keeping dtype and channels.

    The interpreter's lock is free while pixels are decoded, so threads decode side by side.

    Args:
        source: The encoded bytes, or the path of a file.
        cover: Pixels that the shorter side must keep: a JPEG is decoded at the smallest of the scales 1, 1/2,
            1/4 and 1/8 that still does. Other formats are decoded whole.
        limits: Bounds on pixels and bytes, checked before decoding.

    Returns:
        The first frame.

    Raises:
        ImageError: The file is missing, truncated, corrupt, too large, or no image.
    """
    data = source if isinstance(source, bytes) else read(Path(source), limits)
    try:
        kind = _admit(data, limits)
        if kind == "JPEG" and (header := _jpeg_header(data)):
            _check_pixels(header.width, header.height, limits)
            quick = _decode_jpeg(data, header, cover)
            if quick is not None:
                return quick
        try:
            return _decode_pillow(data, kind, cover, limits)
        except _DECODER_ERRORS as error:
            raise _undecodable(error, kind, data) from error
    except ImageError as error:
        if isinstance(source, bytes):
            raise
        raise ImageError(f"{source}: {error.what}", expected=error.expected, got=error.got, hint=error.hint) from error


def check(data: bytes, limits: Limits = Limits()) -> Header:
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
    header = probe(data, limits)
    if header.format == "JPEG" and header.mode in ("L", "RGB"):
        try:
            simplejpeg.decode_jpeg(data, "GRAY", min_height=1, min_width=1, strict=True)
            return header
        except ValueError as error:
            if not _is_harmless(error):
                raise _undecodable(error, "JPEG", data) from error
    decode(data, cover=1, limits=limits)
    return header


def read(path: Path, limits: Limits = Limits()) -> bytes:
    """Read a regular file that begins like an image and whose size keeps the limits.

    Raises:
        ImageError: The file is missing, not readable, not a regular file, no image, or too large.
    """
    try:
        # Opening a pipe would wait for somebody to write into it.
        if not path.is_file() and path.exists():
            raise ImageError("Not a regular file.", expected="an image file", got=str(path), hint=_HINT)
        with path.open("rb") as file:
            head = file.read(32)
            if recognise(head) is None:
                raise _no_image(head, os.fstat(file.fileno()).st_size)
            _check_bytes(os.fstat(file.fileno()).st_size, limits)
            return head + file.read(limits.bytes)
    except OSError as error:
        raise ImageError(
            f"The file cannot be read: {error.strerror or error}.",
            expected="a readable image file",
            got=str(path),
            hint="check the path and its permissions",
        ) from error


def _admit(data: bytes, limits: Limits) -> str:
    """Return the format of bytes that keep the limits, as far as that is known before any parsing."""
    _check_bytes(len(data), limits)
    kind = recognise(data)
    if kind is None:
        raise _no_image(data[:32], len(data))
    if kind == "WebP" and len(data) >= 30:
        # The decoder allocates the canvas as soon as it is made.
        _check_pixels(*_webp_size(data), limits)
    return kind


def _no_image(head: bytes, size: int) -> ImageError:
    return ImageError(
        "The file is no image." if size else "The file is empty.",
        expected=f"one of {', '.join(FORMATS)}",
        got=f"{size:,} bytes that begin with {head[:8]!r}" if size else "0 bytes",
        hint="convert it to one of these formats, or leave it out",
    )


def _check_bytes(size: int, limits: Limits) -> None:
    if size > limits.bytes:
        raise ImageError(
            "The file is too large to be decoded safely.",
            expected=f"at most {limits.bytes:,} bytes",
            got=f"{size:,} bytes",
            hint="scale the image down, or leave it out",
        )


def _check_pixels(width: int, height: int, limits: Limits) -> None:
    if width * height > limits.pixels:
        raise ImageError(
            "The image has too many pixels to be decoded safely.",
            expected=f"at most {limits.pixels:,} pixels",
            got=f"{width:,} x {height:,} pixels",
            hint="scale the image down, or leave it out",
        )
    if width < 1 or height < 1:
        raise ImageError("The image has no pixels.", expected="at least 1 x 1", got=f"{width} x {height}", hint=_HINT)


def _undecodable(error: BaseException, kind: str, data: bytes) -> ImageError:
    if isinstance(error, ImageError):
        return error
    text = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    truncated = any(word in text.lower() for word in ("truncat", "premature", "not enough", "eof", "unexpected end"))
    return ImageError(
        f"The image is truncated: {text}." if truncated else f"The image cannot be decoded: {text}.",
        expected=f"a whole {kind} file",
        got=f"{len(data):,} bytes that a decoder refuses",
        hint=_HINT,
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


def _jpeg_header(data: bytes) -> Header | None:
    """Return the header of a JPEG that the fast decoder knows; None leaves it to Pillow."""
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data, strict=False)
    except ValueError:
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
                return _valid_orientation(exif.get(ExifTags.Base.Orientation))
            except _DECODER_ERRORS:
                return 1
        if marker == 0xDA or length < 2:
            return 1
        at += 2 + length
    return 1


def _valid_orientation(value: Any) -> int:
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _scale(width: int, height: int, cover: int | None) -> int:
    """Return by how much a JPEG may be divided; odd fractions are left out: they decode slower than the whole."""
    short = min(width, height)
    return next((by for by in (8, 4, 2) if cover is not None and -(-short // by) >= cover), 1)


def _is_harmless(error: ValueError) -> bool:
    return any(text in str(error) for text in _HARMLESS)


def _decode_jpeg(data: bytes, header: Header, cover: int | None) -> Image | None:
    """Decode a grey or colour JPEG with libjpeg-turbo; None leaves it to Pillow."""
    if header.mode == "CMYK":
        return None
    width, height = header.width, header.height
    if header.orientation >= 5:
        width, height = height, width
    by = _scale(width, height, cover)
    try:
        pixels = simplejpeg.decode_jpeg(
            data,
            "GRAY" if header.mode == "L" else "RGB",
            min_height=-(-height // by) if by > 1 else 0,
            min_width=-(-width // by) if by > 1 else 0,
            strict=True,
        )
    except ValueError as error:
        if _is_harmless(error):
            return None
        raise _undecodable(error, "JPEG", data) from error
    return Image(_upright(pixels[..., 0] if header.mode == "L" else pixels, header.orientation), header.mode)


def _upright(pixels: np.ndarray[Any, Any], orientation: int) -> np.ndarray[Any, Any]:
    """Turn and mirror pixels as EXIF says. Source: EXIF 2.32, tag 0x0112."""
    if orientation >= 5:
        pixels = np.swapaxes(pixels, 0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


_WARNING_LOCK = threading.Lock()


def _open(data: bytes, kind: str) -> ImageFile.ImageFile:
    """Open with the one decoder that the first bytes name; formats nobody asked for stay out of reach."""
    name = kind.upper()
    if kind == "HEIF":
        _register_heif()
    if name not in Pillow.OPEN:
        Pillow.preinit()
        if name not in Pillow.OPEN:
            Pillow.init()
    if name not in Pillow.OPEN:
        raise ImageError(f"This Pillow cannot read {kind}.", expected=f"one of {', '.join(FORMATS)}", got=kind,
                         hint="pip install --upgrade pillow, or convert the file")  # fmt: skip
    with _WARNING_LOCK, warnings.catch_warnings():
        # Our own limits decide; Pillow would warn of every scan above 89 million pixels.
        warnings.simplefilter("ignore")
        return Pillow.OPEN[name][0](io.BytesIO(data), "")


def _register_heif() -> None:
    try:
        pillow_heif: Any = import_module("pillow_heif")
    except ImportError:
        raise ImageError(
            "HEIC photos need the package pillow-heif, which is not installed.",
            expected="pillow-heif, or another format",
            got="a HEIC file",
            hint="pip install pillow-heif, or export the photos as JPEG",
        ) from None
    pillow_heif.register_heif_opener()


def _header(opened: ImageFile.ImageFile, kind: str, limits: Limits) -> Header:
    width, height = opened.size
    _check_pixels(width, height, limits)
    # PNG's own getexif would decode the whole picture to look behind it.
    orientation = _valid_orientation(Pillow.Image.getexif(opened).get(ExifTags.Base.Orientation))
    # Pillow gives the size of a TIFF, and in the end its pixels, upright already.
    if orientation >= 5 and kind != "TIFF":
        width, height = height, width
    return Header(width, height, kind, _mode(opened), orientation)


def _mode(opened: ImageFile.ImageFile) -> str:
    """Return the mode that decoding gives: deep colour keeps its 16 bits, odd modes become their plain kin."""
    raw = _raw_mode(opened)
    if raw.startswith("LA;16"):
        return "LA;16"
    if opened.mode in ("RGB", "RGBA") and raw[:-1].endswith(";16") and raw.startswith(opened.mode):
        return f"{opened.mode};16"
    if opened.mode.startswith("I;16"):
        return "I;16"
    return _PLAIN.get(opened.mode, opened.mode)


_PLAIN: Final = {"1": "L", "RGBX": "RGB", "RGBa": "RGBA", "La": "LA", "PA": "RGBA", "YCbCr": "RGB", "HSV": "RGB"}


def _raw_mode(opened: ImageFile.ImageFile) -> str:
    """Return how the first tile's bytes are laid out, as Pillow's unpackers name it."""
    args = opened.tile[0].args if getattr(opened, "tile", None) else None
    first = args[0] if isinstance(args, tuple) and args else args
    return first if isinstance(first, str) else ""


def _decode_pillow(data: bytes, kind: str, cover: int | None, limits: Limits) -> Image:
    opened = _open(data, kind)
    header = _header(opened, kind, limits)
    if kind == "JPEG" and cover is not None:
        by = _scale(*opened.size, cover)
        opened.draft(opened.mode, (-(-opened.size[0] // by), -(-opened.size[1] // by)))
    palette = None
    if header.mode in ("RGB;16", "RGBA;16", "LA;16"):
        pixels = _decode_deep(opened, data, kind)
    else:
        loaded: Pillow.Image = _load(opened)
        if loaded.mode == "P":
            palette = _palette(loaded)
        elif loaded.mode in _PLAIN:
            loaded = loaded.convert(_PLAIN[loaded.mode])
        if loaded.mode not in ("L", "LA", "RGB", "RGBA", "CMYK", "P", "I", "F", "I;16", "I;16L", "I;16B", "I;16N"):
            raise ImageError(f"Images of mode {loaded.mode!r} are not supported.", expected="grey, RGB, CMYK, palette",
                             got=loaded.mode, hint="convert the file to PNG or TIFF in RGB")  # fmt: skip
        pixels = np.array(loaded)
        pixels = pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
    orientation = 1 if kind == "TIFF" else header.orientation
    return Image(_upright(pixels, orientation), header.mode, palette)


def _load(opened: ImageFile.ImageFile) -> ImageFile.ImageFile:
    opened.load()
    return opened


def _palette(loaded: Pillow.Image) -> np.ndarray[Any, Any]:
    """Return the colours of a palette image as (256, 4) uint8, opaque black where the file has none."""
    colours = np.zeros((256, 4), np.uint8)
    colours[:, 3] = 255
    flat = np.asarray(loaded.getpalette("RGBA") or [], np.uint8).reshape(-1, 4)
    colours[: len(flat)] = flat
    transparency = loaded.info.get("transparency")
    if isinstance(transparency, int) and transparency < 256:
        colours[transparency, 3] = 0
    elif isinstance(transparency, bytes):
        colours[: len(transparency), 3] = np.frombuffer(transparency[:256], np.uint8)
    return colours


def _decode_deep(opened: ImageFile.ImageFile, data: bytes, kind: str) -> np.ndarray[Any, Any]:
    """Decode 16-bit colour, of which Pillow keeps only the high bytes: read once for these, once for the low."""
    if _raw_mode(opened).startswith("LA;16"):
        _relay(opened, "RGBA")
        pairs = np.array(_load(opened))
        return _joined(pairs[..., 0::2], pairs[..., 1::2])
    low = _open(data, kind)
    native = "L" if sys.byteorder == "little" else "B"
    order = _raw_mode(opened)[-1].replace("N", native)
    _relay(low, _raw_mode(low)[:-1] + ("L" if order == "B" else "B"))
    return _joined(np.array(_load(opened)), np.array(_load(low)))


def _joined(high: np.ndarray[Any, Any], low: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.uint16]]:
    joined: np.ndarray[Any, np.dtype[np.uint16]] = (high.astype(np.uint16) << 8) | low
    return joined


def _relay(opened: ImageFile.ImageFile, raw: str) -> None:
    """Have the tiles unpacked in another layout of the same width."""
    opened.tile = [
        tile._replace(args=(raw, *tile.args[1:]) if isinstance(tile.args, tuple) else raw) for tile in opened.tile
    ]
