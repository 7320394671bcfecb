"""Folders: every file below one, in order of name, without following links out of it or in circles."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from lucida.catalog.records import Refusal
from lucida.catalog.sources.archives import is_archive
from lucida.catalog.sources.found import Found, show
from lucida.video import is_video

# What file managers and cameras leave behind; nobody means these, so nobody is told.
LITTER: Final = frozenset(
    name.casefold() for name in ("Thumbs.db", "desktop.ini", "__MACOSX", "@eaDir", "$RECYCLE.BIN", "ehthumbs.db")
)
# A folder with such a file is a catalog: its bytes came from elsewhere and are known.
CATALOG: Final = "catalog.sqlite"


def walk(root: Path) -> Iterator[Found | Refusal]:
    """Yield the files below a folder, each folder's in order of name.

    Hidden files and folders, the litter of file managers, and catalogs are passed over in silence. A link to a file
    inside the folder counts as a file; one that leads out is refused. Links to folders are not followed: what
    they show inside the folder is met where it is, so a circle of links is no trap.

    Args:
        root: The folder, as given.
    """
    text = root.as_posix()
    given = "" if text == "." else text
    real = os.path.realpath(root)
    # Folders may lie deeper than Python can call itself, so the open ones wait in a list.
    waiting = [_listing(given, os.path.normpath(root.absolute()))]
    while waiting:
        entry_and_path = next(waiting[-1], None)
        if entry_and_path is None:
            waiting.pop()
            continue
        entry, path = entry_and_path
        if isinstance(entry, Refusal):
            yield entry
            continue
        try:
            if entry.is_symlink():
                yield from _link(entry, path, real)
            elif entry.is_dir(follow_symlinks=False):
                waiting.append(_listing(path, entry.path))
            else:
                yield _file(entry, path)
        except OSError as error:
            yield Refusal(show(path), f"cannot be read: {error.strerror}")


def _listing(given: str, folder: str) -> Iterator[tuple[os.DirEntry[str] | Refusal, str]]:
    """Yield the entries of a folder that matter, each with its path as given."""
    try:
        with os.scandir(folder) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
    except OSError as error:
        reason = f"a folder that cannot be read: {error.strerror}"
        yield Refusal(show(given or folder), reason), given
        return
    if any(entry.name == CATALOG for entry in entries):
        return
    for entry in entries:
        if not is_litter(entry.name):
            yield entry, f"{given.rstrip('/')}/{entry.name}" if given else entry.name


def _file(entry: os.DirEntry[str], path: str) -> Found | Refusal:
    if is_archive(entry.name) or entry.name.lower().endswith(".parquet"):
        return Refusal(show(path), "an archive inside a folder; name it to add what it holds")
    if is_video(entry.name):
        return Refusal(show(path), "a video inside a folder; name it to add its frames")
    status = entry.stat()
    return Found(path, entry.path, entry.name, status.st_size, status.st_mtime_ns)


def _link(entry: os.DirEntry[str], path: str, real: str) -> Iterator[Found | Refusal]:
    target = os.path.realpath(entry.path)
    if os.path.commonpath([real, target]) != real:
        yield Refusal(show(path), "a symbolic link that leads out of the folder; it is not followed")
    elif not os.path.exists(target):  # noqa: PTH110
        yield Refusal(show(path), "a symbolic link to nothing")
    elif entry.is_file():
        yield _file(entry, path)


def is_litter(name: str) -> bool:
    """Return whether a file or folder is hidden, or left behind by a file manager."""
    return name.startswith(".") or name.casefold() in LITTER


def count_files(root: Path) -> int:
    """Return how many files lie below a folder, about: enough for a progress bar."""
    total, folders = 0, [str(root)]
    while folders:
        try:
            with os.scandir(folders.pop()) as listing:
                for entry in listing:
                    if is_litter(entry.name):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    else:
                        total += 1
        except OSError:
            continue
    return total
