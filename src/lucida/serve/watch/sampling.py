"""Which live images are looked at: drawn without regard to what they show, so many a minute; a bounded number waits."""

from __future__ import annotations

import math
import random
import time
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from lucida.serve.looking import Looked
    from lucida.serve.watch.settings import WatchSettings

WAITING: Final = 64  # images that wait to be looked at, at most
HELD: Final = 64 * 2**20  # bytes of them, at most
KNOWN: Final = 5000  # images that count once when they come again


class Taken(NamedTuple):
    """A live image that waits to be looked at.

    Attributes:
        looked: What was asked and answered.
        time: Seconds since 1970; NaN where it is kept for a person and not compared.
    """

    looked: Looked
    time: float

    @property
    def compared(self) -> bool:
        """Whether it was drawn to be compared."""
        return not math.isnan(self.time)

    @property
    def bytes(self) -> int:
        """Size of what was sent."""
        return len(self.looked.job.sent.data or b"")


class Sampling:
    """Draws images, and holds them until somebody has time; its methods are called in the event loop.

    Args:
        settings: Which share is drawn, and how many a minute.

    Attributes:
        passed: Images that were drawn and that nobody found time for.
    """

    def __init__(self, settings: WatchSettings) -> None:
        self._share, self._most = settings.sample, float(settings.a_minute)
        self._tokens, self._counted = self._most, time.monotonic()
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._waiting: deque[Taken] = deque()
        self._held = 0
        self.passed = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def draws(self, image: str) -> bool:
        """Tell whether an image is compared; an equal one, sent again, is no draw of its own."""
        if image in self._seen:
            return False
        now = time.monotonic()
        self._tokens = min(self._most, self._tokens + (now - self._counted) * self._most / 60)
        self._counted = now
        if self._tokens < 1 or (self._share < 1 and random.random() >= self._share):
            return False
        self._tokens -= 1
        self._seen[image] = None
        while len(self._seen) > KNOWN:
            self._seen.popitem(last=False)
        return True

    def put(self, looked: Looked, *, compared: bool) -> None:
        """Hold an image; the oldest go where there are too many."""
        self._waiting.append(Taken(looked, time.time() if compared else math.nan))
        self._held += self._waiting[-1].bytes
        while len(self._waiting) > WAITING or (self._held > HELD and len(self._waiting) > 1):
            self.take()
            self.passed += 1

    def take(self) -> Taken:
        """Return the image that has waited longest."""
        taken = self._waiting.popleft()
        self._held -= taken.bytes
        return taken
