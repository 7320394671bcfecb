"""An index of unit vectors in files: each lies in the list of its nearest centre, and a search reads a few lists.

The lists are rows in files that are mapped, not loaded, and never change once written: the upper two bytes of each
number, which are read of all rows of a list, and the third, which is read of the best of them. `index.json` names
those that count and is replaced in one step. So readers need no lock, a writer that is stopped leaves the index as it
was, and whatever is damaged or deleted is made again from the vectors themselves.

Source: the inverted file of Jégou, Douze & Schmid 2011, Product Quantization for Nearest Neighbor Search, without the
quantisation; spherical k-means of Dhillon & Modha 2001.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from lucida.whole import write_whole

Array = np.ndarray[Any, np.dtype[np.float32]]
Ints = np.ndarray[Any, np.dtype[np.int64]]
Blocks = Callable[[], Iterable[tuple[Ints, Array]]]

FILE: Final = "index.json"
FORMAT: Final = 1
# How many lists there are, times the square root of the number of vectors, and how many of them a search reads. Of
# 40,000 vectors of the embedded encoder the ten nearest were found to 98 % with 24 of 200 lists, and with a quarter
# fewer rows to look at with 36 of 400.
LISTS: Final = 2
PROBES: Final = 32
AGAIN: Final = 5  # so many times k are compared exactly
SAMPLE: Final = 48  # rows a list from which the centres are learned
ROUNDS: Final = 12
BLOCK: Final = 8192  # rows at a time; memory is about BLOCK x lists x 4 bytes
OLD: Final = 3600.0  # seconds after which files that nobody names are deleted: a reader may still map them


@dataclass(frozen=True, eq=False)
class Segment:
    """Rows that were indexed together.

    Attributes:
        high: uint16 (n, d), the upper two bytes of each number, list by list; mapped.
        low: uint8 (n, d), the third byte; mapped.
        images: int64 (n,), image numbers of the rows.
        starts: int64 (lists + 1,), where each list begins.
    """

    high: np.ndarray[Any, np.dtype[np.uint16]]
    low: np.ndarray[Any, np.dtype[np.uint8]]
    images: Ints
    starts: Ints

    def scores(self, lists: Sequence[slice], unit: Array) -> Array:
        """Return nearly the cosines of all rows of some lists: two bytes a number tell most neighbours apart."""
        longest = max((part.stop - part.start for part in lists), default=0)
        # One list is widened at a time, always in the same place: it stays in the cache of the processor.
        wide = np.empty((longest, self.high.shape[1]), np.uint32)
        scores = [np.zeros(0, np.float32)]
        for part in lists:
            bits = wide[: part.stop - part.start]
            bits[...] = self.high[part]
            np.left_shift(bits, 16, out=bits)
            scores.append(bits.view(np.float32) @ unit)
        return np.concatenate(scores)

    def exact(self, rows: Ints, unit: Array) -> Array:
        """Return the cosines of some rows, to four digits."""
        bits = self.high[rows].astype(np.uint32) << 16 | self.low[rows].astype(np.uint32) << 8
        return np.asarray(bits.view(np.float32) @ unit, np.float32)


class Index:
    """An index as it was when it was opened.

    Args:
        folder: Its folder.
        body: What index.json said.
    """

    def __init__(self, folder: Path, body: dict[str, Any]) -> None:
        self.folder, self._body = folder, body
        self.centres: Array = np.load(folder / f"{body['centres']}.npy")
        self.segments = [_open_segment(folder, name) for name in body["segments"]]
        self.trained = int(body["trained"])
        self.images: Ints = np.sort(np.concatenate([np.zeros(0, np.int64), *(one.images for one in self.segments)]))

    @property
    def stamp(self) -> str:
        """What changes whenever the index does."""
        return "/".join((self._body["centres"], *self._body["segments"]))

    def search(self, unit: Array, k: int, *, probes: int = PROBES) -> tuple[Ints, Array]:
        """Return image numbers and cosines of the nearest vectors, at most k, in any order.

        Args:
            unit: float32 (d,), of length one.
            k: How many.
            probes: How many lists are read.
        """
        probes = min(probes, len(self.centres))
        near = np.argpartition(-(self.centres @ unit), probes - 1)[:probes]
        images, scores = [np.zeros(0, np.int64)], [np.zeros(0, np.float32)]
        for one in self.segments:
            lists = [slice(int(one.starts[i]), int(one.starts[i + 1])) for i in near.tolist()]
            rough = one.scores(lists, unit)
            rows = np.concatenate([np.arange(part.start, part.stop) for part in lists])
            if len(rough) > AGAIN * k:
                best = np.argpartition(-rough, AGAIN * k - 1)[: AGAIN * k]
                rows = rows[best]
            images.append(one.images[rows])
            scores.append(one.exact(rows, unit))
        found, cosines = np.concatenate(images), np.concatenate(scores)
        if len(cosines) > k:
            best = np.argpartition(-cosines, k - 1)[:k]
            found, cosines = found[best], cosines[best]
        return found, cosines


def open_index(folder: Path) -> Index | None:
    """Open the index in a folder; None where there is none, or where it is damaged and must be made again."""
    try:
        body = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return Index(folder, body) if body["format"] == FORMAT else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def stamp(folder: Path) -> int:
    """Return what changes whenever another index is written; 0 where there is none."""
    try:
        return (folder / FILE).stat().st_mtime_ns
    except OSError:
        return 0


def build(folder: Path, count: int, blocks: Blocks) -> None:
    """Make the index of all vectors anew, whatever their number, in bounded memory.

    Args:
        folder: Its folder; it is made if missing.
        count: About how many vectors there are.
        blocks: Yields image numbers and unit vectors float32 (n, d), block by block; called several times.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lists = max(1, round(LISTS * count**0.5))
    centres = _learn(_sample(blocks(), count, lists * SAMPLE), lists)
    name = secrets.token_hex(6)
    np.save(folder / f"{name}.npy", centres)
    segment = _write_segment(folder, centres, blocks)
    _commit(folder, {"format": FORMAT, "centres": name, "segments": [segment], "trained": count})


def extend(index: Index, blocks: Blocks) -> None:
    """Add vectors to an index, to the lists that it has."""
    segment = _write_segment(index.folder, index.centres, blocks)
    _commit(index.folder, {**index._body, "segments": [*index._body["segments"], segment]})


def _commit(folder: Path, body: dict[str, Any]) -> None:
    write_whole(folder / FILE, json.dumps(body), shared=True)
    named = {FILE, f"{body['centres']}.npy", *(f"{name}{part}.npy" for name in body["segments"] for part in PARTS)}
    for path in folder.iterdir():
        try:
            if path.name not in named and time.time() - path.stat().st_mtime > OLD:
                path.unlink()
        except OSError:
            continue  # another process was quicker, or still maps it


# ---- segments ------------------------------------------------------------------------------------------

PARTS: Final = ("-high", "-low", "-images", "-starts")


def _open_segment(folder: Path, name: str) -> Segment:
    high, low, images, starts = (folder / f"{name}{part}.npy" for part in PARTS)
    opened = Segment(np.load(high, mmap_mode="r"), np.load(low, mmap_mode="r"), np.load(images), np.load(starts))
    if not len(opened.high) == len(opened.low) == len(opened.images) == opened.starts[-1]:
        raise ValueError("the parts of a segment do not fit")
    return opened


def _write_segment(folder: Path, centres: Array, blocks: Blocks) -> str:
    """Write a segment list by list and return its name: one pass to count, one to write each row where it belongs."""
    numbers: list[Ints] = []
    nearest: list[Ints] = []
    for some, rows in blocks():
        numbers.append(some)
        nearest.append(_nearest(rows, centres))
    images, lists = (np.concatenate([np.zeros(0, np.int64), *parts]) for parts in (numbers, nearest))
    # A vector that is yielded twice, as by a writer at work, is kept once.
    images, first = np.unique(images, return_index=True)
    lists = lists[first]
    order = np.argsort(lists, kind="stable")
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    name = secrets.token_hex(6)
    shape = (len(images), centres.shape[1])
    high = np.lib.format.open_memmap(folder / f"{name}-high.npy", "w+", np.uint16, shape)
    low = np.lib.format.open_memmap(folder / f"{name}-low.npy", "w+", np.uint8, shape)
    for some, rows in blocks():
        at = np.searchsorted(images, some)
        known = at < len(images)
        known[known] = images[at[known]] == some[known]
        bits = np.ascontiguousarray(rows[known]).view(np.uint32)
        high[place[at[known]]] = bits >> 16
        low[place[at[known]]] = (bits >> 8) & 0xFF
    high.flush()
    low.flush()
    np.save(folder / f"{name}-images.npy", images[order])
    np.save(folder / f"{name}-starts.npy", np.concatenate([[0], np.cumsum(np.bincount(lists, minlength=len(centres)))]))
    return name


# ---- centres -------------------------------------------------------------------------------------------


def _sample(blocks: Iterable[tuple[Ints, Array]], count: int, wanted: int) -> Array:
    """Return about as many rows as wanted, at random."""
    random = np.random.default_rng(0)
    share = min(1.0, wanted / max(count, 1))
    kept = [rows if share == 1 else rows[random.random(len(rows)) < share] for _, rows in blocks]
    rows = np.concatenate(kept)
    return rows if len(rows) else np.zeros((1, rows.shape[1]), np.float32)


def _learn(rows: Array, lists: int) -> Array:
    """Return centres float32 (lists, d) of length one."""
    random = np.random.default_rng(0)
    centres = rows[random.choice(len(rows), lists, replace=len(rows) < lists)].copy()
    for _ in range(ROUNDS):
        nearest = _nearest(rows, centres)
        order = np.argsort(nearest, kind="stable")
        sizes = np.bincount(nearest, minlength=lists)
        filled = np.flatnonzero(sizes)
        starts = np.concatenate([[0], np.cumsum(sizes)])[filled]
        sums = np.add.reduceat(rows[order], starts, axis=0)
        centres[filled] = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
        # A list without rows takes one from the fullest ones, which are then divided.
        empty = np.flatnonzero(sizes == 0)
        if len(empty):
            full = np.isin(nearest, np.argsort(-sizes)[: len(empty)])
            pool = np.flatnonzero(full)
            centres[empty] = rows[random.choice(pool, len(empty), replace=len(pool) < len(empty))]
    return centres


def _nearest(rows: Array, centres: Array) -> Ints:
    """Return the nearest centre of each row."""
    return np.concatenate([np.zeros(0, np.int64), *(np.argmax(part @ centres.T, axis=1) for part in _parts(rows))])


def _parts(rows: Array) -> Iterator[Array]:
    for start in range(0, len(rows), BLOCK):
        yield rows[start : start + BLOCK]
