"""How many cores this process may use: affinity and container limits count, not the machine's size."""

from __future__ import annotations

import os
from pathlib import Path

from lucida.errors import InputError

_CGROUP = Path("/sys/fs/cgroup")


def available_cores(cgroup: Path = _CGROUP) -> int:
    """Return the number of cores at hand, at least 1.

    The environment variable LUCIDA_THREADS overrides what is found.

    Raises:
        InputError: LUCIDA_THREADS is not a whole number of at least 1.
    """
    wanted = os.environ.get("LUCIDA_THREADS", "")
    if wanted:
        if not wanted.isdecimal() or int(wanted) < 1:
            raise InputError(
                "LUCIDA_THREADS is not a number of threads.",
                expected="a whole number of at least 1",
                got=repr(wanted),
                hint="unset LUCIDA_THREADS to use all cores at hand",
            )
        return int(wanted)
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(affinity, _quota(cgroup) or affinity))


def _quota(cgroup: Path) -> int:
    """Return the container's limit in whole cores, 0 where there is none."""
    try:
        version2 = (cgroup / "cpu.max").read_text().split()
        quota, period = (-1 if version2[0] == "max" else int(version2[0])), int(version2[1])
    except (OSError, ValueError, IndexError):
        try:
            quota = int((cgroup / "cpu" / "cpu.cfs_quota_us").read_text())
            period = int((cgroup / "cpu" / "cpu.cfs_period_us").read_text())
        except (OSError, ValueError):
            return 0
    return max(1, round(quota / period)) if quota > 0 and period > 0 else 0
