"""Names that every file system, torchvision and `datasets` can read, and that differ from each other."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import PurePosixPath

# The endings that both torchvision's ImageFolder and `datasets` take for an image.
READ_EVERYWHERE = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm"})
ENDINGS = {
    "JPEG": ".jpg",
    "MPO": ".jpg",
    "PNG": ".png",
    "WEBP": ".webp",
    "GIF": ".gif",
    "BMP": ".bmp",
    "TIFF": ".tif",
    "AVIF": ".avif",
    "HEIF": ".heic",
    "HEIC": ".heic",
    "PPM": ".ppm",
    "ICO": ".ico",
    "JPEG2000": ".jp2",
    "DICOM": ".dcm",
}
_IMAGE_ENDINGS = READ_EVERYWHERE | frozenset(ENDINGS.values()) | {".heif", ".jfif", ".jpe", ".dib", ".apng"}

_RESERVED = frozenset(
    ["con", "prn", "aux", "nul", *(f"com{i}" for i in range(1, 10)), *(f"lpt{i}" for i in range(1, 10))]
)
_FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')
_LONGEST = 200  # bytes of UTF-8; file systems end at 255, and suffixes need room

# What `datasets` takes for the name of a split wherever it stands alone in a path.
_SPLIT_WORD = r"train|training|validation|valid|dev|val|test|testing|eval|evaluation"
_SPLIT_IN_FOLDER = re.compile(rf"(?:^|[-._ 0-9])(?:{_SPLIT_WORD})(?:[-._ 0-9]|$)")
_SPLIT_IN_FILE = re.compile(rf"(?:^|[-._ 0-9])(?:{_SPLIT_WORD})[-._ 0-9]")


def safe(name: str) -> str:
    """Return `name` as one path component that Linux, macOS and Windows accept; Unicode is kept.

    Separators, control characters and Windows' forbidden ones become `_`, and so do a leading dot or double
    underscore (readers skip such folders), trailing dots and spaces; reserved device names get a `_` in front.
    """
    text = _FORBIDDEN.sub("_", unicodedata.normalize("NFC", name))
    text = "".join(c if not 0xD800 <= ord(c) <= 0xDFFF else "_" for c in text).strip(" ")
    kept = text.rstrip(". ")
    text = kept + "_" * (len(text) - len(kept))
    if text.startswith("."):
        text = "_" + text[1:]
    if text.startswith("__"):
        text = "_" + text.lstrip("_")
    if text.partition(".")[0].rstrip(" ").casefold() in _RESERVED:
        text = "_" + text
    return _cut(text, _LONGEST) or "_"


def _cut(text: str, limit: int) -> str:
    return text.encode("utf-8")[:limit].decode("utf-8", errors="ignore").rstrip(". ")


def _key(name: str) -> str:
    # macOS and Windows hold "Dress" and "dress" to be one file.
    return unicodedata.normalize("NFC", name).casefold()


def class_folders(classes: Sequence[str], *, reserved: Collection[str] = ()) -> dict[str, str]:
    """Return a folder name for each class, all different on any file system.

    Args:
        classes: Class names; any text.
        reserved: Names that the folders must not have.
    """
    taken = {_key(name) for name in reserved}
    folders: dict[str, str] = {}
    # A class whose name needs no change keeps it, whatever the others are made into.
    for name in sorted(classes, key=lambda c: (safe(c) != c, c)):
        folder, number = safe(name), 2
        while _key(folder) in taken:
            folder, number = f"{safe(name)}-{number}", number + 1
        taken.add(_key(folder))
        folders[name] = folder
    return folders


def file_name(given: str, image_format: Callable[[], str]) -> str:
    """Return a safe file name for an image: its own name, with an ending that says what it is.

    Args:
        given: Path as given to `add`: "photos/a b.jpg", "x.zip!/member.png", "x.parquet#17".
        image_format: Gives the name of the format ("JPEG"); called only when the name has no image ending.
    """
    base = PurePosixPath(given.replace("\\", "/").rstrip("/")).name.rpartition("!")[2]
    path = PurePosixPath(base)
    if path.suffix.casefold() in _IMAGE_ENDINGS:
        return safe(path.stem) + path.suffix
    kind = image_format()
    ending = ENDINGS.get(kind.upper(), "." + safe(kind.lower()))
    return safe(base.replace("#", "-")) + ending


def distinct(names: Mapping[str, str]) -> dict[str, str]:
    """Return the names with those that collide in one folder told apart by the start of their content id.

    All that collide get the suffix, so that no name depends on which image came first.

    Args:
        names: Content id -> file name, of the images of one folder.
    """
    counts = Counter(_key(name) for name in names.values())
    taken = {key for key, count in counts.items() if count == 1}
    result: dict[str, str] = {}
    for image in sorted(names):
        name = names[image]
        if counts[_key(name)] > 1:
            path = PurePosixPath(name)
            length = 8
            while _key(name := f"{path.stem}-{image[:length]}{path.suffix}") in taken and length < len(image):
                length += 8
            taken.add(_key(name))
        result[image] = name
    return result


def read_as_split(folder: str, file: str) -> bool:
    """Return whether `datasets` would take a folder or file name for the name of a split.

    Source: `datasets.data_files` (KEYWORDS_IN_FILENAME_BASE_PATTERNS, KEYWORDS_IN_DIR_NAME_BASE_PATTERNS).
    """
    return bool(_SPLIT_IN_FOLDER.search(folder) or _SPLIT_IN_FILE.search(file))
