"""Kill a program at random moments, as a power cut or an impatient person would."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any


def lucida(*words: str | Path) -> list[str]:
    """Return the command line of `lucida` in this Python."""
    return [sys.executable, "-c", "from lucida.cli import main; main()", *map(str, words)]


def run(command: Sequence[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, and fail with what it printed if it fails."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return done


class Warm:
    """Starts `lucida` in processes that have imported what takes long already, as PyTorch does: each is a fork."""

    def __init__(self, *modules: str) -> None:
        ways = multiprocessing.get_all_start_methods()
        self._context: Any = multiprocessing.get_context("forkserver" if "forkserver" in ways else "spawn")
        self._context.set_forkserver_preload(list(modules))

    def start(self, words: Sequence[str], cwd: Path, environment: dict[str, str] | None = None) -> Forked:
        """Start `lucida` with these words in a folder.

        What it prints goes to the file "printed" there, of one of several processes with its rank behind.
        """
        process = self._context.Process(target=_forked, args=(list(words), cwd, environment or {}))
        process.start()
        return Forked(process)

    def run(self, words: Sequence[str], cwd: Path) -> str:
        """Run `lucida` to its end, return what it printed, and fail with that if it fails."""
        code = self.start(words, cwd).wait(240)
        printed = (cwd / "printed").read_text(encoding="utf-8")
        assert code == 0, printed
        return printed


class Forked:
    """A forked process, with the methods of a `subprocess.Popen` that are used here."""

    def __init__(self, process: Any) -> None:
        self._process = process

    def poll(self) -> int | None:
        code: int | None = self._process.exitcode
        return code

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if (code := self.poll()) is None:
            raise subprocess.TimeoutExpired("lucida", timeout or 0.0)
        return code

    def send_signal(self, _: int) -> None:
        self._process.kill()


def _forked(words: list[str], cwd: Path, environment: dict[str, str]) -> None:
    from lucida.cli import run as cli

    os.environ.update(environment)
    os.chdir(cwd)
    with (cwd / f"printed{environment.get('RANK', '')}").open("w", encoding="utf-8") as printed:
        os.dup2(printed.fileno(), 1)
        code = cli(words)
        sys.stdout.flush()
    sys.exit(code)


def kill_at_random(
    command: Sequence[str] | Callable[[], Forked],
    cwd: Path,
    *,
    times: int,
    seed: int,
    begun: Callable[[], bool],
    longest: float,
) -> int:
    """Start a command so many times and kill it each time, at a random moment after it has begun its work.

    Args:
        command: The command, or what starts it.
        cwd: Where to run it.
        times: How many times.
        seed: Of the random moments.
        begun: Says whether the command has begun its work; the random moment counts from there.
        longest: The longest wait from there, in seconds.

    Returns:
        How often it was killed; less than `times` if it came to its end before.
    """
    chance = random.Random(seed)
    killed = 0
    for _ in range(times):
        process = (
            command()
            if callable(command)
            else subprocess.Popen(command, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        )
        while process.poll() is None and not begun():
            time.sleep(0.005)
        try:
            process.wait(timeout=chance.uniform(0, longest))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL if os.name == "posix" else signal.SIGTERM)
            process.wait()
            killed += 1
        else:
            break
    return killed
