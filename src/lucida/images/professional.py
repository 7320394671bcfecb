"""Images of instruments: which files go to pydicom or tifffile rather than to Pillow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final, NamedTuple, TypeVar

from lucida.images.admission import Header, Limits, undecodable
from lucida.images.others import quiet
from lucida.images.pixels import Image

Found = TypeVar("Found", Header, Image)


class Decoder(NamedTuple):
    """What reads the header of a file, and its pixels."""

    probe: Callable[[bytes, Limits], Header]
    decode: Callable[[bytes, Limits], Image]


def decoder_of(data: bytes, kind: str, limits: Limits) -> Decoder | None:
    """Return what decodes a file that Pillow does not, or not wholly; None for what is Pillow's.

    Args:
        data: The encoded file.
        kind: Its format.
        limits: Bounds on pixels and bytes.
    """
    choose = _CHOICES.get(kind)
    return choose(data, limits) if choose is not None else None


def placed(found: Found, data: bytes, kind: str) -> Found:
    """Return an image or a header that Pillow read with its spacing, where a map says it."""
    if kind != "TIFF":
        return found
    from lucida.images.geo import spacing_of

    spacing = spacing_of(data)
    return replace(found, spacing=spacing) if spacing is not None else found


def _dicom(data: bytes, limits: Limits) -> Decoder | None:
    from lucida.images.dicom import decode_dicom, probe_dicom

    return Decoder(_guarded(probe_dicom, "DICOM"), _guarded(decode_dicom, "DICOM"))


def _tiff(data: bytes, limits: Limits) -> Decoder | None:
    from lucida.images.geo import decode_tiff, is_special, probe_tiff

    return Decoder(_guarded(probe_tiff, "TIFF"), _guarded(decode_tiff, "TIFF")) if is_special(data) else None


def _guarded(work: Callable[[bytes, Limits], Found], kind: str) -> Callable[[bytes, Limits], Found]:
    """Return the same without warnings, its errors those of an image: values are read when they are first used."""

    def call(data: bytes, limits: Limits) -> Found:
        try:
            with quiet():
                return work(data, limits)
        except Exception as error:  # both libraries raise errors of their own, too
            raise undecodable(error, kind, data) from error

    return call


_CHOICES: Final[dict[str, Callable[[bytes, Limits], Decoder | None]]] = {"DICOM": _dicom, "TIFF": _tiff}
