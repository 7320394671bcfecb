"""Kill a program at random moments, as a power cut or an impatient person would."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path


def lucida(*words: str | Path) -> list[str]:
    """Return the command line of `lucida` in this Python."""
    return [sys.executable, "-c", "from lucida.cli import main; main()", *map(str, words)]


def run(command: Sequence[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, and fail with what it printed if it fails."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return done


def kill_at_random(
    command: Sequence[str],
    cwd: Path,
    *,
    times: int,
    seed: int,
    begun: Callable[[], bool],
    longest: float,
) -> int:
    """Start a command so many times and kill it each time, at a random moment after it has begun its work.

    Args:
        command: The command.
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
        process = subprocess.Popen(command, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
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
