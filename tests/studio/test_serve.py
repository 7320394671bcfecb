"""Serving a review: the address, the end, Ctrl-C."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from lucida.errors import InputError
from lucida.studio import serve, serve_review

PROGRAM = """
import sys
sys.path[:0] = {paths!r}
from conftest import FakeReview, draw
from lucida.studio import serve_review
review = FakeReview({{f"id{{i:02d}}": draw(i) for i in range(20)}})
serve_review(review, open_browser=False, on_url=lambda url: print(url, flush=True))
print(review.log, flush=True)
"""


class Served:
    """A review being served in a thread, and a client that has opened its link."""

    def __init__(self, review: Any, **options: Any) -> None:
        self.url = ""
        up = threading.Event()

        def note(url: str) -> None:
            self.url = url
            up.set()

        options = {"open_browser": False, "on_url": note} | options
        self.thread = threading.Thread(target=lambda: serve_review(review, **options), daemon=True)
        self.thread.start()
        assert up.wait(60)
        self.client = enter(self.url)

    def act(self, kind: str, **more: Any) -> httpx.Response:
        return act(self.client, kind, **more)

    def end(self) -> None:
        self.client.post("/api/review/seen", json={})
        self.thread.join(30)
        assert not self.thread.is_alive()


def enter(url: str) -> httpx.Client:
    """Open the link as a browser does."""
    client = httpx.Client(base_url=url.split("/?")[0])
    assert client.get(url).status_code == 200
    return client


def act(client: httpx.Client, kind: str, **more: Any) -> httpx.Response:
    """Do one act on what is asked now."""
    view = client.get("/api/review").json()
    shown = {name: view["card"][name] for name in ("image", "proposal")} if view["card"] else {}
    key = f"{kind}-{view['turn']:08d}"
    return client.post("/api/review", json={"key": key, "turn": view["turn"], "kind": kind, **shown, **more})


def test_it_is_served_until_it_is_done_and_the_end_was_seen(review: Any) -> None:
    served = Served(review)
    served.act("answer", verdict="right")
    served.act("freeze")
    assert served.act("stop").json()["view"]["phase"] == "done"
    assert served.client.get("/").status_code == 200  # the summary can still be fetched
    served.end()
    assert review.log == [("id00", "right", "circle"), ("freeze",), ("stop",)]


def test_one_process_serves_one_review_after_the_other(review: Any) -> None:
    for _ in range(2):
        served = Served(review)
        with pytest.raises(InputError, match="already"):
            serve_review(review)
        assert served.client.get("/").status_code == 200
        served.act("pause")
        served.end()


def test_the_page_is_not_reachable_from_other_machines(review: Any) -> None:
    served = Served(review)
    assert httpx.URL(served.url).host == "127.0.0.1"
    served.act("pause")
    served.end()


def test_a_number_of_answers_ends_it(review: Any) -> None:
    served = Served(review, answers=2)
    assert served.act("answer", verdict="right").json()["view"]["left"] == 1
    assert served.act("answer", verdict="unsure").json()["view"]["ended"] == "handed"
    served.end()
    assert len(review.log) == 2


def test_a_review_that_is_over_already_shows_its_end(review: Any) -> None:
    review.phase = "done"
    served = Served(review)
    assert served.client.get("/api/review").json()["card"] is None
    served.end()


def test_a_port_that_is_taken_is_said_in_four_parts(review: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError) as error:
            serve_review(review, port=port, open_browser=False)
    assert str(port) in error.value.what
    assert error.value.hint


@pytest.mark.parametrize(("host", "port"), [("203.0.113.9", 0), ("127.0.0.1", 70000), ("no such name", 0)])
def test_an_address_that_is_not_ours_is_refused(review: Any, host: str, port: int) -> None:
    with pytest.raises(InputError):
        serve_review(review, host=host, port=port, open_browser=False)


def test_without_a_screen_no_browser_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    assert serve._open("http://127.0.0.1/") is False


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is sent as a POSIX signal")
def test_ctrl_c_ends_it_and_keeps_every_answer() -> None:
    paths = [str(Path(__file__).parent), *filter(None, sys.path)]
    program = [sys.executable, "-c", PROGRAM.format(paths=paths)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        client = enter(process.stdout.readline().strip())
        assert act(client, "answer", verdict="right").status_code == 200
        assert act(client, "answer", verdict="unsure").status_code == 200
        os.kill(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "('id00', 'right', 'circle'), ('id01', 'unsure', None)" in out
    assert "Traceback" not in err
    assert "Ctrl-C stops; all answers are kept." in err


def test_nothing_of_the_web_framework_is_imported_before_a_page_is_served() -> None:
    program = "import sys, lucida.studio; print([m for m in ('nicegui', 'fastapi', 'uvicorn') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
