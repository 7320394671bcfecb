"""What a run reports while it goes: JSON lines for programs and the studio, TensorBoard, other trackers on request."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lucida.whole import write_whole


class Journal:
    """Appends rows to `metrics.jsonl`; a run that goes on leaves out what it said after its checkpoint.

    Args:
        folder: Folder of the run.
        step: The checkpoint's step: later rows of an earlier call are dropped.
        also: Called with the numbers and the step, for other trackers.
    """

    def __init__(self, folder: Path, step: int, also: Callable[[dict[str, Any], int], None] | None = None) -> None:
        self._also = also
        self.path = folder / "metrics.jsonl"
        kept = [row for row in read(self.path) if row["step"] <= step]
        write_whole(self.path, "".join(json.dumps(row) + "\n" for row in kept))
        self._writer: Any = None
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            return  # the JSON lines hold the same
        self._writer = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)

    def write(self, step: int, **values: Any) -> None:
        """Append a row; numbers go to TensorBoard as well."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **values}) + "\n")
        if self._writer is not None:
            for name, value in values.items():
                if isinstance(value, int | float):
                    self._writer.add_scalar(name, value, step)
            self._writer.flush()
        if self._also is not None:
            self._also(values, step)

    def close(self) -> None:
        """Close what is open."""
        if self._writer is not None:
            self._writer.close()


def read(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a journal; a last line that a kill cut short is passed over."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    return rows
