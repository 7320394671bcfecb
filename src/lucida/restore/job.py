"""Many images, one file each: what was done before is not done again, and a damaged file stops nothing."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lucida.catalog.sources import Container, count, expand, find
from lucida.catalog.sources.found import Found, show
from lucida.errors import ImageError, InputError
from lucida.images import content_id
from lucida.models.threads import available_cores
from lucida.progress import track
from lucida.restore.restorer import Restored, Restorer
from lucida.restore.writing import KINDS
from lucida.runs.files import read_source
from lucida.runs.local import map_stream

if TYPE_CHECKING:
    from lucida.catalog.records import Refusal
    from lucida.restore.plan import Wish

RECORD: Final = ".lucida-restore.jsonl"
SUFFIX: Final = "-restored"


class Work(NamedTuple):
    """One image and where it goes; the target is None where it cannot be read."""

    item: Found | Refusal
    target: Path | None


@dataclass(frozen=True)
class Done:
    """What became of one image: restored now, known from before, or not possible."""

    path: str
    written: Path | None = None
    restored: Restored | None = None
    problem: str = ""


class Record:
    """Remembers in a folder what was written there, from which bytes and by which wish.

    Args:
        folder: That is written to.
        wish: What changes whenever the results may change.
    """

    def __init__(self, folder: Path, wish: str) -> None:
        self._file, self._folder, self._wish = folder / RECORD, folder, wish
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str, str], dict[str, Any]] = {}
        try:
            lines = self._file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            lines = []
        for line in lines:
            try:
                entry = json.loads(line)
                self._known[entry["source"], entry["wish"], entry["asked"]] = entry
            except (ValueError, KeyError, TypeError):
                continue  # the line that was being written when the power went

    def look_up(self, source: str, target: Path) -> Path | None:
        """Return the file that was written of these bytes to this target, if it is there as it was."""
        entry = self._known.get((source, self._wish, self._name(target)))
        if entry is None:
            return None
        file = self._folder / entry["written"]
        return file if file.is_file() and file.stat().st_size == entry["bytes"] else None

    def add(self, source: str, target: Path, written: Path) -> None:
        """Remember a file that was written."""
        entry = {
            "source": source, "wish": self._wish, "asked": self._name(target), "written": self._name(written),
            "bytes": written.stat().st_size,
        }  # fmt: skip
        with self._lock, self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry, ensure_ascii=False) + "\n")

    def _name(self, file: Path) -> str:
        return file.relative_to(self._folder).as_posix()


def run_job(
    paths: Sequence[str | Path], wish: Wish, *, out: Path | None = None, home: Path | None = None
) -> tuple[Restorer, list[Done], float]:
    """Restore all images that some paths hold.

    Args:
        paths: Files, folders, patterns, archives.
        wish: What is to be done.
        out: A file for one image, a folder for several; beside the images where it is None.
        home: Folder of the models of a catalog.

    Returns:
        What did it, what became of each image in order, and how many seconds it took.

    Raises:
        InputError: There is no image, or several are to become one file.
    """
    began = time.monotonic()
    restorer = Restorer(wish, home)
    given = list(expand(paths))
    if len(given) == 1 and given[0].is_file() and not _several(given[0]):
        return restorer, [_one(restorer, given[0], out)], time.monotonic() - began
    if out is not None and out.suffix.lower() in KINDS and not out.is_dir():
        raise InputError(
            "Several images do not go into one file.",
            expected="a folder",
            got=str(out),
            hint=f"-o {out.with_suffix('') or 'restored'}/",
        )
    folder = out or _beside(given)
    record = Record(folder, f"{restorer.plan.key} {_mask_key(wish)}")
    done: list[Done] = []
    with track("Restoring", count(given)) as step:
        # The first alone: it loads the models, and tiles of one large image use all cores.
        cores = available_cores()
        for one in map_stream(
            lambda work: _try(restorer, record, work, 0 if cores == 1 else 1), _works(given, folder),
            workers=cores, waiting=2 * cores,
        ):  # fmt: skip
            done.append(one)
            step()
    if not done:
        raise _nothing(paths)
    return restorer, done, time.monotonic() - began


def _one(restorer: Restorer, source: Path, out: Path | None) -> Done:
    into = out is not None and (out.is_dir() or out.suffix.lower() not in KINDS)
    if out is None:
        target = source.with_name(f"{source.stem}{SUFFIX}{_suffix(source)}")
    else:
        target = out / f"{source.stem}{_suffix(source)}" if into else out
    _refuse_source(target, source)
    with track(f"Restoring {source.name}", 100, unit="%") as step:
        shown = 0

        def said(share: float) -> None:
            nonlocal shown
            step(int(share * 100) - shown)
            shown = int(share * 100)

        done = restorer.file(source, target, said)
    return Done(show(source), done.written, done)


def _try(restorer: Restorer, record: Record, work: Work, workers: int) -> Done:
    """Restore one of several images; what is wrong with it alone is in what comes back."""
    item = work.item
    path = show(item.given if isinstance(item, Found) else item.path)
    try:
        data = read_source(item)
        assert work.target is not None, "what can be read has a target"
        key = content_id(data)
        known = record.look_up(key, work.target)
        if known is not None:
            return Done(path, known)
        assert isinstance(item, Found), "what is refused cannot be read"
        done = restorer.file(data, work.target, name=item.name, workers=workers)
        record.add(key, work.target, done.written)
        return Done(path, done.written, done)
    except (ImageError, InputError) as error:
        return Done(path, problem=error.what)


def _works(given: Sequence[Path], folder: Path) -> Iterator[Work]:
    """Yield every image with its target: below the folder as it lies below what was given."""
    taken: set[str] = set()
    for root in given:
        for item in find([root]):
            if isinstance(item, Container):
                continue
            if not isinstance(item, Found):
                yield Work(item, None)
                continue
            inside = _below(item, root)
            target, number = folder / inside.with_suffix(_suffix(inside)), 1
            while target.as_posix().casefold() in taken or _same(target, Path(item.uri)):
                number += 1
                target = folder / inside.with_name(f"{inside.stem}-{number}{_suffix(inside)}")
            taken.add(target.as_posix().casefold())
            yield Work(item, target)


def _below(item: Found, root: Path) -> Path:
    try:
        return Path(item.given).relative_to(root) if root.is_dir() else Path(item.name)
    except ValueError:
        return Path(item.name)


def _suffix(path: Path) -> str:
    """Return the suffix of the result: that of the image, where such files are written."""
    return path.suffix if path.suffix.lower() in KINDS else ".png"


def _beside(given: Sequence[Path]) -> Path:
    first = given[0] if given else Path()
    if len(given) == 1:
        return first.absolute().with_name(f"{first.absolute().stem or 'images'}{SUFFIX}")
    return first.absolute().parent / SUFFIX.removeprefix("-")


def _several(path: Path) -> bool:
    return any(isinstance(item, Container) for item in _first(path))


def _first(path: Path) -> Iterator[object]:
    for item in find([path]):
        yield item
        return


def _same(target: Path, source: Path) -> bool:
    return target.exists() and source.exists() and target.samefile(source)


def _refuse_source(target: Path, source: Path) -> None:
    if _same(target, source):
        raise InputError(
            "The image would be written over itself.",
            expected="another file",
            got=str(target),
            hint=f"-o {source.stem}{SUFFIX}{source.suffix}",
        )


def _mask_key(wish: Wish) -> str:
    if wish.fill is None:
        return ""
    if wish.fill.is_dir():
        listed = sorted(f"{path.name} {path.stat().st_mtime_ns}" for path in wish.fill.iterdir())
        return content_id("\n".join(listed).encode())
    return content_id(wish.fill.read_bytes()) if wish.fill.is_file() else str(wish.fill)


def _nothing(paths: Sequence[str | Path]) -> InputError:
    return InputError(
        "There is no image to restore.",
        expected="images, or folders that hold some",
        got=", ".join(show(path) for path in paths[:5]) or "no path",
        hint="lucida restore photo.jpg --upscale 2",
    )
