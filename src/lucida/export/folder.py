"""The folder an export is written into: whole files only, nothing of anybody else's touched.

A manifest, `export.json`, lists every file that an export wrote. It is written before the first of them, so an
interrupted export is known for what it is, and the same command again finishes it; files that are no longer exported
are removed, and only those.
"""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any

from lucida import __version__
from lucida.errors import InputError, LucidaError

MANIFEST = "export.json"
_PARTIAL = ".export-partial"
_PROGRAM = "camera-lucida"


class Folder:
    """A folder being written; `begin`, then `write` and `file`, then `finish`.

    Args:
        path: The folder; made when it does not exist.
        overwrite: Write into a folder that holds other files, and over files of the same name.

    Raises:
        InputError: The folder holds something else, or cannot be written.
    """

    def __init__(self, path: Path, *, overwrite: bool = False) -> None:
        self.path, self.overwrite = path, overwrite
        self.manifest = self._read()
        self._owned = {name for name in self.manifest.get("files", []) if _inside(name)}
        self._made: set[Path] = set()
        # What a file browser leaves behind (.DS_Store) makes no folder somebody's.
        others = [p.name for p in path.iterdir() if p.name[0] != "."] if path.is_dir() else []
        if others and not self.manifest and not overwrite:
            raise InputError(
                f"The folder {str(path)!r} is not empty, and is no earlier export.",
                expected="a new folder, an empty one, or one that lucida exported to before",
                got=f"a folder that holds {min(others)!r}",
                hint="name another folder, or add --overwrite: files of the same name are replaced, others stay",
            )
        if path.exists() and not path.is_dir():
            raise InputError(
                f"{str(path)!r} is a file.",
                expected="a folder to write the export into",
                got="the path of a file",
                hint="name another folder",
            )

    def _read(self) -> dict[str, Any]:
        try:
            found = json.loads((self.path / MANIFEST).read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) and found.get("program") == _PROGRAM else {}

    def begin(self, files: Collection[str]) -> None:
        """Take the folder for these files, paths relative to it with forward slashes.

        Raises:
            InputError: A file of that name is there that no export wrote, or the folder cannot be written.
        """
        if not self.overwrite:
            for name in sorted(set(files) - self._owned):
                if (self.path / name).exists():
                    raise InputError(
                        f"The folder {str(self.path)!r} holds a file that this export would replace.",
                        expected="a folder where only exports have written",
                        got=repr(name),
                        hint="move the file away, or add --overwrite",
                    )
        with self._said():
            self.path.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(self.path / _PARTIAL, ignore_errors=True)
            (self.path / _PARTIAL).mkdir()
        self._owned |= set(files)
        self._save({**self.manifest, "complete": False})

    def _save(self, facts: dict[str, Any]) -> None:
        facts = {**facts, "program": _PROGRAM, "version": __version__, "files": sorted(self._owned)}
        self.write(MANIFEST, (json.dumps(facts, ensure_ascii=False, indent=1) + "\n").encode())

    def holds(self, name: str, content: str) -> bool:
        """Return whether the file is there with these bytes (SHA-256, hexadecimal)."""
        path = self.path / name
        try:
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest() == content and not path.is_symlink()
        except OSError:
            return False

    def write(self, name: str, data: bytes) -> None:
        """Write a file, whole or not at all."""
        with self.file(name) as file:
            file.write(data)

    @contextmanager
    def file(self, name: str) -> Iterator[IO[bytes]]:
        """Open a file for writing; it appears under its name when the block ends without an error."""
        partial = self.path / _PARTIAL / hashlib.sha256(name.encode()).hexdigest()[:32]
        with self._said():
            partial.parent.mkdir(exist_ok=True)
            try:
                with partial.open("wb") as file:
                    yield file
                target = self.path / name
                self._make(target.parent)
                partial.replace(target)
            except BaseException:
                partial.unlink(missing_ok=True)
                raise

    def _make(self, folder: Path) -> None:
        if folder in self._made:
            return
        folder.mkdir(parents=True, exist_ok=True)
        if not folder.resolve().is_relative_to(self.path.resolve()):
            raise InputError(
                f"The folder {str(folder)!r} is a link to somewhere else.",
                expected="folders inside the export",
                got=str(folder.resolve()),
                hint="remove the link, or name another folder",
            )
        self._made.add(folder)

    def withdraw(self, name: str, *, unless: bytes | None) -> None:
        """Remove a file that an earlier export wrote, unless it has these very bytes."""
        path = self.path / name
        if name in self._owned and path.is_file() and (unless is None or path.read_bytes() != unless):
            with self._said():
                path.unlink()

    def stale(self, files: Collection[str]) -> list[str]:
        """Return the files that an earlier export wrote and that are not among `files`, if they are there."""
        home = self.path.resolve()
        gone = ((name, self.path / name) for name in self._owned - set(files) - {MANIFEST})
        # Behind a link that was put there since lies somebody else's file.
        return sorted(n for n, path in gone if path.is_file() and path.parent.resolve().is_relative_to(home))

    def finish(self, files: Collection[str], facts: dict[str, Any], *, spare: Collection[str] = ()) -> None:
        """Remove what is no longer exported, except for `spare`, and write the manifest."""
        with self._said():
            for name in self.stale(files):
                if name not in spare:
                    (self.path / name).unlink()
                    self._prune((self.path / name).parent)
        self._owned = {*files, *spare}
        self._save({**facts, "complete": True})
        shutil.rmtree(self.path / _PARTIAL, ignore_errors=True)

    def _prune(self, folder: Path) -> None:
        while folder != self.path and not any(folder.iterdir()):
            folder.rmdir()
            folder = folder.parent

    def room(self, needed: int) -> None:
        """Refuse early when the disk has less than `needed` bytes free."""
        existing = next(p for p in (self.path, *self.path.absolute().parents) if p.exists())
        free = shutil.disk_usage(existing).free
        if needed > free:
            raise LucidaError(
                f"The disk of {str(self.path)!r} has no room for this export.",
                expected=f"{_size(needed)} free",
                got=f"{_size(free)} free",
                hint="free some space, name a folder on another disk, or export --format csv",
            )

    @contextmanager
    def _said(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if isinstance(error, LucidaError):
                raise
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise LucidaError(
                    f"The disk is full: {str(self.path)!r} could not be finished.",
                    expected="room for the whole export",
                    got=f"{error.strerror} ({_size(shutil.disk_usage(self.path).free)} free)",
                    hint="free some space and run the same command again: it goes on from here",
                ) from error
            raise InputError(
                f"The export cannot be written to {str(self.path)!r}.",
                expected="a folder that you may write to",
                got=f"{error.strerror or error}: {error.filename or self.path}",
                hint="name another folder, or change its permissions",
            ) from error


def _inside(name: object) -> bool:
    # A manifest from somewhere else must not make us remove files outside.
    if not isinstance(name, str) or "\\" in name or not name:
        return False
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and ":" not in path.parts[0]


def _size(count: int) -> str:
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if count < 1024 or unit == "GiB":
            return f"{count:,.0f} {unit}" if unit == "bytes" else f"{count:,.1f} {unit}"
        count /= 1024  # type: ignore[assignment]
    raise AssertionError
