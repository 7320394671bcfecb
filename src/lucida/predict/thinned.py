"""A few frames that stand for a whole video, what a model is told of them, and how they are drawn with its answer."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

from lucida.results.drawing import draw

if TYPE_CHECKING:
    from lucida.results import Text
    from lucida.video import Frame

WIDE: Final = 1600  # pixels of a picture of several frames
LETTER: Final = 20  # pixels of the times in it


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


def draw_answer(shown: Sequence[tuple[float, bytes]], questions: Sequence[str], answer: Text) -> PIL.Image.Image:
    """Return one picture of the frames that a model was shown, each with its time, and of what was asked and answered.

    Args:
        shown: Time and file of each frame, of one size; at least one.
        questions: In their order.
        answer: To the last of them.
    """
    first = PIL.Image.open(io.BytesIO(shown[0][1]))
    across = math.ceil(math.sqrt(len(shown)))
    width = min(first.width, WIDE // across)
    height = max(1, round(first.height * width / first.width))
    grid = PIL.Image.new("RGB", (across * width, math.ceil(len(shown) / across) * (height + LETTER + 4)), (20, 20, 20))
    pen, font = PIL.ImageDraw.Draw(grid), PIL.ImageFont.load_default(LETTER - 4)
    for place, (time, data) in enumerate(shown):
        left, top = place % across * width, place // across * (height + LETTER + 4)
        with PIL.Image.open(io.BytesIO(data)) as frame:
            grid.paste(frame.convert("RGB").resize((width, height)), (left, top))
        pen.text((left + 4, top + height + 2), f"{time:.1f} s", (240, 240, 240), font=font)
    words = replace(answer, text=f"{questions[-1]} {answer.text}")
    return draw(words, np.asarray(grid))
