"""Files that images are written into: row by row where the format allows it, whole or not at all."""

from __future__ import annotations

import errno
import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, NamedTuple, Protocol

import numpy as np
from PIL import Image as Pillow

from lucida.errors import ImageError, InputError
from lucida.images.companions import Companions, Shown
from lucida.images.others import quiet
from lucida.restore.png import PngWriter
from lucida.restore.tiff import TiffWriter
from lucida.whole import whole

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

QUALITY: Final = 95  # of JPEG, WebP and AVIF
KEPT: Final = 256 * 2**20  # bytes of pixels that are kept in memory; more lie on the disk


class Kind(NamedTuple):
    """What a format can hold.

    Attributes:
        name: As Pillow has it.
        alpha: Whether it holds transparency.
        deep: Whether it holds 16 bits.
        side: Longest side in pixels.
        moves: Whether it holds several frames.
        by_rows: Whether it is written row by row.
    """

    name: str
    alpha: bool
    deep: bool
    side: int
    moves: bool
    by_rows: bool = False


_PNG = Kind("PNG", True, True, 2**31 - 1, True, True)
_TIFF = Kind("TIFF", True, True, 2**31 - 1, False, True)
_JPEG = Kind("JPEG", False, False, 65500, False)
KINDS: Final = {
    ".png": _PNG, ".apng": _PNG, ".tif": _TIFF, ".tiff": _TIFF, ".jpg": _JPEG, ".jpeg": _JPEG, ".jfif": _JPEG,
    ".webp": Kind("WEBP", True, False, 16383, True), ".gif": Kind("GIF", True, False, 65535, True),
    ".bmp": Kind("BMP", False, False, 65535, False), ".avif": Kind("AVIF", True, False, 65535, False),
}  # fmt: skip


class Sink(Protocol):
    """Takes the rows of an image, from top to bottom."""

    def write(self, rows: NDArray[Any]) -> None: ...
    def close(self) -> None: ...


def kind_of(target: Path) -> Kind:
    """Return what the format of a file can hold.

    Raises:
        InputError: No such format is written.
    """
    found = KINDS.get(target.suffix.lower())
    if found is None:
        raise InputError(
            f"Images are not written as {target.suffix or 'a file without suffix'!r}.",
            expected=f"one of {', '.join(KINDS)}",
            got=target.name,
            hint=f"-o {target.stem or 'image'}.png",
        )
    return found


@contextmanager
def written(target: Path) -> Iterator[IO[bytes]]:
    """Open a file that appears under its name when the block is done, and not at all if it fails.

    Raises:
        InputError: It cannot be written, or the disk is full.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with whole(target, shared=True) as partial, partial.open("w+b") as file:
            yield file
    except OSError as error:
        raise InputError(
            "The disk is full." if error.errno == errno.ENOSPC else f"{target} cannot be written.",
            expected="a place with room for the image",
            got=error.strerror or str(error),
            hint="another folder: -o",
        ) from error


def open_sink(
    file: IO[bytes], kind: Kind, width: int, height: int, channels: int, deep: bool, beside: Companions
) -> Sink:
    """Return what writes an image of a format.

    Args:
        file: Opened for writing.
        kind: The format.
        width: Pixels across.
        height: Pixels down.
        channels: 1 grey, 2 with alpha, 3 RGB, 4 with alpha.
        deep: 16 bits rather than 8.
        beside: What the source says beside its pixels.
    """
    if kind.by_rows:
        writer = PngWriter if kind.name == "PNG" else TiffWriter
        return writer(file, width, height, channels, deep=deep, exif=beside.exif_for(width, height), icc=beside.icc,
                      xmp=beside.xmp, dpi=beside.dpi)  # fmt: skip
    return PillowSink(file, kind, width, height, channels, beside)


class Rows:
    """Takes rows into an array (height, width, channels), from top to bottom."""

    def __init__(self, pixels: NDArray[Any]) -> None:
        self.pixels, self._row = pixels, 0

    def write(self, rows: NDArray[Any]) -> None:
        """Take the next rows."""
        self.pixels[self._row : self._row + len(rows)] = rows
        self._row += len(rows)


class PillowSink:
    """Keeps the rows, and has Pillow write them in the end."""

    def __init__(self, file: IO[bytes], kind: Kind, width: int, height: int, channels: int, beside: Companions) -> None:
        self._file, self._kind, self._beside = file, kind, beside
        self._rows = Rows(scratch((height, width, channels), np.uint8))

    def write(self, rows: NDArray[Any]) -> None:
        """Take the next rows."""
        self._rows.write(rows)

    def close(self) -> None:
        """Write all of them."""
        pixels = self._rows.pixels if self._rows.pixels.shape[2] > 1 else self._rows.pixels[..., 0]
        picture = Pillow.fromarray(np.asarray(pixels))
        save(picture, self._file, self._kind, self._beside)


def save(picture: Pillow.Image, file: IO[bytes], kind: Kind, beside: Companions, **more: Any) -> None:
    """Have Pillow write an image, or several, with what stood beside the source.

    Raises:
        ImageError: Pillow refuses.
    """
    options: dict[str, Any] = {"exif": beside.exif_for(*picture.size), "icc_profile": beside.icc, "dpi": beside.dpi}
    if kind.name in ("JPEG", "WEBP", "AVIF"):
        options["quality"] = QUALITY
        options["xmp"] = beside.xmp
    if kind.name == "WEBP":
        options["lossless"] = beside.lossless
    if kind.name == "JPEG":
        # Colour at full resolution: half of it would undo what the model drew.
        options["subsampling"] = 0
    try:
        with quiet():
            picture.save(file, kind.name, **{k: v for k, v in {**options, **more}.items() if v not in (None, b"")})
    except (ValueError, KeyError, RuntimeError) as error:
        raise ImageError(
            f"The image cannot be written as {kind.name}.",
            expected="an image that the format holds",
            got=f"{picture.width:,} x {picture.height:,} pixels, {picture.mode}: {error}",
            hint="-o FILE.png",
        ) from error


def save_frames(frames: Iterable[Shown], file: IO[bytes], kind: Kind, beside: Companions) -> None:
    """Write an animation with the durations of its frames and the number of times that it is shown.

    Args:
        frames: RGBA, one after the other.
        file: Opened for writing.
        kind: The format.
        beside: What the source says beside its pixels.
    """
    shown = [(_framed(frame.pixels, kind), frame.duration) for frame in frames]
    pictures = [picture for picture, _ in shown]
    durations = [duration if kind.name == "PNG" else round(duration) for _, duration in shown]
    more: dict[str, Any] = {"save_all": True, "append_images": pictures[1:], "duration": durations, "loop": beside.loop}
    if kind.name == "GIF":
        # Each frame is whole: what lay before must not shine through.
        more["disposal"] = 2
    if kind.name == "WEBP" and beside.loop is None:
        more["loop"] = 0
    buffer = io.BytesIO()
    save(pictures[0], buffer, kind, beside, **more)
    file.write(buffer.getbuffer())


def _framed(pixels: NDArray[Any], kind: Kind) -> Pillow.Image:
    if kind.name != "GIF":
        return Pillow.fromarray(pixels if (pixels[..., 3] < 255).any() else np.ascontiguousarray(pixels[..., :3]))
    if (pixels[..., 3] == 255).all():
        return Pillow.fromarray(np.ascontiguousarray(pixels[..., :3]))
    # A pixel of a GIF is seen or not.
    pixels = pixels.copy()
    pixels[..., 3] = np.where(pixels[..., 3] > 127, 255, 0)
    return Pillow.fromarray(pixels)


def scratch(shape: tuple[int, ...], kind: type[np.uint8] | type[np.uint16]) -> NDArray[Any]:
    """Return an array to write into: in memory while small, in a file without a name where large."""
    if int(np.prod(shape, dtype=np.int64)) * np.dtype(kind).itemsize <= KEPT:
        return np.empty(shape, kind)
    with tempfile.TemporaryFile(prefix="lucida-restore-") as file:
        # The mapping keeps what the file holds when its name and handle are gone.
        return np.memmap(file, kind, "w+", shape=shape)
