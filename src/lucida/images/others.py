"""All other formats, and odd JPEGs, through Pillow; deep colour keeps its 16 bits."""

from __future__ import annotations

import io
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Final

import numpy as np
from PIL import ExifTags, ImageFile
from PIL import Image as Pillow

from lucida.errors import ImageError
from lucida.images.admission import FORMATS, Header, Limits, check_pixels, valid_orientation
from lucida.images.jpeg import dct_scale
from lucida.images.pixels import Image, upright

# Python's warning filters belong to the whole program, so only one thread at a time may change them.
_WARNING_LOCK = threading.Lock()


@contextmanager
def quiet() -> Iterator[None]:
    """Keep decoders' warnings in: our own limits decide, and an odd tag is no reason to speak."""
    with _WARNING_LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def probe_pillow(data: bytes, kind: str, limits: Limits) -> Header:
    """Return the header of an image as Pillow reads it."""
    return open_pillow(data, kind, limits)[1]


def check_pillow(data: bytes, kind: str, limits: Limits) -> Header:
    """Decode an image without keeping its pixels, and return its header."""
    opened, header = open_pillow(data, kind, limits)
    if kind == "JPEG":
        opened.draft("L", (1, 1))
    if _load(opened).mode not in _KEPT | _PLAIN.keys():
        raise _unsupported(opened.mode)
    return header


def open_pillow(data: bytes, kind: str, limits: Limits) -> tuple[ImageFile.ImageFile, Header]:
    """Open with the one decoder that the first bytes name; formats nobody asked for stay out of reach."""
    if kind == "HEIF":
        _register_heif()
    if kind not in Pillow.OPEN:
        Pillow.preinit()
    if kind not in Pillow.OPEN:
        Pillow.init()
    if kind not in Pillow.OPEN:
        raise ImageError(
            f"This Pillow cannot read {kind}.",
            expected=f"one of {', '.join(FORMATS)}",
            got=kind,
            hint="pip install --upgrade pillow, or convert the file",
        )
    with quiet():
        # Not Image.open: its limits are the program's, not ours.
        opened = Pillow.OPEN[kind][0](io.BytesIO(data), "")
        return opened, _header(opened, kind, limits)


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
    check_pixels(width, height, limits)
    # PNG's own getexif would decode the whole picture to look behind it.
    orientation = valid_orientation(Pillow.Image.getexif(opened).get(ExifTags.Base.Orientation))
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
_KEPT: Final = frozenset(("L", "LA", "RGB", "RGBA", "CMYK", "P", "I", "F", "I;16", "I;16L", "I;16B", "I;16N"))


def _raw_mode(opened: ImageFile.ImageFile) -> str:
    """Return how the first tile's bytes are laid out, as Pillow's unpackers name it."""
    args = opened.tile[0].args if getattr(opened, "tile", None) else None
    first = args[0] if isinstance(args, tuple) and args else args
    return first if isinstance(first, str) else ""


def decode_pillow(data: bytes, kind: str, cover: int | None, limits: Limits) -> Image:
    """Decode the first frame of an image, upright."""
    opened, header = open_pillow(data, kind, limits)
    if kind == "JPEG":
        eighths = dct_scale(*opened.size, cover)
        opened.draft(opened.mode, (-(-opened.size[0] * eighths // 8), -(-opened.size[1] * eighths // 8)))
    palette = None
    if header.mode in ("RGB;16", "RGBA;16", "LA;16"):
        pixels = _decode_deep(opened, data, kind, limits)
    else:
        loaded: Pillow.Image = _load(opened)
        if loaded.mode == "P":
            palette = _palette(loaded)
        elif loaded.mode in _PLAIN:
            loaded = loaded.convert(_PLAIN[loaded.mode])
        if loaded.mode not in _KEPT:
            raise _unsupported(loaded.mode)
        pixels = np.array(loaded)
        pixels = pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
    return Image(upright(pixels, 1 if kind == "TIFF" else header.orientation), header.mode, palette)


def _unsupported(mode: str) -> ImageError:
    return ImageError(
        f"Images of mode {mode!r} are not supported.",
        expected="grey, RGB, CMYK or a palette",
        got=mode,
        hint="convert the file to PNG or TIFF in RGB",
    )


def _load(opened: ImageFile.ImageFile) -> ImageFile.ImageFile:
    if Pillow.MAX_IMAGE_PIXELS is not None and opened.width * opened.height > Pillow.MAX_IMAGE_PIXELS:
        with quiet():
            opened.load()
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


def _decode_deep(opened: ImageFile.ImageFile, data: bytes, kind: str, limits: Limits) -> np.ndarray[Any, Any]:
    """Decode 16-bit colour, of which Pillow keeps only the high bytes: read once for these, once for the low."""
    if _raw_mode(opened).startswith("LA;16"):
        _relay(opened, "RGBA")
        pairs = np.array(_load(opened))
        return _joined(pairs[..., 0::2], pairs[..., 1::2])
    low, _ = open_pillow(data, kind, limits)
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
