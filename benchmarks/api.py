"""Label by asking a server that breaks, kill it half-way, go on: is all labelled, and is anything paid twice?

    .venv/bin/python benchmarks/api.py --images 2000 --faults 0.1

A server on this machine speaks the protocol of chat completions and breaks a share of the requests: busy (429 with
Retry-After), broken (500), cut off before an answer, an answer that is no JSON, one outside the classes. It counts the
good answers that it has given about each image. A first process labels and is killed (SIGKILL) when half of the images
are answered; a second one, with the same command, goes on. Prints whether every image is labelled, how many were
answered twice (those under way at the kill: at most as many as there are workers), what it cost by the journal and by
the server, peak memory, and the time beside the least that the server's own delay allows.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lucida.catalog import Catalog, add
from lucida.label import label
from lucida.label.asking import JOURNAL
from lucida.label.journal import Journal
from lucida.models.openai_api.options import USUAL

CLASSES = "light,middle,dark"
QUESTION = "brightness"
PRICE = "1/4"  # US dollars per million tokens
LIMIT = 10.0  # US dollars
WORKERS = USUAL.workers
TOKENS = (1_000, 40)  # of each answer, as the server counts them
FAULTS = ("busy", "broken", "cut", "no JSON", "outside")


@dataclass
class Served:
    """What the server has done so far.

    Attributes:
        share: Share of requests that break.
        delay: Seconds that a good answer takes.
        good: Good answers about each image, by what was sent of it.
        broken: How often each fault was made.
        paid: Answers that were given, bad ones included.
    """

    share: float
    delay: float
    good: Counter[str] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)
    paid: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    chance: random.Random = field(default_factory=lambda: random.Random(0))

    def draw(self) -> str:
        """Return the fault of the next request, "" for none."""
        with self.lock:
            fault = self.chance.choice(FAULTS) if self.chance.random() < self.share else ""
            self.broken[fault] += bool(fault)
            return fault


@contextmanager
def serving(served: Served) -> Iterator[str]:
    """Run the server while the block runs, and give its base URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            return

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            (url,) = (part["image_url"]["url"] for part in body["messages"][-1]["content"] if "image_url" in part)
            fault = served.draw()
            if fault == "cut":
                self.close_connection = True
                self.connection.close()
            elif fault in ("busy", "broken"):
                self.give({"error": {"message": fault}}, 429 if fault == "busy" else 500)
            else:
                time.sleep(served.delay)
                texts = {"no JSON": "I cannot say.", "outside": '{"class": "purple"}'}
                self.give(_completion(texts.get(fault, '{"class": "dark", "confidence": 0.8, "reason": "It is."}')))
                with served.lock:
                    served.paid += 1
                    served.good[sha256(url.encode()).hexdigest()] += not fault

        def give(self, body: dict[str, Any], status: int = 200) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            if status == 429:
                self.send_header("retry-after", "0.5")
            self.end_headers()
            self.wfile.write(data)

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, request: Any, client_address: Any) -> None:
            return

    server = Quiet(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()


def _completion(text: str) -> dict[str, Any]:
    usage = {"prompt_tokens": TOKENS[0], "completion_tokens": TOKENS[1], "total_tokens": sum(TOKENS)}
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return {"id": "c", "object": "chat.completion", "model": "m", "choices": [choice], "usage": usage}


def write_images(folder: Path, images: int) -> None:
    """Write so many different small photos."""
    folder.mkdir()
    draw = np.random.default_rng(0)
    for number in range(images):
        pixels = draw.integers(0, 255, (12, 16, 3)).astype(np.uint8)
        Image.fromarray(pixels).resize((128, 96)).save(folder / f"{number:05d}.jpg", quality=85)


def label_all(url: str, catalog: Path) -> None:
    """Label by asking; what the process took goes to standard output."""
    result = label(
        model=f"api:m@{url}", classes=CLASSES, question=QUESTION, price=PRICE, max_cost=LIMIT, catalog=catalog
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    shown = {
        "run": result.run,
        "new": result.new,
        "skipped": result.skipped,
        "peak": round(peak),
        "notes": result.notes,
    }
    print(json.dumps(shown))


def start(url: str, catalog: Path) -> subprocess.Popen[str]:
    """Start a process that labels."""
    command = [sys.executable, __file__, "--ask", url, "--catalog", str(catalog)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})


def benchmark(images: int, share: float, delay: float) -> dict[str, Any]:
    """Run the whole, and return the figures."""
    served = Served(share, delay)
    with tempfile.TemporaryDirectory() as name, serving(served) as url:
        home = Path(name)
        write_images(home / "photos", images)
        add([home / "photos"], catalog=home / "catalog")
        began = time.monotonic()
        process = start(url, home / "catalog")
        while process.poll() is None and len(served.good) < images // 2:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        answered = len(served.good)
        lines, _ = start(url, home / "catalog").communicate()
        seconds = time.monotonic() - began
        result = json.loads(lines)
        with Catalog.open(home / "catalog") as catalog:
            labelled = len(list(catalog.annotations.current(QUESTION)))
            tally = Journal(catalog.runs.folder(result["run"]) / JOURNAL).tally
    times = Counter(served.good.values())
    paid = served.paid * (TOKENS[0] * 1 + TOKENS[1] * 4) / 1e6
    return {
        "images": images,
        "labelled": labelled,
        "faults": dict(sorted((name, n) for name, n in served.broken.items() if name)),
        "answered when killed": answered,
        "images answered well": {f"{n} times": count for n, count in sorted(times.items())},
        "under way at the kill, at most": WORKERS,
        "dollars by the server": round(paid, 4),
        "dollars by the journal": round(tally.usage.cost or 0.0, 4),
        "dollars for questions without a reply, at most": round(tally.lost, 4),
        "peak memory, MB": result["peak"],
        "seconds": round(seconds, 1),
        "seconds by the server's delay alone": round(served.paid * delay / WORKERS, 1),
        "notes": result["notes"],
    }


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=2_000)
    parser.add_argument("--faults", type=float, default=0.1, help="share of requests that break")
    parser.add_argument("--delay", type=float, default=0.05, help="seconds that an answer takes")
    parser.add_argument("--ask", help=argparse.SUPPRESS)
    parser.add_argument("--catalog", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.ask:
        label_all(given.ask, given.catalog)
        return
    for name, value in benchmark(given.images, given.faults, given.delay).items():
        print(f"{name:50} {value}")


if __name__ == "__main__":
    main()
