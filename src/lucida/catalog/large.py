"""Search among more vectors than fit a look at each: by an index, and exactly among what is not in it yet."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from lucida.catalog.nearest import compared
from lucida.errors import CatalogError

Array = np.ndarray[Any, np.dtype[np.float32]]
Ints = np.ndarray[Any, np.dtype[np.int64]]
Parts = tuple[slice, ...]

# Vectors that may wait for the index; they are kept in memory meanwhile, and each is looked at.
UNINDEXED: Final = 10_000
# An index is made anew when it has grown so much since its centres were learned, or lies in so many pieces.
GROWN: Final = 2
PIECES: Final = 12


@dataclass(eq=False)
class Held:
    """What is kept in memory of one collection.

    Attributes:
        stamps: Of index and table as they were read.
        index: The index; None where there is none.
        images: int64 (n,), of the vectors that are not in it.
        rows: float32 (n, d), these vectors as they are compared; None where they are too many to keep.
    """

    stamps: tuple[int, int]
    index: Any
    images: Ints
    rows: Array | None


class Large:
    """The vectors that lie in Lance.

    Args:
        folder: The folder of all tables.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[Path, Held] = {}

    def search(self, key: str, unit: Array, parts: Parts, k: int) -> dict[int, float]:
        """Return numbers and cosines of the nearest images.

        Args:
            key: Model and revision.
            unit: float32 (d,), the query as it is compared.
            parts: Which parts of the vectors are compared.
            k: How many.
        """
        held = self._look(key, parts)
        found: list[tuple[Ints, Array]] = []
        if held.index is not None:
            found.append(held.index.search(unit, k))
        if held.rows is not None:
            found.append((held.images, held.rows @ unit))
        elif len(held.images):
            found += _best_of_all(self._blocks(key, parts, held), unit, k)
        if not found:
            return {}
        images, scores = (np.concatenate(ones) for ones in zip(*found, strict=True))
        best = np.argsort(-scores, kind="stable")[:k]
        return dict(zip(images[best].tolist(), scores[best].tolist(), strict=True))

    def ready(self, key: str, parts: Parts) -> None:
        """Bring the index up to date where more is missing in it than a search should look at one by one."""
        from lucida.catalog import ivf

        held = self._look(key, parts)
        waiting = len(held.images)
        if waiting <= (UNINDEXED if held.index is not None else 0):
            return
        total = waiting + (len(held.index.images) if held.index is not None else 0)
        try:
            if held.index is None or total > GROWN * held.index.trained or len(held.index.segments) >= PIECES:
                everything = Held(held.stamps, None, np.zeros(0, np.int64), None)
                ivf.build(self._place(key, parts), total, lambda: self._blocks(key, parts, everything))
            else:
                ivf.extend(held.index, lambda: self._blocks(key, parts, held))
        except OSError as error:
            raise CatalogError(
                f"The index of the vectors in {self._folder} cannot be written.",
                expected="room on the disk, about as much as the vectors take",
                got=str(error),
                hint="free some space; without an index, searches are slow and exact",
            ) from error

    def _look(self, key: str, parts: Parts) -> Held:
        """Return what is held, read anew where this or another process has added something."""
        from lucida.catalog import ivf, lance

        place = self._place(key, parts)
        stamps = (ivf.stamp(place), lance.stamp(self._folder, key))
        held = self._held.get(place)
        if held is None or held.stamps != stamps:
            index = held.index if held is not None and held.stamps[0] == stamps[0] else None
            index = index or ivf.open_index(place)
            images = lance.images(self._folder, key)
            if index is not None:
                images = np.setdiff1d(images, index.images)
            held = Held(stamps, index, images, None)
            if index is not None and len(images) <= 2 * UNINDEXED:
                waiting = list(self._blocks(key, parts, held)) if len(images) else []
                held.images = np.concatenate([np.zeros(0, np.int64), *(numbers for numbers, _ in waiting)])
                held.rows = np.concatenate([rows for _, rows in waiting]) if waiting else None
            self._held[place] = held
        return held

    def _blocks(self, key: str, parts: Parts, held: Held) -> Iterator[tuple[Ints, Array]]:
        """Yield what is not in the index, as it is compared."""
        from lucida.catalog import lance

        known = held.index.images if held.index is not None else None
        for numbers, rows in lance.blocks(self._folder, key, known):
            if len(numbers):
                yield np.asarray(numbers, np.int64), compared(rows, parts)

    def _place(self, key: str, parts: Parts) -> Path:
        from lucida.catalog import lance

        about = "".join(f"{part.start}:{part.stop} " for part in parts)
        digest = f"-{hashlib.sha256(about.encode()).hexdigest()[:8]}" if parts else ""
        return self._folder / f"{lance.table_name(key)}{digest}.index"


def _best_of_all(blocks: Iterator[tuple[Ints, Array]], unit: Array, k: int) -> Iterator[tuple[Ints, Array]]:
    for numbers, rows in blocks:
        scores = rows @ unit
        best: Sequence[int] | slice = slice(None)
        if k < len(scores):
            best = np.argpartition(-scores, k - 1)[:k].tolist()
        yield numbers[best], scores[best]
