"""Checks keys against a file that is read anew whenever it changes."""

from __future__ import annotations

import base64
import binascii
import hmac
import logging
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Final

from lucida.errors import InputError
from lucida.serve.key_file import KEY, NAMED, Entry, read_keys
from lucida.serve.keys import Holder
from lucida.serve.quotas import Usage, WrongKeys
from lucida.serve.refusal import Refused

AGAIN: Final = 1.0  # seconds after which it is looked whether the file has changed
# Each image of a batch is asked something of its own, and is checked then.
_LATER: Final = ("batch",)
_ABSENT: Final = "0" * 64
_HOW: Final = 'send "Authorization: Bearer lucida-…"; whoever runs this server makes keys with lucida serve --make-key'
_log = logging.getLogger("lucida.serve")


def _in_a_thread(work: Callable[[], None]) -> None:
    threading.Thread(target=work, name="keys", daemon=True).start()


@dataclass(frozen=True)
class KeyHolder(Holder):
    """Whoever sent a key.

    Attributes:
        entry: What the file says of it.
        usage: What was asked with keys of this name.
        clock: Gives seconds since 1970.
    """

    entry: Entry = field(repr=False)
    usage: Usage = field(repr=False)
    clock: Callable[[], float] = field(repr=False)

    def check(self, service: str, model: str) -> None:
        """Refuse what this key is not for."""
        _check_scope("service", service, self.entry.services)
        _check_scope("model", model, self.entry.models)

    def take(self, images: int) -> None:
        """Count images against the quota of this key."""
        if wait := self.usage.look(self.clock(), images, self.entry.images_a_day):
            raise _too_many("images a day", self.entry.images_a_day, wait)


class KeyRing:
    """Says who sent a key.

    Args:
        path: The file of keys.
        clock: Gives seconds since 1970.
        beside: Has work done while requests are served: a second for a thousand keys.

    Raises:
        InputError: The file cannot be read, or holds no key.
    """

    def __init__(
        self,
        path: Path,
        clock: Callable[[], float] = time.time,
        beside: Callable[[Callable[[], None]], None] = _in_a_thread,
    ) -> None:
        self._path, self._clock, self._beside, self._lock = path, clock, beside, threading.Lock()
        self._stamp = self._stamped()
        entries = read_keys(path)
        if not entries:
            raise InputError(
                f"The file {path} holds no key.",
                expected="at least one",
                got="none",
                hint=f"lucida serve --keys {path} --make-key NAME",
            )
        self._entries, self._usage = {entry.id: entry for entry in entries}, dict[str, Usage]()
        self._looked = clock()
        self.wrong = WrongKeys()

    def know(self, authorization: str, address: str) -> Holder:
        """Return who asks; a right key is let in however many wrong ones came from the same address.

        Many people share an address, behind a proxy even all of them: one of them must not shut out the others.
        """
        try:
            return self._find(authorization)
        except Refused:
            if authorization and (wait := self.wrong.note(address, self._clock())):
                error = InputError(
                    "Too many wrong keys came from this address.",
                    expected="a key that is known",
                    got="another wrong one",
                    hint=_HOW,
                )
                raise Refused(429, error, retry=math.ceil(wait), hang_up=True) from None
            raise

    def admit(self, authorization: str, scope: str) -> Holder:
        """Return who asks, and count the request against the quota."""
        holder = self._find(authorization)
        if scope in NAMED:
            _check_scope("service", scope, holder.entry.services or (f"all but {', '.join(NAMED)}",))
        if scope not in _LATER:
            _check_scope("service", scope, holder.entry.services)
        if wait := holder.usage.ask(self._clock(), holder.entry.requests_a_minute):
            raise _too_many("requests a minute", holder.entry.requests_a_minute, wait)
        return holder

    def counted(self) -> dict[str, tuple[int, int]]:
        """Return the day, since 1970, and the images of that day, for each name that asked for some."""
        return {name: usage.counted for name, usage in list(self._usage.items()) if usage.counted[1]}

    def count_on(self, counted: Mapping[str, tuple[int, int]]) -> None:
        """Count on from what `counted` said before the server was started anew."""
        for name, (day, images) in counted.items():
            self._usage.setdefault(name, Usage(self._clock())).count_on(day, images)

    def _find(self, authorization: str) -> KeyHolder:
        self._refresh()
        key = _key(authorization)
        match = KEY.fullmatch(key)
        entry = self._entries.get(match[1]) if match else None
        # Compared in constant time, and with something where there is nothing to compare with.
        same = hmac.compare_digest(sha256(key.encode()).hexdigest(), entry.sha256 if entry else _ABSENT)
        if entry is None or not same:
            raise _unknown("a key that is not known" if authorization else "no key")
        now = self._clock()
        if now >= entry.expires:
            raise _unknown("a key that has expired")
        # In one step: the file may be read anew at this moment.
        usage = self._usage.get(entry.name) or self._usage.setdefault(entry.name, Usage(now))
        return KeyHolder(entry.name, entry, usage, self._clock)

    def _refresh(self) -> None:
        """Read the file anew if it has changed; a file that is broken changes nothing, and is told of once."""
        now = self._clock()
        if 0 <= now - self._looked < AGAIN:
            return
        self._looked = now
        if (stamp := self._stamped()) == self._stamp:
            return
        self._stamp = stamp
        self._beside(self._read)

    def _read(self) -> None:
        # One at a time: what was read last is what counts.
        with self._lock:
            try:
                entries = read_keys(self._path)
            except (InputError, OSError) as error:
                said = error.line() if isinstance(error, InputError) else str(error)
                _log.error("the keys are as they were before, since their file cannot be read: %s", said)
                return
            self._entries = {entry.id: entry for entry in entries}
            names = {entry.name for entry in entries}
            self._usage = {name: usage for name, usage in list(self._usage.items()) if name in names}
        _log.info("read %d keys", len(entries))

    def _stamped(self) -> tuple[int, ...]:
        try:
            found = self._path.stat()
        except OSError:
            return ()
        return found.st_mtime_ns, found.st_size, found.st_ino


def _key(authorization: str) -> str:
    """Return the key in a header; browsers, which ask for a password, send it as that."""
    scheme, _, rest = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(rest.strip(), validate=True).decode().partition(":")[2]
        except (binascii.Error, ValueError):
            return ""
    return ""


def _unknown(got: str) -> Refused:
    return Refused(401, InputError("This server needs a key.", expected="a key that is known", got=got, hint=_HOW))


def _check_scope(kind: str, name: str, allowed: Sequence[str]) -> None:
    if allowed and name not in allowed:
        raise Refused(
            403,
            InputError(
                f"This key is not for the {kind} {name[:100]!r}.",
                expected=", ".join(allowed),
                got=name[:100],
                hint="whoever runs this server makes keys for more",
            ),
        )


def _too_many(what: str, most: int, wait: float) -> Refused:
    seconds = math.ceil(wait)
    error = InputError(
        f"These are too many {what}.",
        expected=f"at most {most:,} with this key",
        got="more",
        hint=f"come again in {seconds:,} s",
    )
    return Refused(429, error, retry=seconds)
