"""Bring what was found into the catalog: read, check and name in threads, write in batches.

What is known by its path, size and time of change is not read again. A batch is one transaction, so whatever stops
the program costs at most the batch in flight; doing it again gives the same catalog as never having been stopped.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lucida.catalog.records import ImageRecord, Refusal
from lucida.catalog.sources.found import Container, Found, printable, show
from lucida.errors import ImageError
from lucida.images import check, content_id, read
from lucida.progress import Step, track

if TYPE_CHECKING:
    from lucida.catalog.catalog import Catalog

Item = Found | Refusal | Container

BATCH: Final = 256
# Bytes that may be in memory, waiting for a thread; one larger file may still pass alone.
IN_FLIGHT: Final = 256 * 2**20


@dataclass(frozen=True, slots=True)
class Checked:
    """A found file that is an image."""

    found: Found
    image: ImageRecord


class Ingest:
    """One call of `add`.

    Attributes:
        added: Images that are new in the catalog.
        known: Files whose image was there before, or came twice.
        refused: What was refused, with its reason.
    """

    def __init__(self, catalog: Catalog, *, workers: int | None = None) -> None:
        self.added = 0
        self.known = 0
        self.refused: list[Refusal] = []
        self._catalog = catalog
        self._workers = workers or _cores()
        self._batch: list[Checked] = []
        self._taken = 0
        # Where the container that is being read began: images taken and paths refused by then.
        self._began = (0, 0)

    def run(self, items: Iterable[Item], total: Callable[[], int | None] = lambda: None) -> None:
        """Take in all items, in their order.

        Args:
            items: What was found; read one chunk ahead.
            total: How many there will be; asked only where someone watches the progress.

        Raises:
            CatalogError: The catalog cannot be written; what was committed before stays.
        """
        count = total() if sys.stderr.isatty() else None
        with (
            track("Adding images", count, unit="files") as step,
            ThreadPoolExecutor(self._workers, "lucida-add") as pool,
        ):
            waiting: deque[tuple[Item, Future[Checked | Refusal] | None]] = deque()
            weight = 0
            try:
                for item in self._unknown(items, step):
                    while waiting and (weight > IN_FLIGHT or len(waiting) >= 8 * self._workers):
                        weight -= _weight(waiting[0][0])
                        self._settle(*waiting.popleft(), step)
                    # A thread reads it and looks at every byte; here it only waits its turn.
                    future = pool.submit(self._check, item) if isinstance(item, Found) else None
                    weight += _weight(item)
                    waiting.append((item, future))
                while waiting:
                    self._settle(*waiting.popleft(), step)
            except BaseException:
                for _, future in waiting:
                    if future is not None:
                        future.cancel()
                raise
            self._commit()

    def _unknown(self, items: Iterable[Item], step: Step) -> Iterator[Item]:
        """Pass on all but the files that are known by path, size and time of change."""
        # A member's bytes are in memory already; looking ahead would pile them up.
        for chunk in _by_weight(items):
            files = [item for item in chunk if isinstance(item, Found) and item.data is None]
            known = self._catalog.intake.unchanged(files) if files else set()
            self.known += len(known)
            step(len(known))
            yield from (item for item in chunk if not (isinstance(item, Found) and item.uri in known))

    def _check(self, found: Found) -> Checked | Refusal:
        """Read a file to its last byte; runs in a thread."""
        if not printable(found.uri) or not printable(found.given):
            return Refusal(show(found.given), "a name that is no Unicode text")
        try:
            data = read(Path(found.uri)) if found.data is None else found.data
            header = check(data)
        except ImageError as error:
            return Refusal(found.given, _reason(error))
        id = content_id(data)
        if found.data is not None:
            self._catalog.blobs.write(id, data)
        record = ImageRecord(id, header.width, header.height, header.format, header.mode, len(data))
        return Checked(found, record)

    def _settle(self, item: Item, future: Future[Checked | Refusal] | None, step: Step) -> None:
        if isinstance(item, Container):
            self._container(item)
            return
        outcome = future.result() if future is not None else item
        if isinstance(outcome, Checked):
            self._batch.append(outcome)
            self._taken += 1
            if len(self._batch) >= BATCH:
                self._commit()
        elif isinstance(outcome, Refusal):
            self.refused.append(outcome)
        step(1)

    def _commit(self) -> None:
        batch, self._batch = self._batch, []
        new = self._catalog.intake.record([(c.found, c.image) for c in batch])
        self.added += new
        self.known += len(batch) - new

    def _container(self, container: Container) -> None:
        """Count what a container held, and note its end, so that it need not be read again."""
        if container.stage == "known":
            self.known += container.images
            self.refused += container.refused
        elif container.stage == "begin":
            self._began = (self._taken, len(self.refused))
        else:
            self._commit()
            taken, refused = self._began
            of_it = tuple(self.refused[refused:])
            # What a missing package refused may be taken once it is installed.
            if not any("not installed" in refusal.reason for refusal in of_it):
                self._catalog.intake.close(replace(container, images=self._taken - taken, refused=of_it))


def _by_weight(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Group files that are still on disk, and pass on members of containers one by one."""
    group: list[Item] = []
    for item in items:
        group.append(item)
        if len(group) >= BATCH or (isinstance(item, Found) and item.data is not None) or isinstance(item, Container):
            yield group
            group = []
    if group:
        yield group


def _weight(item: Item) -> int:
    return item.size if isinstance(item, Found) else 0


def _reason(error: ImageError) -> str:
    text = error.what[:1].lower() + error.what[1:].rstrip(".")
    return f"{text} ({error.got})" if "too" in error.what and error.got else text


def _cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return max(1, min(16, len(affinity(0)) if affinity else os.cpu_count() or 1))
