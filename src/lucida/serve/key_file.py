"""A file of keys: who holds one, what it may be used for, until when. The keys themselves stand nowhere.

A key is 32 random bytes, so that one round of SHA-256 hides it: nobody can try 2 to the 256th. A slow hash such as
scrypt is for passwords, which can be guessed; here it would cost every request 50 ms, and strangers could keep the
server busy with it.
"""

from __future__ import annotations

import math
import os
import re
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from lucida.errors import InputError, UnknownName
from lucida.screen.nodes import Node, read_nodes
from lucida.serve.services import SERVICES
from lucida.serve.yaml_rules import moment, read_table, texts, whole

KEY: Final = re.compile(r"lucida-([0-9a-f]{8})-[A-Za-z0-9_-]{43}")
MODEL: Final = "model:"
# What a key can be for; a batch is checked image by image.
SCOPES: Final = (*SERVICES, "search", "screen", "generate", "restore", "chat", "feedback", "jobs", "watch", "admin")
NAMED: Final = ("admin",)  # what a key is only for where it says so
MOST: Final = 1_000_000_000
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_HINT: Final = "lucida serve --keys FILE --make-key NAME"
_HEAD: Final = """\
# Who may ask `lucida serve`: hashes of keys. Changes count at once; delete an entry, and its key is void.
# Beside these lines an entry may have: scopes: [classify, "model:siglip2"], requests_a_minute, images_a_day, expires.
"""


@dataclass(frozen=True)
class Entry:
    """One key.

    Attributes:
        id: Second part of the key; no secret.
        name: Whose it is; a person may have an old and a new one.
        sha256: Of the key, in hexadecimal.
        scopes: Services it is for, and models with "model:" before their names; empty for all of either kind.
        requests_a_minute: At most.
        images_a_day: At most; a day ends at midnight, UTC.
        expires: Seconds since 1970.
        old_until: When all keys of this name that stand before this one end.
    """

    id: str
    name: str
    sha256: str
    scopes: tuple[str, ...] = ()
    requests_a_minute: int = MOST
    images_a_day: int = MOST
    expires: float = math.inf
    old_until: float = math.inf

    @property
    def services(self) -> tuple[str, ...]:
        """Which it is for; empty for all."""
        return tuple(scope for scope in self.scopes if not scope.startswith(MODEL))

    @property
    def models(self) -> tuple[str, ...]:
        """Which it is for; empty for all."""
        return tuple(scope.removeprefix(MODEL) for scope in self.scopes if scope.startswith(MODEL))


@dataclass(frozen=True)
class KeyMade:
    """A key that was made; it is shown once.

    Attributes:
        name: Whose it is.
        key: The secret.
        file: Where its hash stands.
        ended: How many earlier keys of this name end soon, and in how many days.
    """

    name: str
    key: str
    file: Path
    ended: tuple[int, float] = (0, 0.0)

    def __repr__(self) -> str:
        return f"KeyMade({self.name!r})"

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"name": self.name, "key": self.key, "file": str(self.file)}

    def __str__(self) -> str:
        count, days = self.ended
        valid = f"valid for {days:g} more days" if days else "void"
        earlier = f"\nEarlier keys of {self.name} ({count}) are {valid}." if count else ""
        return f"{self.key}\nThis is shown once; {self.file} has only its hash.{earlier}"


def read_keys(path: Path) -> tuple[Entry, ...]:
    """Read a file of keys.

    Args:
        path: A YAML list; may be empty.

    Raises:
        InputError: It cannot be read, or an entry is not what it must be; no hash is repeated in a message.
    """
    if not path.is_file() or any(_says_something(line) for line in path.read_bytes().splitlines()):
        root = read_nodes(path, "file of keys", _HINT)
    else:
        return ()
    if not isinstance(root.value, list):
        raise InputError(f"{root.place}: a file of keys is a list.", expected="- id: …", got="no list", hint=_HINT)
    found: dict[str, Entry] = {}
    for node in root.value:
        if not isinstance(node.value, dict):
            # It may be a key itself: it is not repeated.
            raise InputError(f"{node.place}: this is no entry.", expected="- id: …", got="something else", hint=_HINT)
        entry = Entry(**read_table(node, _RULES, "a key", required=("id", "name", "sha256")))
        if entry.id in found:
            raise node.wrong(f"the key {entry.id} is there twice.", "each key once", "delete one of them")
        found[entry.id] = entry
    return _shortened(tuple(found.values()))


def make_key(
    path: Path, name: str, scopes: Sequence[str] = (), *, old_days: float = 7.0, now: float | None = None
) -> KeyMade:
    """Make a key, and append its hash to a file; a server that runs takes it at once.

    Args:
        path: The file of keys; made where there is none.
        name: Whose key it is.
        scopes: What it is for; empty for everything.
        old_days: For how long earlier keys of this name stay valid.
        now: Seconds since 1970; the clock's by default.

    Raises:
        InputError: A name, or the file, is not what it must be; the file is then as it was.
    """
    _check_name(name)
    for scope in scopes:
        _check_scope(scope)
    if not 0 <= old_days <= 36_500:
        raise InputError("Old keys cannot end then.", expected="0 to 36,500 days", got=f"{old_days:g}")
    before = read_keys(path) if path.exists() else ()
    id = secrets.token_hex(4)
    while any(entry.id == id for entry in before):
        id = secrets.token_hex(4)
    key = f"lucida-{id}-{secrets.token_urlsafe(32)}"
    now = time.time() if now is None else now
    ended = sum(entry.name == name and entry.expires > now for entry in before)
    lines = [f"- id: '{id}'", f"name: '{name}'", f"sha256: '{sha256(key.encode()).hexdigest()}'"]
    if scopes:
        lines.append("scopes: [" + ", ".join(f"'{scope}'" for scope in scopes) + "]")
    if ended:
        lines.append(
            f"old_until: '{datetime.fromtimestamp(now + old_days * 86_400, UTC).isoformat(timespec='seconds')}'"
        )
    try:
        _append(path, "\n  ".join(lines) + "\n")
    except OSError as error:
        raise InputError(
            f"The file of keys {path} cannot be written.",
            expected="a file in a folder that is there",
            got=error.strerror or str(error),
            hint="--keys FILE",
        ) from error
    return KeyMade(name, key, path, (ended, old_days))


def _append(path: Path, text: str) -> None:
    # For this user alone, from the first byte on.
    handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(handle, "rb+") as file:
        size = file.seek(0, os.SEEK_END)
        last = b"\n"
        if size:
            file.seek(-1, os.SEEK_END)
            last = file.read(1)
        try:
            file.write(((_HEAD if not size else "" if last == b"\n" else "\n") + text).encode())
            file.flush()
            os.fsync(handle)
            # A list in another style cannot be appended to.
            read_keys(path)
        except BaseException:
            file.truncate(size)
            raise


def _says_something(line: bytes) -> bool:
    return bool(line.strip()) and not line.strip().startswith(b"#")


def _shortened(entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
    """Return entries that end when a later one of the same name says so."""
    ends: dict[str, float] = {}
    found = []
    for entry in reversed(entries):
        end = ends.get(entry.name, math.inf)
        found.append(replace(entry, expires=min(entry.expires, end)))
        ends[entry.name] = min(end, entry.old_until)
    return tuple(reversed(found))


def _check_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise InputError(
            "This is no name for a key's holder.",
            expected="1 to 64 letters, digits and . _ @ -",
            got=repr(name[:80]),
            hint="--make-key anna",
        )
    return name


def _check_scope(scope: str, place: str = "") -> str:
    if scope.startswith(MODEL):
        # As names of models are: quotes and line ends would break the file.
        if not re.fullmatch(r"[^\s'\"\\]{1,200}", scope.removeprefix(MODEL)):
            raise InputError("This is no name of a model.", expected="model:siglip2", got=repr(scope[:80]), hint=place)
    elif scope not in SCOPES:
        raise UnknownName("scope", scope[:80], SCOPES, hint=f"model:NAME is for one model alone {place}".rstrip())
    return scope


def _matched(pattern: re.Pattern[str], expected: str) -> Any:
    def read(node: Node, what: str) -> str:
        value = node.value
        if not isinstance(value, str) or not pattern.fullmatch(value):
            # What stands there may be a key that somebody put in by mistake.
            raise InputError(f"{node.place}: {what} is not what it must be.", expected=expected, got="another text")
        return value

    return read


def _scopes(node: Node, what: str) -> tuple[str, ...]:
    return tuple(_check_scope(scope, f"({node.place})") for scope in texts(node, what))


def _seconds(node: Node, what: str) -> float:
    return moment(node, what).timestamp()


_RULES: Final = {
    "id": _matched(re.compile(r"[0-9a-f]{8}"), "8 hexadecimal digits"),
    "name": _matched(_NAME, "1 to 64 letters, digits and . _ @ -"),
    "sha256": _matched(_HASH, "64 hexadecimal digits, as --make-key writes them"),
    "scopes": _scopes,
    "requests_a_minute": whole(1, MOST),
    "images_a_day": whole(0, MOST),
    "expires": _seconds,
    "old_until": _seconds,
}
