"""Progress of long work: rate and time left, on standard error, quiet where nobody looks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from lucida.processes import is_first


class Step(Protocol):
    """Advance the work by so many units."""

    def __call__(self, done: int = 1) -> None: ...


class _Rate(ProgressColumn):
    """Units a second, averaged over the work so far."""

    def __init__(self, unit: str) -> None:
        self.unit = unit
        super().__init__()

    def render(self, task: Task) -> Text:
        """Return the rate as text."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f} {self.unit}/s" if speed else "", style="dim")


@contextmanager
def track(description: str, total: int | None, *, unit: str = "images", done: int = 0) -> Iterator[Step]:
    """Show progress of `total` units of work while the block runs.

    Args:
        description: What is being done, as shown beside the bar.
        total: Units of work in all; None when unknown.
        unit: Name of one unit, plural.
        done: Units that an earlier, interrupted call has done already.

    Yields:
        A function to call with the number of units just done. Safe to call from several threads.
    """
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(unit),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal or not is_first(),
    ) as progress:
        task = progress.add_task(description, total=total, completed=done)

        def step(done: int = 1) -> None:
            progress.advance(task, done)

        yield step
