"""Read a folder of examples: one sub-folder a class."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lucida.errors import ImageError, InputError
from lucida.images import check, content_id, read

FEWEST = 2


@dataclass(frozen=True)
class ExampleFolder:
    """Examples that were found.

    Attributes:
        files: Content id to a file with these bytes, sorted by class, then path.
        labels: Content id to its class.
        refused: Files that are no example: path relative to the folder, and why.
    """

    files: dict[str, Path]
    labels: dict[str, str]
    refused: dict[str, str] = field(default_factory=dict)

    @property
    def classes(self) -> list[str]:
        return sorted(set(self.labels.values()))


def read_folder(folder: Path) -> ExampleFolder:
    """Find the examples in a folder.

    A class is named by its sub-folder; images may lie deeper in it. Hidden files are passed over, links out of
    the folder are not followed, files that are no images are reported.

    Raises:
        InputError: There is no such folder, fewer than two classes, a class with fewer than two images, or one
            image under two classes.
    """
    if not folder.is_dir():
        raise InputError(
            f"There is no folder of examples at {folder}.",
            expected="a folder with one sub-folder of images a class",
            got="a file" if folder.exists() else "nothing there",
            hint="lucida label --examples examples/, with examples/dress/1.jpg, examples/hat/2.jpg …",
        )
    found = ExampleFolder({}, {})
    for path in sorted(_files(folder)):
        _take(found, folder, path)
    _check(folder, found)
    return found


def _files(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__MACOSX")))
        yield from (Path(place) / name for name in files if not name.startswith("."))


def _take(found: ExampleFolder, folder: Path, path: Path) -> None:
    relative = path.relative_to(folder)
    if len(relative.parts) == 1:
        found.refused[str(relative)] = "lies beside the class folders, not in one"
        return
    if path.is_symlink() and not path.resolve().is_relative_to(folder.resolve()):
        found.refused[str(relative)] = "a link out of the folder"
        return
    label = unicodedata.normalize("NFC", relative.parts[0]).strip()
    try:
        data = read(path)
        check(data)
    except ImageError as error:
        found.refused[str(relative)] = error.what
        return
    image = content_id(data)
    known = found.labels.setdefault(image, label)
    if known != label:
        raise InputError(
            f"The same image is an example of two classes, {known!r} and {label!r}.",
            expected="each image under one class",
            got=f"{found.files[image].relative_to(folder)} and {relative}",
            hint="delete one of the two files",
        )
    found.files.setdefault(image, path)


def _check(folder: Path, found: ExampleFolder) -> None:
    counts = dict.fromkeys(sorted({p.name for p in folder.iterdir() if p.is_dir() and p.name[0] != "."}), 0)
    counts = {unicodedata.normalize("NFC", name).strip(): 0 for name in counts}
    for label in found.labels.values():
        counts[label] += 1
    refused = "; ".join(f"{path}: {why}" for path, why in list(found.refused.items())[:3])
    if len(counts) < 2:
        raise InputError(
            f"The examples in {folder} have {'one class only' if counts else 'no class'}.",
            expected="at least two sub-folders, one a class",
            got=", ".join(map(repr, counts)) or (refused or "no sub-folder"),
            hint="to tell one thing from the rest, make a second folder for the rest",
        )
    few = {label: n for label, n in counts.items() if n < FEWEST}
    if few:
        label, n = next(iter(few.items()))
        others = f" (and {len(few) - 1} more classes)" if len(few) > 1 else ""
        have = f"{n} image{'s' if n != 1 else ''}"
        raise InputError(
            f"The class {label!r} has {'no example' if not n else 'one example'}{others}.",
            expected=f"at least {FEWEST} examples a class; 10 or more are better",
            got=f"{have} in {folder / label}" + (f" ({refused})" if refused else ""),
            hint=f"put more images of {label!r} there, or take the folder away",
        )
