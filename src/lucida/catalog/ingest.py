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
# Files that a thread takes at once: handing over one alone costs as much as reading a small photo.
GROUP: Final = 16
GROUP_BYTES: Final = 8 * 2**20
# Bytes that may be in memory, waiting for a thread; one larger file may still pass alone.
IN_FLIGHT: Final = 256 * 2**20


@dataclass(frozen=True, slots=True)
class Checked:
    """A found file that is an image."""

    found: Found
    image: ImageRecord


Outcome = Checked | Refusal | Container


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
        self._workers = workers or cores()
        self._batch: list[Checked] = []
        self._taken = 0
        # Where the container that is being read began: images taken and paths refused by then.
        self._began = (0, 0)

    def run(self, items: Iterable[Item], total: Callable[[], int | None] = lambda: None) -> None:
        """Take in all items, in their order.

        Args:
            items: What was found; read a few chunks ahead.
            total: How many there will be; asked only where someone watches the progress.

        Raises:
            CatalogError: The catalog cannot be written; what was committed before stays.
        """
        count = total() if sys.stderr.isatty() else None
        with (
            track("Adding images", count, unit="files") as step,
            ThreadPoolExecutor(self._workers, "lucida-add") as pool,
        ):
            waiting: deque[tuple[int, Future[list[Outcome]]]] = deque()
            weight = 0
            try:
                for group in _groups(self._unknown(items, step), GROUP, GROUP_BYTES):
                    size = sum(map(_weight, group))
                    while waiting and (weight + size > IN_FLIGHT or len(waiting) > 3 * self._workers):
                        done, future = waiting.popleft()
                        weight -= done
                        self._settle(future.result(), step)
                    # A thread reads each file to its last byte; here they only wait their turn.
                    waiting.append((size, pool.submit(self._check_all, group)))
                    weight += size
                while waiting:
                    self._settle(waiting.popleft()[1].result(), step)
            except KeyboardInterrupt:
                # What was checked by now need not be checked again.
                while waiting and waiting[0][1].done():
                    self._settle(waiting.popleft()[1].result(), step)
                self._commit()
                raise
            finally:
                pool.shutdown(wait=False, cancel_futures=True)
            self._commit()

    def _unknown(self, items: Iterable[Item], step: Step) -> Iterator[Item]:
        """Pass on all but the files that are known by path, size and time of change."""
        for group in _groups(items, BATCH, GROUP_BYTES):
            files = [item for item in group if isinstance(item, Found) and item.data is None]
            known = self._catalog.intake.unchanged(files) if files else set()
            self.known += len(known)
            step(len(known))
            yield from (item for item in group if not (isinstance(item, Found) and item.uri in known))

    def _check_all(self, group: list[Item]) -> list[Outcome]:
        """Check the files of a group; runs in a thread."""
        return [self._check(item) if isinstance(item, Found) else item for item in group]

    def _check(self, found: Found) -> Outcome:
        """Read a file to its last byte."""
        if not printable(found.uri) or not printable(found.given):
            return Refusal(show(found.given), "a name that is no Unicode text")
        try:
            data = read(found.uri) if found.data is None else found.data
            header = check(data)
        except ImageError as error:
            return Refusal(found.given, _reason(error))
        id = content_id(data)
        if found.data is not None:
            self._catalog.blobs.write(id, data)
            found = replace(found, data=b"")
        record = ImageRecord(id, header.width, header.height, header.format, header.mode, len(data))
        return Checked(found, record)

    def _settle(self, outcomes: list[Outcome], step: Step) -> None:
        for outcome in outcomes:
            if isinstance(outcome, Container):
                self._container(outcome)
            elif isinstance(outcome, Refusal):
                self.refused.append(outcome)
            else:
                self._batch.append(outcome)
                self._taken += 1
                if len(self._batch) >= BATCH:
                    self._commit()
        step(sum(not isinstance(outcome, Container) for outcome in outcomes))

    def _commit(self) -> None:
        batch, self._batch = self._batch, []
        new = self._catalog.intake.record([(checked.found, checked.image) for checked in batch])
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


def _groups(items: Iterable[Item], count: int, size: int) -> Iterator[list[Item]]:
    """Group items by number and weight: what lies in memory already must not pile up."""
    group: list[Item] = []
    weight = 0
    for item in items:
        group.append(item)
        weight += len(item.data or b"") if isinstance(item, Found) else 0
        if len(group) >= count or weight >= size:
            yield group
            group, weight = [], 0
    if group:
        yield group


def _weight(item: Item) -> int:
    return item.size if isinstance(item, Found) else 0


def _reason(error: ImageError) -> str:
    text = error.what[:1].lower() + error.what[1:].rstrip(".")
    return f"{text} ({error.got})" if "too" in error.what and error.got else text


def cores() -> int:
    """Return how many threads can work at once on this machine, 1 to 16."""
    affinity = getattr(os, "sched_getaffinity", None)
    return max(1, min(16, len(affinity(0)) if affinity else os.cpu_count() or 1))
