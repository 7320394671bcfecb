"""DICOM through pydicom: the first frame, its values as measured, the window it is meant to be seen through.

Only what pydicom decodes within bounds is let in: size and transfer syntax are checked before anything is unpacked.

Source: DICOM PS3.3, C.7.6.3 (pixels), C.11.1 (rescaling), C.11.2.1.2 (window); PS3.5, annex A (transfer syntaxes).
"""

from __future__ import annotations

import io
import re
from importlib.util import find_spec
from typing import Any, Final

import numpy as np

from lucida.errors import ImageError
from lucida.images.admission import Header, Limits, check_pixels, undecodable
from lucida.images.pixels import Image, Spacing

_SYNTAX: Final = re.compile(rb"\x02\x00\x10\x00UI..([0-9.]+)", re.DOTALL)
# Unpacks without a bound: a small file could fill the memory.
_DEFLATED: Final = frozenset(("1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.8.1"))
_DECODERS: Final = "pip install pylibjpeg pylibjpeg-libjpeg pylibjpeg-openjpeg"


def probe_dicom(data: bytes, limits: Limits) -> Header:
    """Return the header of a DICOM file; no pixel is decoded.

    Raises:
        ImageError: pydicom is not installed, the file holds no image, is too large or broken.
    """
    return _header(_read(data, limits), limits)


def decode_dicom(data: bytes, limits: Limits) -> Image:
    """Decode the first frame: values rescaled to what they measure, more always brighter.

    Raises:
        ImageError: As `probe_dicom`, or no installed decoder reads its compression.
    """
    dataset = _read(data, limits)
    header = _header(dataset, limits)
    pixels = _pixels(dataset)
    spacing = _spacing(dataset)
    if pixels.ndim == 3:
        return Image(_bytes(pixels), "RGB", spacing=spacing)
    low, high = _window(dataset, values := _rescaled(dataset, pixels))
    if str(dataset.get("PhotometricInterpretation", "")) == "MONOCHROME1":
        # The least value is white there: turned around within the range of the pixels.
        ends = float(values.max()) + float(values.min())
        values = (ends - values.astype(np.float64)).astype(values.dtype)
        low, high = ends - high, ends - low
    return Image(np.ascontiguousarray(values), header.mode, spacing=spacing, window=(low, high))


def _read(data: bytes, limits: Limits) -> Any:
    if find_spec("pydicom") is None:
        raise ImageError(
            'DICOM needs the package pydicom, which is not installed: pip install "camera-lucida[medical]".',
            expected="the extra 'medical'",
            got="a DICOM file",
            hint='pip install "camera-lucida[medical]"',
        )
    from pydicom import dcmread
    from pydicom.errors import InvalidDicomError

    found = _SYNTAX.search(data, 132, 132 + 4096)
    syntax = found.group(1).decode() if found else ""
    if syntax in _DEFLATED:
        raise ImageError(
            "Deflated DICOM files are not opened: a small one could fill the memory.",
            expected="any other transfer syntax",
            got=syntax,
            hint="dcmconv +te (of DCMTK) writes it without compression",
        )
    try:
        return dcmread(io.BytesIO(data))
    except InvalidDicomError as error:
        raise undecodable(error, "DICOM", data) from error


def _header(dataset: Any, limits: Limits) -> Header:
    height, width = _whole(dataset, "Rows"), _whole(dataset, "Columns")
    if not height or not width or not any(name in dataset for name in ("PixelData", "FloatPixelData")):
        raise ImageError(
            "The DICOM file holds no image.",
            expected="rows, columns and pixel data",
            got=str(getattr(dataset.get("SOPClassUID"), "name", "") or "a file without them"),
            hint="structured reports, plans and segmentations are no images: leave it out",
        )
    check_pixels(width, height, limits)
    return Header(width, height, "DICOM", _mode(dataset), 1, spacing=_spacing(dataset))


def _whole(dataset: Any, name: str) -> int:
    try:
        return int(dataset.get(name) or 0)
    except (TypeError, ValueError):
        return 0


def _mode(dataset: Any) -> str:
    """Return the mode that decoding gives; the rescaling decides as much as the stored bits."""
    if _whole(dataset, "SamplesPerPixel") == 3 or _is_palette(dataset):
        return "RGB"
    slope, intercept = _rescale(dataset)
    if not (slope.is_integer() and intercept.is_integer()) or "FloatPixelData" in dataset:
        return "F"
    if (slope, intercept) != (1.0, 0.0) or _whole(dataset, "PixelRepresentation") or _bits(dataset) > 16:
        return "I"
    return "L" if _bits(dataset) <= 8 else "I;16"


def _bits(dataset: Any) -> int:
    return _whole(dataset, "BitsAllocated") or 16


_DTYPES: Final = {"L": np.uint8, "I;16": np.uint16, "I": np.int32, "F": np.float32}


def _pixels(dataset: Any) -> np.ndarray[Any, Any]:
    """Return the first frame as stored, colours as RGB."""
    from pydicom.pixels import apply_color_lut, get_decoder, pixel_array

    syntax = dataset.file_meta.TransferSyntaxUID
    try:
        if syntax.is_encapsulated and not get_decoder(syntax).is_available:
            raise NotImplementedError
    except NotImplementedError:
        raise ImageError(
            f"The compression of this DICOM file needs a decoder that is not installed: {_DECODERS}.",
            expected="uncompressed pixels, run lengths, or a decoder for them",
            got=str(syntax.name),
            hint=_DECODERS,
        ) from None
    pixels = np.asarray(pixel_array(dataset, index=0))
    return np.asarray(apply_color_lut(pixels, dataset)) if _is_palette(dataset) else pixels


def _is_palette(dataset: Any) -> bool:
    return str(dataset.get("PhotometricInterpretation", "")) == "PALETTE COLOR"


def _bytes(pixels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    if pixels.dtype == np.uint8:
        return np.ascontiguousarray(pixels)
    return np.ascontiguousarray((pixels.astype(np.uint32) >> 8).astype(np.uint8))


def _rescale(dataset: Any) -> tuple[float, float]:
    try:
        slope, intercept = float(dataset.get("RescaleSlope") or 1), float(dataset.get("RescaleIntercept") or 0)
    except (TypeError, ValueError):
        return 1.0, 0.0
    return (slope, intercept) if np.isfinite([slope, intercept]).all() else (1.0, 0.0)


def _rescaled(dataset: Any, pixels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    slope, intercept = _rescale(dataset)
    dtype = _DTYPES[_mode(dataset)]
    if (slope, intercept) == (1.0, 0.0):
        return pixels.astype(dtype)
    values = pixels.astype(np.float64) * slope + intercept
    if dtype == np.int32:
        values = np.clip(values, np.iinfo(np.int32).min, np.iinfo(np.int32).max)
    return values.astype(dtype)


def _window(dataset: Any, values: np.ndarray[Any, Any]) -> tuple[float, float]:
    """Return what is shown black and what white: the first window of the file, else all that occurs."""
    try:
        centre, width = (
            float(value[0] if hasattr(value, "__iter__") and not isinstance(value, str) else value)
            for value in (dataset["WindowCenter"].value, dataset["WindowWidth"].value)
        )
        if width >= 1 and np.isfinite([centre, width]).all():
            return centre - 0.5 - (width - 1) / 2, centre - 0.5 + (width - 1) / 2
    except (KeyError, TypeError, ValueError, IndexError):
        pass
    return (0.0, 255.0) if values.dtype == np.uint8 else (float(values.min()), float(values.max()))


def _spacing(dataset: Any) -> Spacing | None:
    """Return the millimetres between pixels: in the patient, else at the detector, else of the scanned film."""
    for name in ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing"):
        try:
            down, across = (float(value) for value in dataset[name].value)
        except (KeyError, TypeError, ValueError):
            continue
        if down > 0 and across > 0 and np.isfinite([down, across]).all():
            return Spacing(down, across, "mm")
    return None
