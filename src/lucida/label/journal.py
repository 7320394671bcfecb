"""What was asked and answered in a run, line by line: written as it comes, so that a kill loses nothing paid for.

A line {"sent": [image, …], "at_most": dollars} stands before each request, a line {"image": …} for each reply after it.
What was sent and has no reply may have been paid for: it counts with what it may have cost at most.
"""

from __future__ import annotations

import errno
import json
import os
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any

from lucida.errors import CatalogError
from lucida.models.chat import Reply, Usage


@dataclass
class Tally:
    """What a run has taken so far.

    Attributes:
        usage: Tokens and cost of all replies, those without an answer included.
        lost: US dollars that requests without a reply may have cost.
        bases: How many answers rest on what.
        problems: How many replies had which problem; an image that was answered later counts here, too.
    """

    usage: Usage = field(default_factory=Usage)
    lost: float = 0.0
    bases: Counter[str] = field(default_factory=Counter)
    problems: Counter[str] = field(default_factory=Counter)

    @property
    def spent(self) -> float:
        """US dollars that were paid at most, as far as prices are known."""
        return (self.usage.cost or 0.0) + self.lost

    def add(self, reply: Reply) -> None:
        """Count a reply."""
        self.usage += reply.usage
        if reply.problem:
            self.problems[reply.problem] += 1
        else:
            self.bases[reply.basis] += 1

    def sentences(self) -> list[str]:
        """Return the totals for people."""
        lines = []
        answered = self.bases.total()
        if answered:
            shares = ", ".join(f"{n / answered:.0%} by {basis}" for basis, n in self.bases.most_common())
            lines.append(f"{answered:,} answer{'s' if answered > 1 else ''} in all: {shares}.")
        if self.usage.input_tokens or self.spent:
            lost = f", and ${self.lost:.4f} at most for questions without a reply" if self.lost else ""
            paid = f"${self.usage.cost:.4f}{lost}" if self.spent else "nothing to pay"
            known = "what they cost is not known" if self.usage.cost is None else paid
            lines.append(f"{self.usage.input_tokens:,} tokens in, {self.usage.output_tokens:,} out: {known}.")
        if self.problems:
            shown = "; ".join(f"{n:,} × {problem}" for problem, n in self.problems.most_common(3))
            more = f"; and {len(self.problems) - 3} others" if len(self.problems) > 3 else ""
            lines.append(f"Replies without an answer: {shown}{more}")
        return lines


class Journal:
    """The answers of a run in its folder; safe to be written from several threads.

    Args:
        path: The file; made on the first line.

    Raises:
        CatalogError: It cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self.tally = Tally()
        self._places: dict[str, int] = {}  # where in the file the first answer about an image begins
        open_requests: dict[str, float] = {}
        for place, entry in self._entries():
            if "sent" in entry:
                share = entry["at_most"] / len(entry["sent"])
                for image in entry["sent"]:
                    self.tally.lost += open_requests.pop(image, 0.0)
                    open_requests[image] = share
            else:
                open_requests.pop(entry["image"], None)
                self._note(place, entry["image"], _reply(entry))
        self.tally.lost += sum(open_requests.values())
        self._mend()

    def sent(self, images: Sequence[str], at_most: float | None) -> None:
        """Note that images are about to be asked about, and what that costs at most, in US dollars."""
        self._write([{"sent": list(images), "at_most": at_most or 0.0}])

    def take(self, replies: Sequence[tuple[str, Reply]]) -> None:
        """Keep replies as they came."""
        places = self._write([_entry(image, reply) for image, reply in replies])
        with self._lock:
            for place, (image, reply) in zip(places, replies, strict=True):
                self._note(place, image, reply)

    def answers(self, images: Sequence[str]) -> Iterator[tuple[str, Reply]]:
        """Yield the answers that are kept about any of these images, the first of each; problems are left out."""
        wanted = [(self._places[image], image) for image in dict.fromkeys(images) if image in self._places]
        if not wanted:
            return
        try:
            with self.path.open("rb") as file:
                for place, image in sorted(wanted):
                    file.seek(place)
                    entry = _read(file.readline())
                    if entry is not None and entry.get("image") == image:
                        yield image, _reply(entry)
        except OSError as error:
            raise _unusable(self.path, error) from error

    def _note(self, place: int, image: str, reply: Reply) -> None:
        self.tally.add(reply)
        if not reply.problem:
            self._places.setdefault(image, place)

    def __bool__(self) -> bool:
        return self.path.exists()

    def _entries(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield what whole lines hold, with the place where each begins."""
        place = 0
        try:
            with self.path.open("rb") as file:
                for line in file:
                    entry = _read(line)
                    if entry is not None:
                        yield place, entry
                    place += len(line)
        except FileNotFoundError:
            return
        except OSError as error:
            raise _unusable(self.path, error) from error

    def _mend(self) -> None:
        """End a line that a kill has torn, so that the next one is not lost with it."""
        try:
            with self.path.open("rb+") as file:
                if file.seek(0, os.SEEK_END) and file.seek(-1, os.SEEK_END) is not None and file.read(1) != b"\n":
                    file.write(b"\n")
        except FileNotFoundError:
            return
        except OSError as error:
            raise _unusable(self.path, error) from error

    def _write(self, entries: Sequence[dict[str, Any]]) -> list[int]:
        """Append lines, and return where each begins."""
        lines = [json.dumps(entry, ensure_ascii=False).encode(errors="replace") + b"\n" for entry in entries]
        try:
            # One write to a file opened for appending: a kill tears the last line at most.
            with self._lock, self.path.open("ab", buffering=0) as file:
                if file.write(b"".join(lines)) < sum(map(len, lines)):
                    raise OSError(errno.ENOSPC, "no room left on the disk")
                place = file.tell() - sum(map(len, lines))
        except OSError as error:
            raise _unusable(self.path, error) from error
        return list(accumulate(map(len, lines[:-1]), initial=place)) if lines else []


def _entry(image: str, reply: Reply) -> dict[str, Any]:
    usage = [reply.usage.input_tokens, reply.usage.output_tokens, reply.usage.cost]
    if reply.problem:
        return {"image": image, "problem": reply.problem, "usage": usage}
    rounded = {name: round(value, 6) for name, value in reply.probabilities.items()}
    return {"image": image, "is": rounded, "reason": reply.reason, "basis": reply.basis, "usage": usage}


def _reply(entry: dict[str, Any]) -> Reply:
    usage = Usage(*entry["usage"])
    if entry.get("problem"):
        return Reply(problem=entry["problem"], usage=usage)
    return Reply(entry["is"], entry["reason"], entry["basis"], usage=usage)


def _read(line: bytes) -> dict[str, Any] | None:
    """Return what a line holds; None where it is torn."""
    try:
        entry = json.loads(line)
        if "sent" in entry:
            return entry if entry["sent"] and isinstance(entry["at_most"], int | float) else None
        _reply(entry)
        return {**entry, "image": str(entry["image"])}
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _unusable(path: Path, error: OSError) -> CatalogError:
    return CatalogError(
        "The answers of this run cannot be kept.",
        expected="a file that can be read and written",
        got=f"{path}: {error.strerror or error}",
        hint="check the permissions and the room on the disk; nothing more is asked before that",
    )
