"""Where images come from: files, folders, archives, Parquet, videos; each yields found files or refusals."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lucida.catalog.records import Refusal
from lucida.catalog.sources.archives import ARCHIVES, Archive, is_archive
from lucida.catalog.sources.folders import count_files, is_litter, walk
from lucida.catalog.sources.found import Container, Found, printable, show
from lucida.catalog.sources.parquet import PARQUET, ParquetFile
from lucida.catalog.sources.videos import USUAL, VideoFile
from lucida.video import is_video

if TYPE_CHECKING:
    from lucida.catalog.catalog import Catalog
    from lucida.video import Sampling

__all__ = ["ARCHIVES", "Container", "Found", "count", "expand", "find", "show"]

Item = Found | Refusal | Container


def find(paths: Sequence[Path | str], catalog: Catalog | None = None, sampling: Sampling = USUAL) -> Iterator[Item]:
    """Yield all that the paths hold, in a fixed order, one at a time.

    Args:
        paths: Files, folders, patterns, archives, Parquet files or videos, as the user gave them.
        catalog: Knows which archives were read to their end; None for one that is still to be made.
        sampling: Which frames of a video.
    """
    for path in expand(paths):
        try:
            folder = stat.S_ISDIR(path.stat().st_mode)
        except (FileNotFoundError, NotADirectoryError):
            yield Refusal(show(path), "a symbolic link to nothing" if path.is_symlink() else "no such file or folder")
        except (OSError, ValueError) as error:
            yield Refusal(show(path), f"cannot be read: {getattr(error, 'strerror', None) or error}")
        else:
            if folder:
                yield from _folder(path)
            elif _holds_several(path):
                yield from _container(path, catalog, sampling)
            else:
                yield Found.of_file(path)


def count(paths: Sequence[Path | str]) -> int | None:
    """Return how many files there are to look at, quickly; None where only reading an archive would tell."""
    total = 0
    for path in expand(paths):
        if _exists(path) and path.is_dir():
            total += count_files(path)
        elif _holds_several(path):
            return None
        else:
            total += 1
    return total


def expand(paths: Sequence[Path | str]) -> Iterator[Path]:
    """Yield paths, patterns replaced by what they match."""
    for given in paths:
        path = Path(os.path.normpath(given)).expanduser()
        pattern = glob.has_magic(str(path)) and not _exists(path)
        yield from (_matches(str(path)) if pattern else []) or [path]


def _holds_several(path: Path) -> bool:
    return is_archive(path.name) or path.suffix.lower() == PARQUET or is_video(path.name)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False


def _matches(pattern: str) -> list[Path]:
    """Return what a pattern matches, in order, without what lies in a folder that it matches too."""
    found = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 (Path.glob forgets how it was given)
    paths = [path for path in map(Path, found) if not is_litter(path.name)]
    folders = {path for path in paths if _exists(path) and path.is_dir()}
    return [path for path in paths if folders.isdisjoint(path.parents)]


def _folder(path: Path) -> Iterator[Item]:
    empty = True
    for item in walk(path):
        empty = False
        yield item
    if empty:
        yield Refusal(show(path), "a folder without images")


def _container(path: Path, catalog: Catalog | None, sampling: Sampling) -> Iterator[Item]:
    try:
        status = path.stat()
    except OSError as error:
        yield Refusal(show(path), f"cannot be read: {error.strerror}")
        return
    uri = os.path.normpath(path.absolute())
    members: Archive | ParquetFile | VideoFile
    if is_video(path.name):
        # At another rate it holds other frames.
        uri, members = f"{uri}#{sampling}", VideoFile(path, sampling)
    else:
        members = ParquetFile(path) if path.suffix.lower() == PARQUET else Archive(path)
    before = catalog.intake.container(uri) if catalog is not None and printable(uri) else None
    if before is not None and (before.size, before.modified) == (status.st_size, status.st_mtime_ns):
        yield before
        return
    begin = Container(uri, status.st_size, status.st_mtime_ns, "begin")
    yield begin
    complete = printable(uri)
    for item in members:
        # A refusal of the container itself: it broke off, and may be whole the next time.
        complete = complete and not (isinstance(item, Refusal) and item.path == show(path))
        yield item
    if complete:
        yield replace(begin, stage="end")
