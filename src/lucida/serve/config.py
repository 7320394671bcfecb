"""How a server is to be: where it listens, how much it takes on, how long it waits."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lucida.errors import InputError
from lucida.models.threads import available_cores

# The least and the most that a setting may be.
BOUNDS: Final[dict[str, tuple[float, float]]] = {
    "port": (0, 65_535),
    "workers": (0, 1024),
    "processes": (0, 256),
    "queue": (0, 1_000_000),
    "deadline": (0.001, 86_400),
    "body_bytes": (1, 2**40),
    "held_bytes": (1, 2**50),
    "pixels": (1, 2**40),
    "images": (1, 10_000),
    "classes": (1, 1_000_000),
    "cache_bytes": (0, 2**50),
    "header_seconds": (0.001, 3600),
    "body_seconds": (0.001, 3600),
    "body_rate": (1, 2**40),
    "job_queue": (0, 1_000_000),
    "job_items": (1, 10_000_000),
    "job_inputs": (0, 2**50),
    "job_results": (0, 2**50),
    "job_days": (0.001, 36_500),
    "notice": (0, 3600),
    "grace": (0, 86_400),
}
PLANS: Final = ("measured", "default")
TOGETHER: Final = 64  # images that one call of a model may be given
LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Settings:
    """Bounds of a server; each is kept before an image is decoded.

    Attributes:
        host: Address to listen on.
        port: Port; 0 for a free one.
        workers: Threads of a process that decode and infer, each inference on one core; 0 for as many as there are
            cores, in all processes together.
        queue: Images that wait for one of them, at most; 0 for 32 a worker.
        deadline: Seconds from the last byte of a request to its answer.
        body_bytes: Size of a request, at most.
        held_bytes: Of all requests that are being read or served, at most.
        pixels: Width times height of an image, at most.
        images: In one batch, at most.
        classes: In one request, at most.
        cache_bytes: Answers that are kept, in bytes; 0 for none.
        header_seconds: In which a client must have said what it wants.
        body_seconds: In which it must send the first `body_rate` bytes, and so on.
        body_rate: Bytes a second that a client must send on average after that.
        job_queue: Jobs that wait or are being done, at most.
        job_items: Images, or pictures, of one job, at most.
        job_inputs: Bytes of images that were sent with jobs that are not over, at most.
        job_results: Bytes of answers of jobs that are kept, at most.
        job_days: For which they are kept; also for which a job may wait.
        notice: Seconds in which a server that was told to stop still says so, before it leaves.
        grace: Seconds in which what was taken is finished when the server is told to stop.
        cert: Certificate, and those that vouch for it, in PEM; None to speak HTTP without TLS.
        cert_key: Its key in PEM; None where that is in the same file.
        plan: How models are run: "default" one image at a time, "measured" as is best here, or as many at a time; ""
            for what is usual: "measured" of `lucida serve`, "default" of programs.
        processes: That serve, under one that starts them again when they die; 0 for this process, and none above it.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 0
    queue: int = 0
    deadline: float = 30.0
    body_bytes: int = 32 * 2**20
    held_bytes: int = 512 * 2**20
    pixels: int = 64_000_000
    images: int = 64
    classes: int = 1000
    cache_bytes: int = 64 * 2**20
    header_seconds: float = 10.0
    body_seconds: float = 10.0
    body_rate: int = 16 * 2**10
    job_queue: int = 100
    job_items: int = 10_000
    job_inputs: int = 2**30
    job_results: int = 2**30
    job_days: float = 7.0
    notice: float = 1.0
    grace: float = 30.0
    cert: Path | None = None
    cert_key: Path | None = None
    plan: str = ""
    processes: int = 0

    def __post_init__(self) -> None:
        for name, (least, most) in BOUNDS.items():
            value: Any = getattr(self, name)
            # One request must fit into what is held of all of them.
            most = min(most, self.held_bytes) if name == "body_bytes" else most
            # Not-a-number is in no range.
            if not least <= value <= most:
                raise InputError(
                    f"The setting {name!r} is out of range.",
                    expected=f"{least:,.15g} to {most:,.15g}",
                    got=f"{value:,.15g}",
                    hint="lucida serve --help",
                )
        number = int(self.plan[:4]) if self.plan.isascii() and self.plan.isdecimal() else 0
        if self.plan not in ("", *PLANS) and not 1 <= number <= TOGETHER:
            raise InputError(
                "This is no plan for models.",
                expected=f"{', '.join(PLANS)}, or how many images are looked at together, 1 to {TOGETHER}",
                got=self.plan[:50],
                hint="--plan measured",
            )

    @property
    def threads(self) -> int:
        """How many workers there are."""
        return self.workers or max(1, available_cores() // max(1, self.processes))

    @property
    def waiting(self) -> int:
        """How many images may wait."""
        return self.queue or 32 * self.threads

    @property
    def local(self) -> bool:
        """Whether only this machine can reach it."""
        return is_loopback(self.host)


def is_loopback(name: str) -> bool:
    """Tell whether an address or a name is that of this machine for itself."""
    try:
        return name.lower() in LOOPBACK or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
