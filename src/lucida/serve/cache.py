"""Answers that were given before, by what they depend on; the least recently used go first."""

from __future__ import annotations

import json
from collections import OrderedDict
from hashlib import sha256
from typing import Any

OVERHEAD = 200  # bytes that a kept answer takes beside itself, roughly


class Cache:
    """Keeps answers, bounded in bytes; for one thread.

    Args:
        most: Bytes; 0 keeps nothing.
    """

    def __init__(self, most: int) -> None:
        self.most, self.bytes, self.hits, self.misses = most, 0, 0, 0
        self._kept: OrderedDict[bytes, bytes] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: bytes) -> bytes | None:
        """Return an answer; None where it is not kept."""
        found = self._kept.get(key)
        if found is None:
            self.misses += 1
            return None
        self.hits += 1
        self._kept.move_to_end(key)
        return found

    def keep(self, key: bytes, answer: bytes) -> None:
        """Keep an answer, and let go of the oldest where there is no room."""
        size = len(answer) + OVERHEAD
        if size > self.most:
            return
        self._let_go(key)
        self._kept[key] = answer
        self.bytes += size
        while self.bytes > self.most:
            self._let_go(next(iter(self._kept)))

    def _let_go(self, key: bytes) -> None:
        gone = self._kept.pop(key, None)
        self.bytes -= 0 if gone is None else len(gone) + OVERHEAD


def key_of(image: str, model: str, wish: dict[str, Any]) -> bytes:
    """Return what an answer depends on.

    Args:
        image: Content id.
        model: Name under which it is served, and its key.
        wish: What is asked, as plain values.
    """
    return sha256(json.dumps([image, model, wish], sort_keys=True).encode()).digest()
