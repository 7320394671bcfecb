"""Archives: .zip and .tar, read as a stream of members that never become paths of this machine."""

from __future__ import annotations

import lzma
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Final

from lucida.catalog.records import Refusal
from lucida.catalog.sources.found import Found, printable, show
from lucida.images import Limits

ARCHIVES: Final = (
    ".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst",
)  # fmt: skip
_LIMITS: Final = Limits()
_BROKEN: Final = (
    OSError, EOFError, RuntimeError, NotImplementedError, ValueError,
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError,
)  # fmt: skip


def is_archive(name: str) -> bool:
    """Return whether a file is an archive by its name."""
    return name.lower().endswith(ARCHIVES)


class Archive:
    """The members of an archive.

    Nothing is unpacked: bytes are read one member at a time, and kept under their content id if they are an image.
    A member's name is only a name; one that would lead out of a folder is refused all the same, as whoever exports
    it would have to trust it.

    Args:
        path: The archive, as given.
        limits: Bound on the size of a member.
    """

    def __init__(self, path: Path, limits: Limits = _LIMITS) -> None:
        self.path = path
        self.limits = limits
        self._uri = os.path.normpath(path.absolute())

    def __iter__(self) -> Iterator[Found | Refusal]:
        try:
            modified = self.path.stat().st_mtime_ns
            members = self._zip(modified) if self.path.suffix.lower() == ".zip" else self._tar(modified)
            yield from members
        except _BROKEN as error:
            text = " ".join(str(error).split()) or type(error).__name__
            yield Refusal(show(self.path), f"the archive cannot be read further: {text}")

    def _zip(self, modified: int) -> Iterator[Found | Refusal]:
        with zipfile.ZipFile(self.path) as archive:
            for member in archive.infolist():
                if member.is_dir() or _is_litter(member.filename):
                    continue
                link = stat.S_ISLNK(member.external_attr >> 16)
                reason = "a link, which is not followed" if link else self._reason(member.filename, member.file_size)
                if member.flag_bits & 1:
                    reason = "encrypted"
                if reason:
                    yield Refusal(self._given(member.filename), reason)
                    continue
                try:
                    with archive.open(member) as file:
                        yield self._take(file, member.filename, modified, 0)
                except _BROKEN as error:
                    yield Refusal(self._given(member.filename), f"cannot be unpacked: {error}")

    def _tar(self, modified: int) -> Iterator[Found | Refusal]:
        with tarfile.open(self.path, "r|*") as archive:
            for member in archive:
                if member.isdir() or _is_litter(member.name):
                    continue
                reason = self._reason(member.name, member.size)
                if member.issym() or member.islnk():
                    reason = "a link, which is not followed"
                elif not member.isreg():
                    reason = "not a regular file"
                file = None if reason else archive.extractfile(member)
                if file is None:
                    yield Refusal(self._given(member.name), reason or "not a regular file")
                else:
                    yield self._take(file, member.name, modified, member.size)
                # The module keeps every header it has read; a million members would fill the memory.
                archive.members = []  # type: ignore[attr-defined]
            # Compression tells when it breaks off; a plain archive cut between two members only lacks its end mark.
            plain = getattr(archive.fileobj, "comptype", "tar") == "tar"
            if plain and archive.offset >= self.path.stat().st_size:
                raise EOFError("it ends without an end mark, so it may have been cut off")

    def _take(self, file: IO[bytes], member: str, modified: int, size: int) -> Found | Refusal:
        """Read one member, never more than the limit, whatever its header says, but at least `size` bytes."""
        data = file.read(self.limits.bytes + 1)
        if len(data) < size:
            raise EOFError(f"it breaks off within {member}")
        if len(data) > self.limits.bytes:
            return Refusal(self._given(member), self._too_large())
        name = PurePosixPath(member).name
        return Found(self._given(member), f"{self._uri}!/{member}", name, len(data), modified, data)

    def _reason(self, member: str, size: int) -> str | None:
        path = PurePosixPath(member.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
            return "a name that leads out of the archive"
        if not printable(member):
            return "a name that is no Unicode text"
        if size > self.limits.bytes:
            return self._too_large()
        if is_archive(member):
            return "an archive inside an archive; unpack it to add what it holds"
        return None

    def _too_large(self) -> str:
        return f"larger than {self.limits.bytes:,} bytes"

    def _given(self, member: str) -> str:
        return show(f"{self.path.as_posix()}/{member}")


def _is_litter(member: str) -> bool:
    from lucida.catalog.sources.folders import is_litter

    parts = PurePosixPath(member.replace("\\", "/")).parts
    return ".." not in parts and any(is_litter(part) for part in parts)
