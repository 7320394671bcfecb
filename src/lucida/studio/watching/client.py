"""Asks one server; what goes wrong has a name that the page knows what to do about."""

from __future__ import annotations

import json
import ssl
from typing import TYPE_CHECKING, Any, Final, Literal

import httpx

from lucida.errors import InputError, LucidaError

if TYPE_CHECKING:
    from lucida.studio.watching.address import Address

Trouble = Literal["none", "key", "forbidden", "strange", "slow", "failed"]
WAIT: Final = httpx.Timeout(4.0, connect=2.0)
LONG: Final = 60.0  # seconds that making a queue may take
MOST: Final = 16 * 2**20  # bytes of an answer


class Unreachable(Exception):
    """A server that gives no answer of use.

    Args:
        trouble: "none" answers there; it wants a "key"; the key is "forbidden" to watch; it is "strange", no server of
            ours; "slow"; "failed".
        detail: What it said, in words; "" for nothing.
    """

    def __init__(self, trouble: Trouble, detail: str = "") -> None:
        super().__init__(trouble)
        self.trouble, self.detail = trouble, detail


class Client:
    """Asks a server; its methods are called in threads.

    Args:
        address: Of the server.
        key: Sent with every request; "" for none. It is kept in memory alone.
        transport: Instead of the network, for tests.
    """

    def __init__(self, address: Address, key: str = "", transport: httpx.BaseTransport | None = None) -> None:
        self.address = address
        headers = {"accept": "application/json", **({"authorization": f"Bearer {key}"} if key else {})}
        self._http = httpx.Client(
            base_url=address.url,
            headers=headers,
            timeout=WAIT,
            verify=ssl.create_default_context(),
            # A proxy of the environment, or a redirect, would lead to somebody whom nobody named.
            trust_env=False,
            follow_redirects=False,
            transport=transport,
        )

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def text(self, path: str) -> str:
        """Return the text at an address.

        Raises:
            Unreachable: There is none.
        """
        return self._ask("GET", path, accept="text/plain")[0].decode(errors="replace")

    def json(self, path: str) -> Any:
        """Return the JSON at an address; None where the server has no such address.

        Raises:
            Unreachable: There is none.
        """
        try:
            return _read(self._ask("GET", path)[0])
        except _Absent:
            return None

    def send(self, path: str, body: Any = None) -> Any:
        """Post JSON, and return the answer.

        Raises:
            Unreachable: There is none.
            LucidaError: The server's refusal, in its own four parts.
        """
        try:
            return _read(self._ask("POST", path, body=body)[0])
        except _Absent as error:
            raise InputError(error.what, expected=error.expected, got=error.got, hint=error.hint) from error

    def image(self, path: str) -> tuple[bytes, str] | None:
        """Return an image and its media type; None where there is none.

        Raises:
            Unreachable: The server is gone.
        """
        try:
            data, kind = self._ask("GET", path, accept="image/*")
        except LucidaError:
            return None
        return (data, kind) if kind.startswith("image/") else None

    def _ask(self, method: str, path: str, *, accept: str = "application/json", body: Any = None) -> tuple[bytes, str]:
        timeout = WAIT if method == "GET" else httpx.Timeout(LONG, connect=2.0)
        try:
            with self._http.stream(method, path, headers={"accept": accept}, json=body, timeout=timeout) as answer:
                data = b""
                for part in answer.iter_bytes():
                    data += part
                    if len(data) > MOST:
                        raise Unreachable("strange", "")
                _check(answer.status_code, data)
                return data, answer.headers.get("content-type", "").partition(";")[0]
        except httpx.TimeoutException as error:
            # Nobody is there, as opposed to somebody who takes long.
            raise Unreachable("none" if isinstance(error, httpx.ConnectTimeout) else "slow") from error
        except httpx.ConnectError as error:
            raise Unreachable("strange" if "SSL" in str(error) else "none", str(error)[:200]) from error
        except httpx.RemoteProtocolError as error:
            # It left in the middle of an answer, or speaks something else.
            raise Unreachable("none", str(error)[:200]) from error
        except httpx.HTTPError as error:
            raise Unreachable("none", str(error)[:200]) from error


class _Absent(InputError):
    """There is no such address."""


def _check(status: int, data: bytes) -> None:
    if status < 300:
        return
    told = _told(data)
    if status == 401:
        raise Unreachable("key", told.get("what", ""))
    if status == 403:
        raise Unreachable("forbidden", told.get("what", ""))
    if status < 400 or status == 421 or (not told and status != 404):
        raise Unreachable("strange", f"{status}")
    what = told.pop("what", "There is no such address.")
    if status >= 500:
        raise Unreachable("failed", " ".join(filter(None, (what, told.get("hint", "")))))
    raise (_Absent if status == 404 else InputError)(what, **told)


def _told(data: bytes) -> dict[str, str]:
    """Return the four parts of a refusal; {} where it is none of ours."""
    try:
        error = json.loads(data)["error"]
        return {name: str(error.get(name) or "") for name in ("what", "expected", "got", "hint")}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def _read(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError as error:
        raise Unreachable("strange") from error
