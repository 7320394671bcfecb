"""Look at every image once: its figures, its bytes and what it is like."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from lucida.clean.measures import MEASURES, SIDE, measure
from lucida.data.decisions import Decisions
from lucida.data.duplicates import group
from lucida.data.looks import Looks
from lucida.errors import ImageError
from lucida.images import content_id, decode, probe
from lucida.models.threads import available_cores
from lucida.progress import track

if TYPE_CHECKING:
    from numpy.typing import NDArray

_AHEAD = 512  # images handed to the threads at a time


@dataclass(frozen=True)
class Looked:
    """What n images are.

    Attributes:
        ids: Content id of each; "" where nothing could be read.
        looks: What each looks like.
        figures: float64 (n, measures); NaN where an image could not be decoded.
        failed: Number of an image to why it could not be decoded.
    """

    ids: list[str]
    looks: Looks = field(repr=False)
    figures: NDArray[np.float64] = field(repr=False)
    failed: dict[int, str]

    def groups(self, vectors: NDArray[np.float32] | None, decided: Decisions) -> list[int]:
        """Return the group of each image: near-identical ones share a number, as people decided where they did."""
        same, different = decided.rows(self.ids)
        return group(self.looks, vectors=vectors, same=same, different=different)


def look_at(readers: Sequence[Callable[[], bytes]]) -> Looked:
    """Read and decode images; what cannot be decoded is noted, not raised."""
    count = len(readers)
    found = Looked([""] * count, Looks.empty(count), np.full((count, len(MEASURES)), np.nan), {})

    def look(row: int) -> None:
        try:
            data = readers[row]()
            found.ids[row] = content_id(data) if data else ""
            header = probe(data)
            image = decode(data, cover=SIDE, fine=True)
        except ImageError as error:
            found.failed[row] = error.what
            return
        found.figures[row] = measure(image, (header.width, header.height))
        found.looks.put(row, image)

    with track("Looking at images", count) as step, ThreadPoolExecutor(available_cores()) as pool:
        for start in range(0, count, _AHEAD):
            for _ in pool.map(look, range(start, min(start + _AHEAD, count))):
                step()
    return found
