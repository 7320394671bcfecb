"""What the formats of labelled images share: which files are images, whole boxes, and a count of what was left out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lucida.data.sample import Boxes
from lucida.data.source import SPLITS
from lucida.errors import ImageError
from lucida.images import SNIFF, probe, read

if TYPE_CHECKING:
    from numpy.typing import NDArray

SUFFIXES: Final = frozenset(
    (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".heic", ".heif", ".dcm")
)
# A rounded coordinate may lie a pixel outside; nobody needs to be told.
_SLACK: Final = 1.0


class Omitted:
    """Counts what a reader left out or changed, to be said in a sentence each."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()
        self._first: dict[tuple[str, str], str] = {}

    def add(self, what: str, where: str, *, done: str = "left out") -> None:
        """Count one: `add("boxes of zero size", "a.jpg")`."""
        self._counts[what, done] += 1
        self._first.setdefault((what, done), where)

    def notes(self) -> tuple[str, ...]:
        """Return a sentence for each kind: "Boxes of zero size: 3 left out (the first: a.jpg)."."""
        return tuple(
            f"{what[:1].upper()}{what[1:]}: {count:,} {done} (the first: {self._first[what, done]})."
            for (what, done), count in self._counts.items()
        )


def is_image(path: Path) -> bool:
    """Tell by its name whether a visible file claims to be an image."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def images_in(folder: Path, *, deep: bool = False) -> list[Path]:
    """Return the image files of a folder, in order of name; with `deep` those of all folders below as well."""
    found = folder.rglob("*") if deep else folder.glob("*")
    return sorted(path for path in found if is_image(path) and path.is_file())


def folders_in(folder: Path) -> list[Path]:
    """Return the visible folders of a folder, in order of name."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.is_dir() and path.name[:1] not in (".", "_"))


def reader(path: Path) -> Callable[[], bytes]:
    """Return what reads an image file; a worker process can be sent it."""
    return partial(read, path)


def size_within(content: bytes) -> tuple[int, int] | None:
    """Return width and height of an upright image from its encoded bytes; None where they cannot be read."""
    try:
        header = probe(content)
    except ImageError:
        return None
    return header.width, header.height


def size_of(path: Path) -> tuple[int, int] | None:
    """Return width and height of an upright image from its header; None where it cannot be read."""
    try:
        with path.open("rb") as opened:
            head = opened.read(SNIFF)
        try:
            header = probe(head)
        except ImageError:
            header = probe(read(path))  # some formats keep their header at the end
    except (OSError, ImageError):
        return None
    return header.width, header.height


def inside(root: Path, name: str) -> Path | None:
    """Return the path that a name in an annotation leads to; None where it would leave the folder."""
    parts = PurePosixPath(name.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or re.match(r"^[A-Za-z]:", name):
        return None
    return root / parts


def split_within(name: str) -> str:
    """Return the split that any word of a name stands for: "instances_train2017.json" is of "train"; "" if none."""
    return next((SPLITS[word] for word in re.findall(r"[a-z]+", name.casefold()) if word in SPLITS), "")


def whole_boxes(xyxy: Any, labels: Sequence[str], size: tuple[int, int] | None, omitted: Omitted, where: str) -> Boxes:
    """Return boxes clipped to their image; those of zero size are left out and counted.

    Args:
        xyxy: Left, top, right, bottom of each, (n, 4), in pixels.
        labels: The class of each.
        size: Width and height of the image; None where they are not known.
        omitted: Counts what was changed.
        where: Name of the image.
    """
    boxes: NDArray[np.float32] = np.array(xyxy, np.float32).reshape(-1, 4)
    finite = np.isfinite(np.abs(boxes).max(axis=1))
    if size is not None:
        clipped = np.clip(boxes, 0, np.array([*size, *size], np.float32))
        for _ in range(int((np.abs(clipped - boxes)[finite] > _SLACK).any(axis=1).sum())):
            omitted.add("boxes that reach outside their image", where, done="clipped")
        boxes = clipped
    whole = finite & (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    for _ in range(int((~whole).sum())):
        omitted.add("boxes of zero size", where)
    return Boxes(boxes[whole], tuple(label for label, keep in zip(labels, whole, strict=True) if keep))
