"""Files that the studio keeps for a while: bounded in number and bytes, and gone when the program ends."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import tempfile
import threading
from collections import Counter, OrderedDict
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Final

from lucida.errors import UnknownName

MOST_FILES: Final = 24
MOST_BYTES: Final = 4 * 2**30
LONGEST: Final = 200  # bytes of a file's name
PREFIX: Final = "lucida-restore-"
HELD: Final = ".held"  # a file that is locked for as long as somebody works in its folder
# What some system does not let stand in a name.
_REFUSED: Final = str.maketrans(dict.fromkeys('<>:"|?*', "_"))


@dataclass(frozen=True)
class Kept:
    """A file on the shelf.

    Attributes:
        token: What it is asked for by.
        path: Where it lies; its name is the one that a person gave it.
        width: Of the image.
        height: Of the image.
        kind: Its format, one of `lucida.images.FORMATS`.
        mode: Its channels, as `lucida.images.Image` names them.
        bytes: Its size.
        frames: How many it has.
    """

    token: str
    path: Path
    width: int
    height: int
    kind: str
    mode: str
    bytes: int
    frames: int = 1

    @property
    def name(self) -> str:
        """Its name without a folder."""
        return self.path.name


class Shelf:
    """Keeps files in a folder of its own; the oldest that nobody works with goes first.

    Args:
        files: How many, at most.
        bytes: How large together, at most; one that is larger than all of this is still kept, alone.
    """

    def __init__(self, files: int = MOST_FILES, bytes: int = MOST_BYTES) -> None:
        self._files, self._bytes = files, bytes
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._held: Counter[str] = Counter()
        self._lock = threading.Lock()
        _sweep()
        # Removed at the latest when the interpreter ends.
        self._folder = tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True)
        self._lock_file = (self.folder / HELD).open("wb")
        _locked(self._lock_file)

    @property
    def folder(self) -> Path:
        """Where the files lie."""
        return Path(self._folder.name)

    def place(self, name: str) -> tuple[str, Path]:
        """Return a token, and the path that a file of that name gets; nothing is there yet."""
        token = secrets.token_urlsafe(12)
        path = self.folder / token / clean_name(name)
        path.parent.mkdir(parents=True)
        return token, path

    def keep(self, kept: Kept) -> Kept:
        """Put a file on the shelf that lies where `place` said; others may have to go for it."""
        with self._lock:
            self._kept[kept.token] = kept
            for token in [token for token in self._kept if token != kept.token and not self._held[token]]:
                if len(self._kept) <= self._files and sum(one.bytes for one in self._kept.values()) <= self._bytes:
                    break
                self._drop(token)
        return kept

    def get(self, token: str) -> Kept:
        """Return a file.

        Raises:
            UnknownName: It is not kept any more.
        """
        with self._lock:
            if token not in self._kept:
                raise UnknownName("image", token, [], hint="open the image again: it is kept for a while only")
            self._kept.move_to_end(token)
            return self._kept[token]

    def hold(self, token: str) -> None:
        """Let a file stay for as long as somebody works with it."""
        with self._lock:
            self._held[token] += 1

    def release(self, token: str) -> None:
        """Say that one worker less needs a file."""
        with self._lock:
            self._held[token] -= 1

    def forget(self, token: str) -> None:
        """Remove what lies where `place` said."""
        with self._lock:
            self._drop(token)

    def _drop(self, token: str) -> None:
        self._kept.pop(token, None)
        shutil.rmtree(self.folder / token, ignore_errors=True)

    def close(self) -> None:
        """Remove all files."""
        with self._lock:
            self._kept.clear()
        self._lock_file.close()
        self._folder.cleanup()


def _locked(file: IO[bytes]) -> bool:
    """Lock a file; False where another program holds it, or where it cannot be told."""
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (ImportError, OSError):
        return False
    return True


def _sweep() -> None:
    """Remove what programs have left that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError), (folder / HELD).open("r+b") as file:
            if _locked(file):
                shutil.rmtree(folder, ignore_errors=True)


def clean_name(name: str) -> str:
    """Return what of a name that somebody gave can be a file's name anywhere; it keeps its suffix."""
    last = PurePosixPath(name.replace("\\", "/")).name.translate(_REFUSED)
    tidy = "".join(letter for letter in last if letter.isprintable()).strip(" .") or "image"
    stem, dot, suffix = tidy.rpartition(".")
    stem, suffix = (stem, f"{dot}{suffix[:12]}") if stem else (tidy, "")
    return stem.encode()[: LONGEST - len(suffix.encode())].decode(errors="ignore") + suffix
