"""When what happened of a request: reading, waiting, working; for histograms and traces."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final, Literal, NamedTuple

Name = Literal["read", "wait", "work"]


class Stage(NamedTuple):
    """A part of a request.

    Attributes:
        name: "read" its body, "wait" for a worker, "work": decode and infer.
        began: As `time.monotonic` has it.
        ended: Likewise.
    """

    name: Name
    began: float
    ended: float


MOST: Final = 256  # of one request; a batch has two for each image
STAGES: Final[ContextVar[list[Stage] | None]] = ContextVar("STAGES", default=None)


def note(name: Name, began: float, ended: float) -> None:
    """Note a part of the request that is served in this context, if there is one."""
    stages = STAGES.get()
    if stages is not None and len(stages) < MOST:
        stages.append(Stage(name, began, ended))
