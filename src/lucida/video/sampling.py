"""Which frames are taken: all, some a second, or one of each scene."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from lucida.errors import InputError
from lucida.video.scenes import SceneDetector

if TYPE_CHECKING:
    from lucida.video.frame import Frame

MOST: Final = 1000.0  # frames a second
_NEAR: Final = 1e-6  # seconds: time stamps are fractions that floats only come near


@dataclass(frozen=True)
class Sampling:
    """Which frames are taken.

    Attributes:
        kind: "all", "rate" or "scene".
        rate: Frames a second, of kind "rate": the first frame at or after each tick, so that a picture which stands
            still in a video of varying rate is taken once.
    """

    kind: Literal["all", "rate", "scene"] = "all"
    rate: float = 0.0

    def start(self) -> Callable[[Frame], bool]:
        """Return a function that is shown every frame in order, and says whether it is taken."""
        if self.kind == "all":
            return lambda _: True
        if self.kind == "scene":
            return SceneDetector().begins
        due = -math.inf

        def ticks(frame: Frame) -> bool:
            nonlocal due
            if frame.time + _NEAR < due:
                return False
            due = (math.floor((frame.time + _NEAR) * self.rate) + 1) / self.rate
            return True

        return ticks

    def __str__(self) -> str:
        return {"all": "every frame", "scene": "one frame a scene"}.get(self.kind, f"{self.rate:g} frames a second")


def read_sampling(text: str) -> Sampling:
    """Return what "all", "scene" or a number of frames a second means.

    Raises:
        InputError: It is none of them.
    """
    if text in ("all", "scene"):
        return Sampling("all" if text == "all" else "scene")
    try:
        rate = float(text)
    except ValueError:
        rate = math.nan
    if not 0 < rate <= MOST:
        raise InputError(
            "--rate is not clear.",
            expected=f'frames a second above 0, at most {MOST:g}; or "scene", or "all"',
            got=repr(text),
            hint="--rate 2",
        )
    return Sampling("rate", rate)
