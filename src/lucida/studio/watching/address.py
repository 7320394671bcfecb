"""Which server is watched: this machine's, or the one whose address a person gave; nothing else is ever asked."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from lucida.errors import InputError

USUAL: Final = "http://127.0.0.1:8000"
LONGEST: Final = 300


@dataclass(frozen=True)
class Address:
    """The root of a server.

    Attributes:
        url: "http://127.0.0.1:8000", without a path.
        host: Its name.
    """

    url: str
    host: str

    @property
    def local(self) -> bool:
        """Whether it is on this machine."""
        try:
            return self.host == "localhost" or ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def clear(self) -> bool:
        """Whether a key would cross a network in the clear."""
        return not self.local and self.url.startswith("http:")


def read_address(given: str) -> Address:
    """Return the address that a person gave; "localhost:8000" will do.

    Raises:
        InputError: It is none of a server: another scheme, a path, a name and password.
    """
    text = given.strip().rstrip("/")
    text = text if "://" in text else f"http://{text}"
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise _no_address(given) from None
    # `urlsplit` passes over line breaks; names and passwords, and what is no plain ASCII, are in no address of ours.
    plain = re.fullmatch(r"https?://[A-Za-z0-9._:\-\[\]]+", text) is not None and len(text) <= LONGEST
    if not (plain and host):
        raise _no_address(given)
    shown = f"[{host}]" if ":" in host else host
    return Address(f"{parts.scheme}://{shown}" + (f":{port}" if port is not None else ""), host)


def _no_address(given: str) -> InputError:
    return InputError(
        "This is no address of a server.",
        expected=f"such as {USUAL}",
        got=given[:100],
        hint="`lucida serve` prints its address when it starts",
    )
