"""The smaller models that were made of a run: what each cost, and what is proven of it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from lucida.compress.result import read_result

if TYPE_CHECKING:
    from pathlib import Path

    from lucida.catalog.records import Run


class Compressions:
    """The finished compressions of a catalog; each is read once."""

    def __init__(self) -> None:
        self._kept: dict[str, dict[str, Any]] = {}

    def of(self, runs: list[Run], root: Path) -> dict[str, list[dict[str, Any]]]:
        """Return the compressions of each training run, the oldest first, as plain JSON values.

        Args:
            runs: All runs of the catalog.
            root: Folder in which those of the runs are.
        """
        found: dict[str, list[dict[str, Any]]] = {}
        for run in runs:
            if run.verb == "compress" and run.parent and (one := self._look(run.id, root / run.id)):
                found.setdefault(run.parent, []).append(one)
        return found

    def _look(self, run: str, folder: Path) -> dict[str, Any] | None:
        if run not in self._kept:
            try:
                result = read_result(folder)
            except (OSError, ValueError, KeyError, TypeError):
                return None  # damaged: the training is shown all the same
            if result is None:
                return None
            # What was judged, before and after; other ways to run it are no other models.
            rows = [asdict(row) for row in result.rows if row.accuracy is not None]
            about = {name: getattr(result, name) for name in ("made", "claim", "holds", "images", "data")}
            self._kept[run] = {"run": run, "rows": rows, **about}
        return self._kept[run]
