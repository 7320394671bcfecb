"""How much somebody may ask: so many requests a minute, so many images a day, so many wrong keys."""

from __future__ import annotations

import ipaddress
import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

DAY: Final = 86_400
WRONG: Final = 20  # wrong keys that an address may send at once, and in each minute after that
ADDRESSES: Final = 10_000  # that are remembered; the one that was silent longest is forgotten first


@dataclass
class Bucket:
    """Holds what may be done at once, and fills again within a minute.

    Attributes:
        left: What may be done now.
        at: When that was so, in seconds.
    """

    left: float
    at: float

    def wait(self, now: float, a_minute: int) -> float:
        """Return the seconds until one more is allowed; 0 for now."""
        self.left = min(a_minute, self.left + max(0.0, now - self.at) * a_minute / 60)
        self.at = now
        # A rounding error must not refuse who came when it was told to.
        return max(0.0, (1 - self.left) * 60 / a_minute) if self.left < 1 - 1e-6 else 0.0

    def take(self) -> None:
        """Count one."""
        self.left -= 1


class Usage:
    """What one holder has asked.

    Args:
        now: Seconds since 1970.

    Attributes:
        counted: A day since 1970, UTC, and the images of that day.
    """

    def __init__(self, now: float) -> None:
        self._requests = Bucket(math.inf, now)
        self.counted = (-1, 0)

    def ask(self, now: float, a_minute: int) -> float:
        """Count a request if there is room for it, and return 0; else the seconds until there is."""
        wait = self._requests.wait(now, a_minute)
        if not wait:
            self._requests.take()
        return wait

    def look(self, now: float, images: int, a_day: int) -> float:
        """Count images if there is room for all of them, and return 0; else the seconds until midnight, UTC."""
        day = int(now // DAY)
        before = self.counted[1] if self.counted[0] == day else 0
        if before + images > a_day:
            return (day + 1) * DAY - now
        self.counted = (day, before + images)
        return 0.0

    def count_on(self, day: int, images: int) -> None:
        """Add what was asked before, unless that was on an earlier day than what was asked since."""
        if day >= self.counted[0]:
            self.counted = (day, images + (self.counted[1] if self.counted[0] == day else 0))


class WrongKeys:
    """Counts wrong keys by where they come from, in bounded memory."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._seen)

    def note(self, address: str, now: float) -> float:
        """Count one, and return 0; where there were too many, the seconds until one more is looked at."""
        source = _network(address)
        bucket = self._seen.setdefault(source, Bucket(WRONG, now))
        self._seen.move_to_end(source)
        while len(self._seen) > ADDRESSES:
            self._seen.popitem(last=False)
        wait = bucket.wait(now, WRONG)
        if not wait:
            bucket.take()
        return wait


def _network(address: str) -> str:
    """Return whose address it is: one holder of IPv6 has 2 to the 64th of them."""
    try:
        found = ipaddress.ip_address(address.split("%")[0])
    except ValueError:
        return address[:64]
    return str(found) if found.version == 4 else str(ipaddress.ip_network((found, 64), strict=False))
