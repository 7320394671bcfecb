"""The log of a server: a line for every request where it is asked for, and what goes wrong in any case.

No line holds an image, a key, what was asked in words, or a path of a client. So of an error of somebody else's only
its class is written and where it was raised, never what it says: that may be any of these.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from lucida.errors import InputError
from lucida.serve.keys import REQUEST

if TYPE_CHECKING:
    from lucida.serve.headers import Exchange

Form = Literal["json", "plain", "off"]
_encode: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
FRAMES: Final = 6  # of an error, the innermost
_KNOWN: Final = ("lucida", "uvicorn", "opentelemetry")  # whose messages hold nothing of the above
_server, _requests = logging.getLogger("lucida.serve"), logging.getLogger("lucida.serve.requests")


@dataclass(frozen=True)
class LogSettings:
    """How a server logs.

    Attributes:
        form: Of a line; "off" for no lines of requests, and plain ones of what goes wrong.
        file: Where; None for standard error.
        bytes: Of one file, at most.
        files: At most, the oldest is deleted.
    """

    form: Form = "off"
    file: Path | None = None
    bytes: int = 20 * 2**20
    files: int = 5


def log_request(exchange: Exchange) -> None:
    """Log a request that was answered; a watcher of `Shell`."""
    if exchange.probe:
        return
    _requests.info("", extra={"told": _told(exchange)})


@contextmanager
def logging_to(settings: LogSettings) -> Iterator[None]:
    """Have everything logged as it is asked for, until the context ends.

    Raises:
        InputError: The file cannot be written.
    """
    handler = _handler(settings)
    handler.setFormatter(_JsonLines() if settings.form == "json" else _PlainLines())
    root, levels = logging.getLogger(), {logger: logger.level for logger in (_server, _requests)}
    root.addHandler(handler)
    _server.setLevel(logging.INFO)
    _requests.setLevel(logging.WARNING if settings.form == "off" else logging.INFO)
    try:
        yield
    finally:
        root.removeHandler(handler)
        for logger, level in levels.items():
            logger.setLevel(level)
        handler.close()


def _handler(settings: LogSettings) -> logging.Handler:
    if settings.file is None:
        return logging.StreamHandler(sys.stderr)
    try:
        return _File(settings.file, maxBytes=settings.bytes, backupCount=settings.files - 1, encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"The log {settings.file} cannot be written.",
            expected="a file in a folder that is there",
            got=error.strerror or str(error),
            hint="log: {file: serve.log} in serve.yaml",
        ) from error


class _File(RotatingFileHandler):
    """A file of bounded size; that the disk is full is told of once, and stops nothing."""

    _size, _failing = -1, False

    def emit(self, record: logging.LogRecord) -> None:
        # The class above looks at the disk, and formats twice, for every line.
        line = self.format(record) + "\n"
        try:
            if self._size < 0:
                self._size = Path(self.baseFilename).stat().st_size
            if self._size and self._size + len(line) > self.maxBytes:
                self.doRollover()
                self._size = 0
            stream = self.stream or self._open()
            stream.write(line)
            stream.flush()
            self._size += len(line)
            self.stream, self._failing = stream, False
        except (OSError, ValueError):
            if not self._failing:
                print(f"The log {self.baseFilename} cannot be written, and is not until it can.", file=sys.stderr)
            self._failing = True

    def close(self) -> None:
        with suppress(OSError):
            super().close()


def _told(exchange: Exchange) -> dict[str, Any]:
    told: dict[str, Any] = {
        "id": exchange.id,
        "holder": exchange.holder,
        "service": exchange.service,
        "model": exchange.model,
        "status": exchange.status,
        "seconds": round(exchange.seconds, 4),
        "received": exchange.received,
        "sent": exchange.sent,
        "cached": exchange.cached,
        "looked": exchange.looked,
    }
    within: dict[str, tuple[float, float]] = {}
    for name, began, ended in exchange.stages:
        # Of a batch: from its first image to its last.
        first, last = within.get(name, (began, ended))
        within[name] = min(first, began), max(last, ended)
    told |= {f"{name}_seconds": round(last - first, 4) for name, (first, last) in within.items()}
    if exchange.errors:
        told["errors"] = sorted({kind for kind, _ in exchange.errors})
    return told


class _Lines(logging.Formatter):
    """Formats records without what they must not hold."""

    def format(self, record: logging.LogRecord) -> str:
        told = getattr(record, "told", None)
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {"time": when, "level": record.levelname.lower()}
        return self.write({**line, **(told if told is not None else _said(record))})

    def write(self, line: dict[str, Any]) -> str:
        raise NotImplementedError


class _JsonLines(_Lines):
    def write(self, line: dict[str, Any]) -> str:
        return _encode(line)


class _PlainLines(_Lines):
    def write(self, line: dict[str, Any]) -> str:
        words = [line["time"][11:19]]
        if "status" in line:
            words += [line[name] for name in ("id", "holder", "service", "model")]
            words += [str(line["status"]), f"{line['seconds']:.4f} s", *line.get("errors", ())]
        else:
            words += [line["level"], line.get("message", line["logger"]), f"({line['id']})" if "id" in line else ""]
            words += [line.get("error", ""), ", ".join(reversed(line.get("where", ())))]
        # A line break would let one line look like two.
        return "".join(c if c.isprintable() else " " for c in " ".join(filter(None, words)))


def _said(record: logging.LogRecord) -> dict[str, Any]:
    """Return what a record says; of somebody else's, which may say anything, only where it comes from."""
    said: dict[str, Any] = {"id": REQUEST.get()} if REQUEST.get() else {}
    said["logger"] = record.name
    if record.name.split(".")[0] in _KNOWN:
        said["message"] = record.getMessage()
    error = record.exc_info[1] if record.exc_info else None
    if error is not None:
        frames = traceback.extract_tb(error.__traceback__)[-FRAMES:]
        said["error"] = type(error).__name__
        said["where"] = [f"{Path(one.filename).name}:{one.lineno} {one.name}" for one in frames]
    return said
