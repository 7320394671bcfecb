"""TIFF written strip by strip, 8 or 16 bits, deflated: an image of any size needs the memory of a few rows.

Source: TIFF 6.0 (Adobe 1992); its supplement on deflate and predictors (2002); Exif 2.32.
"""

from __future__ import annotations

import struct
import zlib
from typing import IO, TYPE_CHECKING, Any, Final

import numpy as np

from lucida.errors import ImageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

LARGEST: Final = 2**32 - 2**24  # bytes: its offsets have 32 bits
LEVEL: Final = 4
STRIP: Final = 64  # rows
_SHORT, _LONG, _RATIONAL, _UNDEFINED, _BYTE = 3, 4, 5, 7, 1
_SIZES: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}


class TiffWriter:
    """Writes an image as its rows come; arguments as of `PngWriter`.

    The file begins with the EXIF block, which is a small TIFF of its own: what its tags point at stays where it is.
    """

    def __init__(
        self,
        file: IO[bytes],
        width: int,
        height: int,
        channels: int,
        *,
        deep: bool = False,
        exif: bytes = b"",
        icc: bytes = b"",
        xmp: bytes = b"",
        dpi: tuple[float, float] | None = None,
    ) -> None:
        self._file, self._width, self._height, self._channels, self._deep = file, width, height, channels, deep
        self._icc, self._xmp, self._dpi = icc, xmp, dpi
        self._waiting = np.empty((0, width, channels), np.uint16 if deep else np.uint8)
        self._strips: list[tuple[int, int]] = []
        self._rows: list[int] = []
        block = exif.removeprefix(b"Exif\0\0") or struct.pack("<2sHIHI", b"II", 42, 8, 0, 0)
        self._order = "<" if block[:2] == b"II" else ">"
        self._own = _entries(block, self._order)
        file.write(block)
        self._end = len(block)

    def write(self, rows: NDArray[Any]) -> None:
        """Write rows (n, width, channels) uint8 or uint16, the next from the top.

        Raises:
            ImageError: The file becomes larger than a TIFF may be.
        """
        # Strips are of one height: the last alone may be lower.
        self._waiting = np.concatenate([self._waiting, rows])
        while len(self._waiting) >= STRIP:
            self._strip(self._waiting[:STRIP])
            self._waiting = self._waiting[STRIP:]

    def _strip(self, rows: NDArray[Any]) -> None:
        # Predictor 2: every value less that on its left.
        change = rows.copy()
        change[:, 1:] -= rows[:, :-1]
        if self._deep:
            change = change.astype(f"{self._order}u2")
        body = zlib.compress(np.ascontiguousarray(change).tobytes(), LEVEL)
        if self._end + len(body) > LARGEST:
            raise ImageError(
                "The image is too large for a TIFF.",
                expected=f"at most {LARGEST:,} bytes",
                got=f"more, at row {sum(self._rows):,} of {self._height:,}",
                hint="-o FILE.png",
            )
        self._strips.append((self._end, len(body)))
        self._rows.append(len(rows))
        self._put(body)

    def close(self) -> None:
        """Write the directory, and where it lies."""
        if len(self._waiting):
            self._strip(self._waiting)
        shape, bits = self._channels, 16 if self._deep else 8
        tags: dict[int, tuple[int, list[int]]] = {
            256: (_LONG, [self._width]),
            257: (_LONG, [self._height]),
            258: (_SHORT, [bits] * shape),
            259: (_SHORT, [8]),
            262: (_SHORT, [2 if shape >= 3 else 1]),
            273: (_LONG, [offset for offset, _ in self._strips]),
            274: (_SHORT, [1]),
            277: (_SHORT, [shape]),
            278: (_LONG, [max(self._rows)]),
            279: (_LONG, [size for _, size in self._strips]),
            284: (_SHORT, [1]),
            317: (_SHORT, [2]),
        }
        if shape in (2, 4):
            tags[338] = (_SHORT, [2])  # alpha that colours are not multiplied with
        if self._dpi is not None:
            tags |= {282 + k: (_RATIONAL, [round(value * 1000), 1000]) for k, value in enumerate(self._dpi)}
            tags[296] = (_SHORT, [2])
        bodies = {tag: self._packed(kind, values) for tag, (kind, values) in tags.items()}
        for tag, kind, body in ((34675, _UNDEFINED, self._icc), (700, _BYTE, self._xmp)):
            if body:
                bodies[tag] = (kind, len(body), body)
        entries = dict(self._own)
        for tag, (kind, count, body) in sorted(bodies.items()):
            entries[tag] = struct.pack(f"{self._order}HHI", tag, kind, count) + self._placed(body)
        self._put(b"\0" * (self._end % 2))
        place = self._end
        listed = b"".join(entries[tag] for tag in sorted(entries))
        self._put(struct.pack(f"{self._order}H", len(entries)) + listed + bytes(4))
        self._file.seek(4)
        self._file.write(struct.pack(f"{self._order}I", place))
        self._file.seek(0, 2)

    def _packed(self, kind: int, values: list[int]) -> tuple[int, int, bytes]:
        letter = "H" if kind == _SHORT else "I"
        count = len(values) // 2 if kind == _RATIONAL else len(values)
        return kind, count, struct.pack(f"{self._order}{len(values)}{letter}", *values)

    def _placed(self, body: bytes) -> bytes:
        """Return the four bytes of an entry: the value itself, or where it lies."""
        if len(body) <= 4:
            return body.ljust(4, b"\0")
        self._put(b"\0" * (self._end % 2))
        place = self._end
        self._put(body)
        return struct.pack(f"{self._order}I", place)

    def _put(self, body: bytes) -> None:
        self._file.write(body)
        self._end += len(body)


def _entries(block: bytes, order: str) -> dict[int, bytes]:
    """Return the entries of the first directory of an EXIF block, whole; what is damaged is left out."""
    try:
        (start,) = struct.unpack_from(f"{order}I", block, 4)
        (count,) = struct.unpack_from(f"{order}H", block, start)
        found = {}
        for number in range(count):
            entry = block[start + 2 + 12 * number : start + 14 + 12 * number]
            tag, kind, _ = struct.unpack_from(f"{order}HHI", entry)
            if kind in _SIZES and len(entry) == 12 and tag not in (34675, 700):
                found[tag] = entry
        return found
    except struct.error:
        return {}
