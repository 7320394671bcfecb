"""Writes down who asked what, when, and what came of it: JSON lines in files of bounded size.

A line is handed to the operating system before the next request is served, so that it outlives a killed server; put
the file on a disk of this machine. Who is turned away at the door is counted, not listed: strangers must not be able to
push out the lines of others.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lucida.errors import InputError

if TYPE_CHECKING:
    from lucida.serve.headers import Exchange

TOLD: Final = 60.0  # seconds after which it is written how many were turned away
LONGEST: Final = 4000  # characters of what was asked in words
_log = logging.getLogger("lucida.serve")


@dataclass(frozen=True)
class AuditSettings:
    """Where an audit is written.

    Attributes:
        file: The newest lines; older ones are in FILE.1, FILE.2 and so on.
        bytes: Of one file, at most.
        files: At most; the oldest is deleted.
        prompts: Whether it is written what was asked in words, which may be about a person.
    """

    file: Path
    bytes: int = 20 * 2**20
    files: int = 5
    prompts: bool = False


class Audit:
    """Writes a line for every request; called in the event loop, as a watcher of `Shell`.

    Args:
        settings: Where.
        clock: Gives seconds since 1970.

    Attributes:
        lost: Lines that could not be written.

    Raises:
        InputError: The file cannot be written.
    """

    def __init__(self, settings: AuditSettings, clock: Callable[[], float] = time.time) -> None:
        self._settings, self._clock, self._handle, self._size = settings, clock, -1, 0
        self.lost, self._failing = 0, False
        self._away: Counter[int] = Counter()
        self._since = clock()
        try:
            self._open()
        except OSError as error:
            raise InputError(
                f"The audit {settings.file} cannot be written.",
                expected="a file in a folder that is there",
                got=error.strerror or str(error),
                hint="--audit FILE",
            ) from error

    def __call__(self, exchange: Exchange) -> None:
        """Write what was asked; a disk that is full or gone is told of once, and stops nothing."""
        if exchange.service:
            self._write(self._line(exchange))
        elif exchange.status >= 400:
            self._away[exchange.status] += 1
        if self._away and self._clock() - self._since >= TOLD:
            self._tell()

    def close(self) -> None:
        """Write what is left to say."""
        if self._away:
            self._tell()
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def _line(self, exchange: Exchange) -> dict[str, Any]:
        line = {
            "when": self._now(),
            "id": exchange.id,
            "holder": exchange.holder,
            "service": exchange.service,
            "model": exchange.model,
            "status": exchange.status,
            "seconds": round(exchange.seconds, 4),
            "images": list(exchange.images),
            "cached": exchange.cached,
            "looked": exchange.looked,
        }
        if self._settings.prompts and exchange.words:
            line["words"] = [word[:LONGEST] for word in exchange.words]
        return line

    def _tell(self) -> None:
        away = {str(status): count for status, count in sorted(self._away.items())}
        self._away.clear()
        self._since = self._clock()
        self._write({"when": self._now(), "turned_away": away})

    def _now(self) -> str:
        return datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="milliseconds")

    def _write(self, line: dict[str, Any]) -> None:
        try:
            self._put(line)
        except OSError as error:
            self.lost += 1
            if not self._failing:
                _log.error("the audit cannot be written, and is not until it can: %s", error)
            self._failing = True
            return
        if self._failing:
            self._failing = False
            _log.warning("the audit is written again; %d lines were lost so far", self.lost)

    def _put(self, line: dict[str, Any]) -> None:
        if self._failing:
            # Whoever reads it later must see the gap.
            line = {**line, "lost": self.lost}
        data = json.dumps(line, separators=(",", ":")).encode() + b"\n"
        if self._handle < 0:
            self._open()
        if self._size and self._size + len(data) > self._settings.bytes:
            self._turn()
        written = os.write(self._handle, data)
        if written < len(data):
            # Half a line would spoil the next one.
            os.ftruncate(self._handle, self._size)
            raise OSError(f"{written} of {len(data)} bytes were written")
        self._size += written

    def _open(self) -> None:
        self._handle = os.open(self._settings.file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._size = os.fstat(self._handle).st_size

    def _turn(self) -> None:
        """Begin a new file, and let go of the oldest."""
        os.close(self._handle)
        self._handle = -1
        names = [self._settings.file, *(self._named(number) for number in range(1, self._settings.files))]
        if len(names) == 1:
            names[0].unlink(missing_ok=True)
        for older, newer in zip(reversed(names), list(reversed(names))[1:], strict=False):
            if newer.exists():
                newer.replace(older)
        self._open()

    def _named(self, number: int) -> Path:
        return self._settings.file.with_name(f"{self._settings.file.name}.{number}")
