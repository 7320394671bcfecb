"""Serve pages to the browser of the person who started the program, until they are done."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from lucida.errors import InputError
from lucida.studio.objects_desk import desk_of

if TYPE_CHECKING:
    from lucida.studio.desk import Desk
    from lucida.studio.generating import Generating
    from lucida.studio.looking import Looking
    from lucida.studio.protocol import Differences, ObjectReview, Review
    from lucida.studio.restoring import Restoring
    from lucida.studio.searching import Searching
    from lucida.studio.training import Training
    from lucida.studio.watching import Watching

LOOPBACK = ("127.0.0.1", "localhost", "::1")
AFTER_SEEN = 0.8  # seconds: other tabs get the news, and the page its last files
UNSEEN = 20.0  # seconds after the end in which a browser may still come for the summary

_only_one = threading.Lock()


def serve_review(
    review: Review | ObjectReview,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    open_browser: bool = True,
    on_url: Callable[[str], None] | None = None,
    answers: int | None = None,
    differences: Differences | None = None,
    training: Training | None = None,
) -> None:
    """Serve a review as a page until it is done, paused, or stopped with Ctrl-C.

    Every answer is on disk before the next image shows, so it may be ended at any moment.

    Args:
        review: The review; its methods are called in one thread, in order.
        host: Address to listen on; the default is reachable from this machine only.
        port: Port; 0 for a free one.
        open_browser: Open the page in the browser; otherwise the address is only printed, to standard error.
        on_url: Called with the page's address, whose token works once, when the server answers.
        answers: Return after so many answers, whatever is left to ask; for a demonstration.
        differences: Where two label runs of the question differ: a page of its own beside the review.
        training: The training runs of the catalog: one more page.

    Raises:
        InputError: If the address cannot be listened on, or this process serves a page already.
    """
    with _alone():
        _serve(desk_of(review, answers), differences, training, host, port, open_browser, on_url)


def serve_differences(
    differences: Differences,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    open_browser: bool = True,
    on_url: Callable[[str], None] | None = None,
) -> None:
    """Serve a page that shows where two label runs differ, until it is closed, or stopped with Ctrl-C.

    Args:
        differences: What is shown.
        host: Address to listen on; the default is reachable from this machine only.
        port: Port; 0 for a free one.
        open_browser: Open the page in the browser; otherwise the address is only printed, to standard error.
        on_url: Called with the page's address, whose token works once, when the server answers.

    Raises:
        InputError: If the address cannot be listened on, or this process serves a page already.
    """
    with _alone():
        _serve(None, differences, None, host, port, open_browser, on_url)


def serve_studio(
    training: Training,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    open_browser: bool = True,
    on_url: Callable[[str], None] | None = None,
    differences: Differences | None = None,
    searching: Searching | None = None,
    looking: Looking | None = None,
    restoring: Restoring | None = None,
    generating: Generating | None = None,
    watching: Watching | None = None,
    until: threading.Event | None = None,
) -> None:
    """Serve the pages of a catalog until they are stopped with Ctrl-C.

    Args:
        training: The training runs of the catalog.
        host: Address to listen on; the default is reachable from this machine only.
        port: Port; 0 for a free one.
        open_browser: Open the page in the browser; otherwise the address is only printed, to standard error.
        on_url: Called with the page's address, whose token works once, when the server answers.
        differences: Where two label runs differ: a page of its own.
        searching: Searches of the catalog: a page of its own, the first.
        looking: Looks at its images one by one: a page of its own.
        restoring: Restores images: a page of its own; it is closed in the end.
        generating: Draws pictures: a page of its own; it is closed in the end.
        watching: Watches a server: a page of its own; it is closed in the end.
        until: Serve only until this is set, for a program that goes on afterwards.

    Raises:
        InputError: If the address cannot be listened on, or this process serves a page already.
    """
    with _alone():
        _serve(
            None,
            differences,
            training,
            host,
            port,
            open_browser,
            on_url,
            until,
            searching,
            looking,
            restoring,
            generating,
            watching,
        )


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    if not _only_one.acquire(blocking=False):
        raise InputError(
            "A page is being served by this process already.",
            expected="one page at a time",
            got="a second call",
            hint="end the first, or use another process",
        )
    try:
        yield
    finally:
        _only_one.release()


def _serve(
    desk: Desk | None,
    differences: Differences | None,
    training: Training | None,
    host: str,
    port: int,
    open_browser: bool,
    on_url: Callable[[str], None] | None,
    until: threading.Event | None = None,
    searching: Searching | None = None,
    looking: Looking | None = None,
    restoring: Restoring | None = None,
    generating: Generating | None = None,
    watching: Watching | None = None,
) -> None:
    listener = _listen(host, port)
    # The web framework is imported here: most of a second that nobody else has to wait.
    from lucida.studio.application import Site, application, open_site
    from lucida.studio.gate import Gate
    from lucida.studio.server import PageServer

    port = listener.getsockname()[1]
    shown = f"[{host}]" if ":" in host else "127.0.0.1" if host == "0.0.0.0" else host
    base = f"http://{shown}:{port}"
    gate = Gate(application(), host=host, port=port, announce=lambda path: _say(f"A new link: {base}{path}"))

    def ready() -> None:
        url = base + gate.link()
        opened = open_browser and _open(url)
        what = "review" if desk is not None else "studio" if training is not None else "comparison"
        _say(f"The {what} is open in your browser. If it is not, open {url}" if opened else f"Open {url}")
        _say("Ctrl-C stops; all answers are kept." if desk is not None else "Ctrl-C stops.")
        if host not in LOOPBACK:
            _say(f"Others in the network can reach {host}; the link is the only key, and it is sent unencrypted.")
        if on_url is not None:
            on_url(url)

    def over() -> None:
        for one in (restoring, generating, watching):
            if one is not None:
                one.close()

    server = PageServer(gate, ready=ready, until=until, over=over)
    if desk is not None:
        desk.listeners.add(lambda turn: server.end_in(UNSEEN) if desk.over else None)
    pages = (differences, training, searching, looking, restoring, generating, watching)
    open_site(Site(desk, lambda: server.end_in(AFTER_SEEN), *pages))
    try:
        # The server takes Ctrl-C, finishes what is under way, and raises it again.
        with contextlib.suppress(KeyboardInterrupt):
            server.run(sockets=[listener])
    finally:
        if desk is not None:
            desk.close()
        open_site(None)
        listener.close()


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        raise InputError(
            f"Cannot listen on {host}, port {port}.",
            expected="an address of this machine and a free port",
            got=str(error),
            hint="leave --port out for a free one",
        ) from error


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _open(url: str) -> bool:
    """Open the browser; False where there is none, or only one that would take over the terminal."""
    if sys.platform.startswith("linux"):
        graphical = any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME"))
        if not graphical and not os.environ.get("BROWSER"):
            return False
    import webbrowser

    try:
        return webbrowser.open(url)
    except webbrowser.Error:
        return False
