"""Images of files, folders and archives, looked at in order on all cores, without a catalog of their own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from lucida.catalog import Catalog
from lucida.catalog.sources import Container, find
from lucida.catalog.sources.found import Found
from lucida.errors import CatalogError, ImageError, InputError
from lucida.images import read
from lucida.models.threads import available_cores
from lucida.runs.local import map_batches
from lucida.runs.seeing import Seen

if TYPE_CHECKING:
    from lucida.catalog.records import Refusal

BATCH = 8  # images that are looked at together
GROUP = 512  # files that are known of at a time
_UNUSUAL = re.compile(r'[\x00-\x1f<>:"/\\|?*]+')  # what file names of some system cannot hold
Thing = TypeVar("Thing")


class LookedAt(NamedTuple):
    """One image: what it was asked for as, its bytes (None where they cannot be read), and what was seen."""

    name: str
    data: bytes | None
    seen: Seen


def home_of(catalog: Path | None) -> Path | None:
    """Return where a catalog keeps models of its own; None where there is no catalog.

    Raises:
        CatalogError: One was named that is not there.
    """
    try:
        with Catalog.open(catalog) as opened:
            return opened.models
    except CatalogError:
        if catalog is not None:
            raise
        return None


def sources(paths: Sequence[Path]) -> Iterator[Found | Refusal]:
    """Yield files that may be images, and what cannot be one."""
    yield from (item for item in find(paths) if not isinstance(item, Container))


def name_of(item: Found | Refusal) -> str:
    """Return the path as it was given."""
    return item.given if isinstance(item, Found) else item.path


def read_source(item: Found | Refusal) -> bytes:
    """Return the bytes of a file.

    Raises:
        ImageError: It cannot be read, or is none.
    """
    if not isinstance(item, Found):
        raise ImageError(item.reason)
    return item.data if item.data is not None else read(item.uri)


def look_at(
    see: Callable[[Sequence[bytes]], list[Seen]],
    items: Iterable[Thing],
    load: Callable[[Thing], bytes],
    name: Callable[[Thing], str],
    *,
    batch: int = BATCH,
    workers: int | None = None,
) -> Iterator[LookedAt]:
    """Yield what is seen of each item, in order.

    Args:
        see: Looks at encoded files; called from several threads.
        items: What to look at; no more than a few hundred are taken ahead.
        load: Returns the bytes of one; an ImageError is said of it and stops nothing.
        name: Returns what one is called.
        batch: Items that are looked at together.
        workers: Calls of `see` at a time; as many as the machine has cores where it is None.
    """

    def work(part: tuple[Thing, ...]) -> list[LookedAt]:
        files: list[bytes | None] = []
        failed: dict[int, str] = {}
        for row, item in enumerate(part):
            try:
                files.append(load(item))
            except ImageError as error:
                files.append(None)
                failed[row] = error.line()
        said = iter(see([data for data in files if data is not None]))
        return [
            LookedAt(name(item), data, Seen(problem=failed[row]) if data is None else next(said))
            for row, (item, data) in enumerate(zip(part, files, strict=True))
        ]

    coming = iter(items)
    # The first batch alone: it loads the models, which threads would otherwise load several times.
    if first := tuple(islice(coming, batch)):
        yield from work(first)
    while group := list(islice(coming, GROUP)):
        for part in map_batches(work, group, batch=batch, workers=workers or available_cores()):
            yield from part


class NewFiles:
    """Gives each image or video a file of its own in a folder; never one that is its source.

    Args:
        folder: Made where it is missing.

    Raises:
        InputError: It cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._taken: set[str] = set()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"{folder} cannot be made.",
                expected="a folder",
                got=error.strerror or str(error),
                hint="another folder",
            ) from error

    def free(self, path: str, suffix: str, source: str = "") -> Path:
        """Return a file that nothing was written into yet, and that is not the source itself.

        Args:
            path: What it is named after.
            suffix: Of the file.
            source: Where the image or video lies; the path where it is left out.
        """
        stem, number = _UNUSUAL.sub("-", Path(path).stem).strip("-") or "image", 1
        file, own = self._folder / f"{stem}{suffix}", Path((source or path).removeprefix("file:"))
        while file.name.casefold() in self._taken or (file.exists() and own.exists() and file.samefile(own)):
            number += 1
            file = self._folder / f"{stem}-{number}{suffix}"
        self._taken.add(file.name.casefold())
        return file
