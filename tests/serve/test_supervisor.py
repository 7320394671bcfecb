"""Processes that die are replaced, while the address stays open."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable

import pytest

from lucida.errors import ModelError
from lucida.serve.supervisor import SOCKET, Supervisor

# What serves in these tests: it answers each connection with its process id.
SERVE = f"""
import os, signal, socket
listener = socket.socket(fileno=int(os.environ["{SOCKET}"].split(",")[0]))
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
while True:
    connection, _ = listener.accept()
    connection.sendall(str(os.getpid()).encode())
    connection.close()
"""


def ask(address: tuple[str, int]) -> int:
    with socket.create_connection(address, timeout=20) as connection:
        return int(connection.recv(100))


def supervise(code: str, act: Callable[[tuple[str, int]], None], say: Callable[[str], None]) -> object:
    """Supervise, and be told to stop once `act` is done."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def run() -> None:
            try:
                act(listener.getsockname())
            finally:
                os.kill(os.getpid(), signal.SIGTERM)

        supervisor = Supervisor([sys.executable, "-S", "-c", code], listener, 1, 20.0, say)
        acting = threading.Thread(target=run)
        acting.start()
        try:
            return supervisor.run()
        finally:
            acting.join(20)


def test_one_that_is_killed_is_replaced_and_whoever_asks_meanwhile_waits() -> None:
    seen: list[int] = []
    said: list[str] = []
    died = threading.Event()

    def say(text: str) -> None:
        said.append(text)
        died.set()

    def act(address: tuple[str, int]) -> None:
        seen.append(ask(address))
        os.kill(seen[0], signal.SIGKILL)
        # Until it is gone it may still take a connection, which then ends with it.
        assert died.wait(20)
        seen.append(ask(address))

    ended = supervise(SERVE, act, say)
    assert seen[0] != seen[1]
    assert said == ["A process was killed by SIGKILL; another is started in 0.5 s."]
    assert str(ended) == "Served by 1 process; one was started again once."
    with pytest.raises(ProcessLookupError):
        os.kill(seen[1], 0)


def test_one_that_cannot_start_is_not_tried_for_ever() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        pytest.raises(ModelError, match="could not be started"),
    ):
        Supervisor([sys.executable, "-S", "-c", "raise SystemExit(3)"], listener, 1, 20.0).run()
