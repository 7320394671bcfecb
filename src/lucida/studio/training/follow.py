"""Follow what a run writes while it trains: each look reads only what was appended since the last one."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

Row = dict[str, float | None]
AT_ONCE = 4 * 2**20  # bytes a look; a longer file is read in several


class Follower:
    """The rows of one `metrics.jsonl`.

    A run that goes on from a checkpoint writes the file anew; its rows then count from the first again, under another
    generation.

    Args:
        path: The file; it may come later, or go away.

    Attributes:
        rows: What could be read so far: numbers by name, "step" among them; None stands for a number that is none.
        damaged: How many lines could not be read.
        generation: Rises whenever earlier rows no longer hold.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[Row] = []
        self.damaged = 0
        self.generation = 0
        self._file = 0
        self._offset = 0

    def look(self) -> bool:
        """Read what was appended; returns whether the end of the file was reached."""
        try:
            with self.path.open("rb") as file:
                self._identify(file.fileno())
                file.seek(self._offset)
                text = file.read(AT_ONCE)
        except OSError:
            if self._offset:
                self._restart(0)
            return True
        # A line that has no end yet is still being written.
        whole = text[: text.rfind(b"\n") + 1]
        self._offset += len(whole)
        for line in whole.splitlines():
            self._take(line)
        return len(text) < AT_ONCE

    def _identify(self, number: int) -> None:
        import os

        found = os.fstat(number)
        if found.st_ino != self._file or found.st_size < self._offset:
            self._restart(found.st_ino)

    def _restart(self, file: int) -> None:
        if self._offset:
            self.generation += 1
        self.rows, self.damaged, self._offset, self._file = [], 0, 0, file

    def _take(self, line: bytes) -> None:
        if not line.strip():
            return
        row = _read(line)
        if row is None:
            self.damaged += 1
        else:
            self.rows.append(row)


def _read(line: bytes) -> Row | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    if not isinstance(found, dict) or not _is_number(found.get("step")):
        return None
    return {str(name): _finite(value) for name, value in found.items() if _is_number(value)}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _finite(value: float) -> float | None:
    # JSON for browsers knows no NaN.
    return value if math.isfinite(value) else None
