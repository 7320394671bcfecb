"""A process that serves nothing itself: it holds the address, and has others serve, which are replaced when they die.

Who asks while a process starts waits in the queue of the address; while it loads its models, it says 503 and when to
come again. What a process was answering when it died ends with its connection; nothing is answered twice. One that
cannot even start is not tried for ever.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from lucida.errors import ModelError

SOCKET: Final = "LUCIDA_SERVE_SOCKET"  # number of the open address, and of a pipe that ends with the supervisor
LIVED: Final = 10.0  # seconds after which a process has started well
SHORTEST: Final = 0.5  # seconds before it is started again
LONGEST: Final = 30.0
EVERY: Final = 0.1  # seconds between two looks at the processes


@dataclass(frozen=True)
class Supervised:
    """What came of supervising.

    Attributes:
        processes: How many served.
        restarts: How often one was started again.
    """

    processes: int
    restarts: int

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"processes": self.processes, "restarts": self.restarts}

    def __str__(self) -> str:
        times = "once" if self.restarts == 1 else f"{self.restarts:,} times"
        again = f"one was started again {times}" if self.restarts else "none had to be started again"
        return f"Served by {self.processes:,} process{'' if self.processes == 1 else 'es'}; {again}."


@dataclass
class _Child:
    """One process, or the place of one that is to be started."""

    process: subprocess.Popen[bytes] | None = None
    began: float = 0.0
    due: float = 0.0
    delay: float = field(default=SHORTEST)


class Supervisor:
    """Has processes serve.

    Args:
        command: Of one process.
        listener: The address.
        count: Processes.
        grace: Seconds that they may take to stop.
        say: Is told of deaths.
    """

    def __init__(
        self,
        command: Sequence[str],
        listener: socket.socket,
        count: int,
        grace: float,
        say: Callable[[str], None] = lambda text: print(text, file=sys.stderr, flush=True),
    ) -> None:
        self._command, self._listener, self._grace, self._say = list(command), listener, grace, say
        self._children = [_Child() for _ in range(count)]
        self._told, self.restarts = 0, 0
        self._read, self._write = os.pipe()

    def run(self) -> Supervised:
        """Supervise until told to stop, by SIGTERM or SIGINT; SIGHUP is passed on.

        Raises:
            ModelError: A process ended of itself as soon as it was started.
        """
        before = {number: signal.signal(number, self._signalled) for number in (signal.SIGTERM, signal.SIGINT)}
        before[signal.SIGHUP] = signal.signal(signal.SIGHUP, lambda number, _: self._send(number))
        try:
            while not self._told:
                for child in self._children:
                    self._look(child)
                time.sleep(EVERY)
            until = time.monotonic() + self._grace
            while any(_lives(child) for child in self._children) and time.monotonic() < until:
                time.sleep(EVERY)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            self._send(signal.SIGKILL)
            for child in self._children:
                if child.process is not None:
                    child.process.wait()
            os.close(self._read)
            os.close(self._write)
        return Supervised(len(self._children), self.restarts)

    def _signalled(self, *_: object) -> None:
        # The second time they end at once, as a server of one process does.
        self._told += 1
        self._send(signal.SIGTERM)

    def _send(self, number: int) -> None:
        for child in self._children:
            if child.process is not None and _lives(child):
                child.process.send_signal(number)

    def _look(self, child: _Child) -> None:
        now = time.monotonic()
        if _lives(child):
            if now - child.began > LIVED:
                child.delay = SHORTEST
            return
        if child.process is not None:
            self._bury(child, now)
        if child.process is None and now >= child.due and not self._told:
            child.process, child.began = self._start(), now

    def _bury(self, child: _Child, now: float) -> None:
        assert child.process is not None
        code, child.process = child.process.returncode, None
        if self._told:
            return
        if code >= 0 and now - child.began < LIVED:
            raise ModelError(
                "The server could not be started.",
                expected="a process that serves",
                got=f"one that ended with {code} after {now - child.began:.1f} s",
                hint="what it said stands above",
            )
        self.restarts += 1
        child.due = now + child.delay
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
        self._say(f"A process was {how}; another is started in {child.delay:g} s.")
        child.delay = min(LONGEST, 2 * child.delay)

    def _start(self) -> subprocess.Popen[bytes]:
        kept = (self._listener.fileno(), self._read)
        # In a session of its own: Ctrl-C reaches the supervisor alone, which passes it on once.
        return subprocess.Popen(
            self._command,
            env={**os.environ, SOCKET: ",".join(map(str, kept))},
            pass_fds=kept,
            start_new_session=True,
        )


def _lives(child: _Child) -> bool:
    return child.process is not None and child.process.poll() is None


def inherited(environment: Mapping[str, str] = os.environ) -> socket.socket | None:
    """Return the address that a supervisor holds for this process; None where there is no supervisor.

    If the supervisor dies, this process is told to stop, as by SIGTERM.
    """
    found = environment.get(SOCKET, "")
    if not found:
        return None
    listener, pipe = map(int, found.split(","))

    def watch() -> None:
        # Nobody writes: it ends when the last writer does.
        os.read(pipe, 1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="supervisor", daemon=True).start()
    return socket.socket(fileno=listener)
