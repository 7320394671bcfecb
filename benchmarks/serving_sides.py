"""The servers that are compared, each a group of processes that can be held still while another is asked."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil  # type: ignore[import-untyped]

from lucida.models.threads import available_cores

OURS: Final = "lucida serve"
SIDES: Final = (OURS, "FastAPI, 1 worker", "FastAPI, 2 workers", "LitServe")
_ROOT: Final = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Side:
    """A server that runs.

    Attributes:
        port: Where it listens.
        process: Its first process, which leads a group of its own.
    """

    port: int
    process: subprocess.Popen[bytes]

    def cpu(self) -> float:
        """Return the seconds of the processor that it has taken, its workers included."""
        return float(sum(one.cpu_times().user + one.cpu_times().system for one in self._all()))

    def memory(self) -> float:
        """Return the MB that it holds, what processes share counted once."""
        return float(sum(one.memory_full_info().pss for one in self._all())) / 2**20

    def _all(self) -> list[psutil.Process]:
        whole = psutil.Process(self.process.pid)
        return [whole, *whole.children(recursive=True)]

    def hold(self) -> None:
        """Have it take nothing of the processor until `go`."""
        os.killpg(self.process.pid, signal.SIGSTOP)

    def go(self) -> None:
        """Let it run on."""
        os.killpg(self.process.pid, signal.SIGCONT)


def installed() -> tuple[str, ...]:
    """Return the sides that can be run."""
    return tuple(name for name in SIDES if name != "LitServe" or importlib.util.find_spec("litserve"))


@contextmanager
def side(name: str, card: Path, more: Sequence[str] = ()) -> Iterator[Side]:
    """Run one server, from when it answers until the context ends.

    Args:
        name: One of `SIDES`.
        card: TOML beside the model.
        more: Further options of ours.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {**os.environ, "PEER_MODEL": str(card.parent / "model.onnx")}
    command = [sys.executable, "-m", *_command(name, card, port), *(more if name == OURS else ())]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, cwd=_ROOT, env=environment, stdout=log, stderr=log, start_new_session=True)
        try:
            _wait(port, process, "/readyz" if name == OURS else "/openapi.json")
            yield Side(port, process)
        finally:
            # One that is held still could not leave.
            for number in (signal.SIGCONT, signal.SIGTERM):
                if process.poll() is None:
                    os.killpg(process.pid, number)
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(15)


def _command(name: str, card: Path, port: int) -> list[str]:
    if name == OURS:
        return ["lucida", "serve", f"m={card}", "--port", str(port)]
    if name == "LitServe":
        return ["benchmarks.serving_litserve", str(port), str(available_cores())]
    workers = "1" if "1" in name else "2"
    peer = ["benchmarks.serving_peer:app", "--no-access-log", "--workers", workers]
    return ["uvicorn", *peer, "--port", str(port)]


def _wait(port: int, process: subprocess.Popen[bytes], path: str) -> None:
    for _ in range(600):
        if process.poll() is not None:
            raise SystemExit(f"{process.args!r} ended with {process.returncode}")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise SystemExit(f"{process.args!r} does not answer")
