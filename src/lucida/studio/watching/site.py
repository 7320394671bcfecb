"""Everything the Watch page asks for, for any number of browsers: the server is asked once, however many look."""

from __future__ import annotations

import os
import re
import threading
import time
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from lucida.errors import ImageError, InputError, LucidaError, ModelError, UnknownName
from lucida.studio.showing import thumbnail
from lucida.studio.watching.address import USUAL, Address, read_address
from lucida.studio.watching.client import Client, Unreachable
from lucida.studio.watching.now import History
from lucida.studio.watching.prometheus import read_metrics
from lucida.studio.watching.remembered import remembered
from lucida.studio.watching.reviewing import Reviews

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from lucida.catalog import Catalog

KEY: Final = "LUCIDA_SERVE_KEY"
FRESH: Final = 1.0  # seconds for which what a server said is told again
SLOWLY: Final = 3.0  # seconds between two looks at what changes slowly
SHOWN: Final = 1024  # pixels of an image's longer side
SERIES: Final = 4  # curves of evidence that are drawn
MOST: Final = 5  # where more have crossed the threshold
KEPT: Final = "watched"  # folder of the catalog in which a server keeps images for people
_ID: Final = re.compile(r"[0-9a-f]{64}")
_NOTHING: Final[dict[str, Any]] = {"routes": None, "watch": None, "jobs": None}


class Watching:
    """Watches one server; its methods may be called from several threads.

    Args:
        catalog: An open catalog: what a server wrote down there is told where none answers.
        url: Of the server.
        transport: Instead of the network, for tests.
        clock: Gives seconds that never go back.

    Raises:
        InputError: The address is none.
    """

    def __init__(
        self,
        catalog: Catalog,
        url: str = USUAL,
        *,
        transport: httpx.BaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._catalog, self._transport, self._clock = catalog, transport, clock
        self._home, self._reviews = read_address(url), Reviews(catalog)
        self._lock = threading.RLock()
        self._client = self._open(self._home, self._own_key(self._home))

    def _own_key(self, address: Address) -> str:
        # The key of the environment is for the server that was named when the studio was started, and no other.
        return os.environ.get(KEY, "").strip() if address.url == self._home.url else ""

    def _open(self, address: Address, key: str) -> Client:
        self._keyed = bool(key)
        self._history, self._seen = History(), -1e9
        self._parts, self._parted = dict(_NOTHING), -1e9
        self._refused: dict[str, str] = {}
        self._told: dict[str, Any] = {}
        self._met: float | None = None
        return Client(address, key, self._transport)

    def close(self) -> None:
        """Close all connections, and end the reviews that were opened from here."""
        self._client.close()
        self._reviews.close()

    def connect(self, url: str, key: str | None) -> dict[str, Any]:
        """Watch another server, or this one with another key; return what it says.

        Args:
            url: Its address.
            key: Kept until the studio ends; "" for none, None for the one that there is, at the same address.

        Raises:
            InputError: It is no address, or no key.
        """
        address = read_address(url)
        if key and not re.fullmatch(r"[\x21-\x7e]{1,500}", key):
            raise InputError(
                "This is no key.", expected="letters, digits and signs, without spaces", got="other characters",
                hint="`lucida serve --make-key NAME` shows one",
            )  # fmt: skip
        with self._lock:
            same = address.url == self._client.address.url
            if not (same and key is None):
                self._client.close()
                self._client = self._open(address, self._own_key(address) if key is None else key)
            self._seen = -1e9
            return self.look()

    # ---- what there is to see ------------------------------------------------------------------------------------

    def look(self) -> dict[str, Any]:
        """Return all that the page shows, as plain values."""
        with self._lock:
            now = self._clock()
            if now - self._seen >= FRESH or not self._told:
                self._told = self._look(now)
                self._seen = now
            return self._told

    def _look(self, now: float) -> dict[str, Any]:
        address = self._client.address
        state, detail = "up", ""
        try:
            metrics = read_metrics(self._client.text("/metrics"))
            if "lucida_ready" not in metrics:
                raise Unreachable("strange")
            self._history.add(metrics, now)
            self._met = time.time()
            if now - self._parted >= SLOWLY:
                self._ask_parts()
                self._parted = now
        except Unreachable as error:
            gone = error.trouble in ("none", "slow", "failed") and self._met is not None
            state, detail = "lost" if gone else error.trouble, error.detail
        except LucidaError as error:
            state, detail = "strange", error.what
        shown = self._history.to_json() if self._history.samples else None
        if state == "up" and shown is not None and not shown["ready"]:
            state = "loading"
        known = self._parts if self._met is not None else remembered(self._catalog.path)
        return {
            "server": {
                "url": address.url, "state": state, "detail": detail, "local": address.local, "clear": address.clear,
                "keyed": self._keyed, "met": self._met, "home": address.url == self._home.url,
                "catalog": str(self._catalog.path),
            },
            "now": shown,
            "routes": known["routes"],
            "watch": _lean(known["watch"]),
            "jobs": known["jobs"],
            "refused": self._refused if self._met is not None else {},
            "remembered": self._met is None,
        }  # fmt: skip

    def _ask_parts(self) -> None:
        """Ask for what changes slowly; a key that may not see one part hides no other."""
        self._refused = {}
        for name, path, inner in (
            ("watch", "/v1/watch", None),
            ("routes", "/v1/routes", "data"),
            ("jobs", "/v1/jobs", "data"),
        ):
            try:
                found = self._client.json(path)
                self._parts[name] = found if inner is None or not isinstance(found, dict) else found.get(inner)
            except Unreachable as error:
                if error.trouble in ("none", "slow"):
                    raise
                self._parts[name], self._refused[name] = None, error.trouble
            except LucidaError as error:
                self._parts[name], self._refused[name] = None, error.what

    # ---- what a person does --------------------------------------------------------------------------------------

    def queue(self, alarm: str) -> dict[str, Any]:
        """Make the images of an alarm a review queue; return its question and the commands that go on from there.

        Raises:
            LucidaError: The server refuses, or does not answer.
        """
        return self._send(f"/v1/watch/alarms/{quote(alarm, safe='')}/queue")

    def settle(self, alarm: str) -> dict[str, Any]:
        """Close an alarm: watching begins anew.

        Raises:
            LucidaError: The server refuses, or does not answer.
        """
        return {"watch": _lean(self._send(f"/v1/watch/alarms/{quote(alarm, safe='')}/close"))}

    def review(self, question: str) -> dict[str, Any]:
        """Open the review page of a queue; return its address.

        Raises:
            InputError: The queue is in another catalog.
            ModelError: The review does not begin.
        """
        return {"url": self._reviews.open(question)}

    def judge(self, number: int, verdict: str, label: str | None) -> dict[str, Any]:
        """Say whether a drawn answer is right; return what is known of today, and what waits.

        Raises:
            LucidaError: The server refuses, or does not answer.
        """
        body = {"number": number, "verdict": verdict, **({"label": label} if label else {})}
        return self._send("/v1/watch/verdicts", body)

    def _send(self, path: str, body: Any = None) -> dict[str, Any]:
        try:
            found = self._client.send(path, body)
        except Unreachable as error:
            raise ModelError(
                "The server did not take this.", expected="a server that runs, and a key that may watch",
                got=error.detail or error.trouble, hint="look at the line above: it says what to do",
            ) from error  # fmt: skip
        with self._lock:
            self._parted = self._seen = -1e9
        if not isinstance(found, dict):
            raise ModelError("The server answered something strange.", expected="an object", got=type(found).__name__)
        return found

    def picture(self, image: str) -> tuple[bytes, str]:
        """Return a watched image and its media type: from the server, else from the catalog.

        Raises:
            UnknownName: There is none.
            ImageError: It cannot be decoded.
        """
        if not _ID.fullmatch(image):
            raise UnknownName("image", image[:80], [])
        found = None
        if self._met is not None:
            try:
                found = self._client.image(f"/v1/watch/images/{image}")
            except Unreachable:
                found = None
        if found is None:
            found = self._kept(image), ""
        # Whoever sent it: what is no picture of a known format goes no further.
        return thumbnail(found[0], SHOWN)

    def _kept(self, image: str) -> bytes:
        try:
            return (self._catalog.path / KEPT / image).read_bytes()
        except OSError:
            pass
        try:
            return bytes(self._catalog.images.read(image))
        except (InputError, ImageError, LucidaError) as error:
            raise UnknownName("image", image[:12], []) from error


def _lean(watch: Any) -> dict[str, Any] | None:
    """Return what is told of a watch with the curves that say something: a page draws no more."""
    if not isinstance(watch, dict):
        return None
    curves = watch.get("curves") or []
    leading = sorted(curves, key=lambda one: -max([one["now"], *(point[2] for point in one["points"])]))
    shown = [one for place, one in enumerate(leading) if place < SERIES or one["crossed"]]
    return {
        **watch,
        "numbers": len(curves),
        "curves": [{**one, "points": [[row, value] for _, row, value in one["points"]]} for one in shown[:MOST]],
    }
