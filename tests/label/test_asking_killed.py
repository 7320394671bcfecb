"""A real kill in the middle of asking: what was answered is kept, and only what was under way is asked again."""

from __future__ import annotations

import json
import subprocess
import threading
from collections import Counter

import pytest

from chat_server import SILENT, Raw, Request, answer, said, serve
from killing import lucida, run

ANSWERED, WORKERS = 10, 8


def test_a_kill_costs_no_more_than_what_was_under_way(place):
    pytest.importorskip("openai")
    asked, answered, blocked = Counter[str](), Counter[str](), threading.Event()

    with serve() as server:

        def respond(request: Request) -> Raw:
            (url,) = request.images
            with server.lock:
                asked[url] += 1
                good = blocked.is_set() or asked.total() <= ANSWERED
                answered[url] += good
                if asked.total() == ANSWERED + WORKERS:
                    blocked.set()
                    good = False
            return said(answer("disc")) if good else SILENT

        server.respond = respond
        words = ["label", "--model", f"api:m@{server.url}", "--classes", "disc,square,stripes", "--price", "1/1"]
        command = lucida(*words, "--max-cost", "10", "--question", "kind", "--catalog", place.catalog, "--json")
        first = subprocess.Popen(command, cwd=place.photos.parent, stdout=subprocess.DEVNULL)
        try:
            # Every worker waits for an answer now, so that all that was answered before is on disk.
            assert blocked.wait(120)
        finally:
            first.kill()
            first.wait()
        assert answered.total() == ANSWERED
        result = json.loads(run(command, place.photos.parent).stdout)
    assert result["images"] == 24
    assert set(answered.values()) == {1}, "no image is answered twice"
    assert Counter(asked.values()) == {1: 24 - WORKERS, 2: WORKERS}
    notes = " ".join(result["notes"])
    assert "24 answers in all" in notes
    assert "at most for questions without a reply" in notes
