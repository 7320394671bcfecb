"""Look at images once: what each is by its bytes, and which are near-identical."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from lucida.data.alignment import SIDE
from lucida.data.decisions import Decisions
from lucida.data.duplicates import group
from lucida.data.looks import Looks
from lucida.errors import ImageError
from lucida.progress import track

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WORKERS = 4
_AHEAD = 1024  # images handed to the threads at a time


@dataclass(frozen=True)
class Seen:
    """What n images are.

    Attributes:
        ids: Content id of each; "" where it cannot be read.
        looks: What each looks like.
        vectors: (n, d) float32 embeddings of the embedded encoder, which find more near-identical ones; or None.
        decided: What people said of pairs of these images.
    """

    ids: tuple[str, ...]
    looks: Looks = field(repr=False)
    vectors: NDArray[np.float32] | None = field(default=None, repr=False)
    decided: Decisions = field(default_factory=Decisions, repr=False)

    @cached_property
    def groups(self) -> list[int]:
        """The group of each image: near-identical images share a number."""
        same, different = self.decided.rows(self.ids)
        return group(self.looks, vectors=self.vectors, same=same, different=different)


def see(
    readers: Sequence[Callable[[], bytes]],
    *,
    vectors: NDArray[np.float32] | None = None,
    decided: Decisions | None = None,
    about: str = "Finding near-identical images",
) -> Seen:
    """Read and decode images, as small as their format allows; one that cannot be decoded is near to nothing.

    Args:
        readers: What returns the bytes of each image.
        vectors: (n, d) float32 embeddings of the embedded encoder, zeros for images without one.
        decided: What people said of pairs of these images.
        about: What the progress bar says.
    """
    from lucida.images import content_id, decode

    looks = Looks.empty(len(readers))
    ids = [""] * len(readers)

    def look(row: int) -> None:
        try:
            data = readers[row]()
            ids[row] = content_id(data) if data else ""
            looks.put(row, decode(data, cover=SIDE))
        except ImageError:
            return  # whoever uses the image reports it

    with track(about, len(readers)) as step, ThreadPoolExecutor(WORKERS) as pool:
        for start in range(0, len(readers), _AHEAD):
            for _ in pool.map(look, range(start, min(start + _AHEAD, len(readers)))):
                step()
    return Seen(tuple(ids), looks, vectors, decided or Decisions())
