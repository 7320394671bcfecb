"""A few frames that stand for a whole video, and what a model is told of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lucida.video import Frame


@dataclass
class Thinned:
    """Keeps some frames of a video of unknown length, evenly: twice as many as asked for at most, as JPEG files.

    Args:
        most: How many are asked for.
    """

    most: int
    _kept: list[tuple[float, bytes]] = field(default_factory=list)
    _every: int = 1
    _seen: int = 0

    def add(self, frame: Frame) -> None:
        """Keep a frame, if it is its turn."""
        if self._seen % self._every == 0:
            self._kept.append((frame.time, frame.jpeg()))
            if len(self._kept) > 2 * self.most:
                self._kept = self._kept[::2]
                self._every *= 2
        self._seen += 1

    def chosen(self) -> list[tuple[float, bytes]]:
        """Return time and file of each that is shown, the first and the last among them."""
        count = len(self._kept)
        if count <= self.most:
            return self._kept
        return [self._kept[round(k * (count - 1) / max(1, self.most - 1))] for k in range(self.most)]


def told(shown: Sequence[tuple[float, bytes]], seconds: float) -> str:
    """Return what a model is told of the frames that it is shown."""
    times = ", ".join(f"{time:.1f}" for time, _ in shown)
    return f"These are {len(shown)} frames of one video of {seconds:.1f} seconds, in order, at {times} seconds."
