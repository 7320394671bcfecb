"""Kill a program at random moments, start it again, and see that nothing is lost and nothing is there twice.

    duration = run_through(command, cwd=folder)
    moments = kill_and_repeat(command, cwd=folder, duration=duration, kills=8, check=look, again=clear)

The moments are drawn over the time that the program takes when it is left alone, so that they fall into all its parts.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path


class FailedByItselfError(AssertionError):
    """The program failed although nobody killed it."""


def run_through(
    command: Sequence[str], *, cwd: Path, env: Mapping[str, str] | None = None, limit: float = 120
) -> float:
    """Run a program to its end and return how many seconds it took.

    Raises:
        FailedByItselfError: It failed.
    """
    started = time.monotonic()
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, **(env or {})}, capture_output=True, text=True, timeout=limit, check=False
    )
    if done.returncode:
        raise FailedByItselfError(f"{command} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return time.monotonic() - started


def kill_after(command: Sequence[str], seconds: float, *, cwd: Path, env: Mapping[str, str] | None = None) -> bool:
    """Start a program and kill it without warning after so many seconds; return whether it was still at work.

    It is killed as SIGKILL does: it cannot clean up, flush, or say good-bye. Its children die with it.
    """
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    with suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    at_work = process.poll() is None
    if at_work:
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()
    return at_work


def kill_and_repeat(
    command: Sequence[str],
    *,
    cwd: Path,
    duration: float,
    kills: int,
    check: Callable[[], None],
    again: Callable[[], None],
    seed: int = 0,
    env: Mapping[str, str] | None = None,
    begin: float = 0.0,
) -> list[float]:
    """Kill a program again and again, look after each time, and at last let it end.

    Args:
        command: The program; started again it must go on where it was.
        cwd: Folder in which it runs.
        duration: Seconds that it takes undisturbed, as `run_through` returns on a copy.
        kills: How often it is killed at work.
        check: Called after each kill and at the end; raises if something is lost, double or broken.
        again: Called when the program came to its end before it was killed: clears away what it made, so that the
            kills to come find it at work.
        seed: Seed of the moments.
        env: Variables added to the environment.
        begin: Seconds at the start, such as those of imports, in which nothing happens that could break.

    Returns:
        Seconds after which it was killed, one for each kill that found it at work.
    """
    draw = random.Random(seed)
    moments: list[float] = []
    for _ in range(2 * kills):
        if len(moments) == kills:
            break
        seconds = draw.uniform(begin, duration)
        at_work = kill_after(command, seconds, cwd=cwd, env=env)
        check()
        if at_work:
            moments.append(seconds)
        else:
            again()
    run_through(command, cwd=cwd, env=env)
    check()
    return moments
