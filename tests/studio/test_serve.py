"""Serving a review: the address, the end, Ctrl-C."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from lucida.errors import InputError
from lucida.studio import serve as serving
from lucida.studio import serve_review

PROGRAM = """
import sys
sys.path[:0] = {paths!r}
from conftest import FakeReview, draw
from lucida.studio import serve_review
review = FakeReview({{f"id{{i:02d}}": draw(i) for i in range(20)}})
serve_review(review, open_browser=False, on_url=lambda url: print(url, flush=True))
print(review.log, flush=True)
"""


def test_it_is_served_until_it_is_done_and_the_end_was_seen(review: Any, serve: Any) -> None:
    served = serve(review)
    served.act("answer", verdict="right")
    served.act("freeze")
    assert served.act("stop").json()["view"]["phase"] == "done"
    assert served.client.get("/").status_code == 200  # the summary can still be fetched
    served.end()
    assert review.log == [("id00", "right", "circle"), ("freeze",), ("stop",)]


def test_one_process_serves_one_review_after_the_other(review: Any, serve: Any) -> None:
    for _ in range(2):
        served = serve(review)
        with pytest.raises(InputError, match="already"):
            serve_review(review)
        assert served.client.get("/").status_code == 200
        served.act("pause")
        served.end()


def test_the_page_is_not_reachable_from_other_machines(review: Any, serve: Any) -> None:
    served = serve(review)
    assert httpx.URL(served.url).host == "127.0.0.1"
    served.act("pause")
    served.end()


def test_a_number_of_answers_ends_it(review: Any, serve: Any) -> None:
    served = serve(review, answers=2)
    assert served.act("answer", verdict="right").json()["view"]["left"] == 1
    assert served.act("answer", verdict="unsure").json()["view"]["ended"] == "handed"
    served.end()
    assert len(review.log) == 2


def test_a_review_that_is_over_already_shows_its_end(review: Any, serve: Any) -> None:
    review.phase = "done"
    served = serve(review)
    assert served.view()["card"] is None
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
    assert serving._open("http://127.0.0.1/") is False


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is sent as a POSIX signal")
def test_ctrl_c_ends_it_and_keeps_every_answer(visit: Any) -> None:
    paths = [str(Path(__file__).parent), *filter(None, sys.path)]
    program = [sys.executable, "-c", PROGRAM.format(paths=paths)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        visitor = visit(process.stdout.readline().strip())
        assert visitor.act("answer", verdict="right").status_code == 200
        assert visitor.act("answer", verdict="unsure").status_code == 200
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
