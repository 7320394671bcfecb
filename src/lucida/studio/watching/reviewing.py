"""Opens the review page of a queue: `lucida review` in a process of its own, as if a person had typed it."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections import deque
from typing import TYPE_CHECKING, Final

from lucida.errors import InputError, ModelError

if TYPE_CHECKING:
    from lucida.catalog import Catalog

PATIENCE: Final = 120.0  # seconds until its page must be there
_URL: Final = re.compile(r"https?://\S+")


class Reviews:
    """Reviews of one catalog, at most one for each question.

    Args:
        catalog: The catalog.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._open: dict[str, _Review] = {}
        self._lock = threading.Lock()

    def open(self, question: str) -> str:
        """Return the address of the review page of a question.

        Raises:
            InputError: The catalog has no such question.
            ModelError: The review does not begin.
        """
        if question not in {run.question for run in self._catalog.runs.all()}:
            raise InputError(
                "This queue is not in the catalog of this studio.",
                expected=f"a queue in {self._catalog.path}",
                got=question[:100],
                hint="open the studio where the server's catalog is, or copy the line below into a terminal there",
            )
        with self._lock:
            found = self._open.get(question)
            if found is not None and found.runs:
                return found.address
            self._open[question] = found = _Review(self._catalog, question)
            return found.link()

    def close(self) -> None:
        """End the reviews that are open; every answer is kept."""
        for one in self._open.values():
            one.end()


class _Review:
    def __init__(self, catalog: Catalog, question: str) -> None:
        # A queue is often too small to prove anything of; it is there to be learned from.
        line = ["review", "--question", question, "--catalog", str(catalog.path), "--no-browser", "--teach", "1"]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "lucida", *line],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, encoding="utf-8",
            errors="replace",
        )  # fmt: skip
        self._said: deque[str] = deque(maxlen=20)
        self._url, self._known = "", threading.Event()
        threading.Thread(target=self._listen, name="review", daemon=True).start()

    @property
    def runs(self) -> bool:
        """Whether it goes on."""
        return self._process.poll() is None

    @property
    def address(self) -> str:
        """Where it is, for a browser that was let in."""
        return self._url.split("/?")[0] + "/"

    def link(self) -> str:
        """Return the address that lets a browser in, once."""
        self._known.wait(PATIENCE)
        if self._url:
            return self._url
        self.end()
        said = [line for line in self._said if line.strip()]
        error = next((line for line in said if line.startswith("error:")), said[-1] if said else "nothing")
        raise ModelError(
            "The review did not begin.", expected="the address of a page",
            got=error.removeprefix("error:").strip()[:300],
            hint="copy the line below into a terminal: it says more",
        )  # fmt: skip

    def end(self) -> None:
        """End it."""
        if self.runs:
            self._process.terminate()

    def _listen(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._said.append(line.rstrip())
            found = _URL.search(line)
            if found and not self._url:
                self._url = found[0]
                self._known.set()
        self._process.wait()
        self._known.set()
