"""One training run as the page shows it: what was asked, how far it is, what came of it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lucida.studio.training.follow import Follower, Row
from lucida.train.location import MODEL, RESULT

if TYPE_CHECKING:
    from lucida.catalog.records import Run

State = Literal["running", "stopped", "finished", "gone"]

METRICS, PLAN, CONFIG = "metrics.jsonl", "plan.json", "config.json"
VALIDATION = "validation/"
# Files whose change is a sign of life: the last checkpoint among them, which comes every half minute.
SIGNS = (METRICS, PLAN, CONFIG, "last.safetensors", "best.safetensors")
QUIET = 120.0  # seconds without a sign of life after which a run counts as stopped
BEGINNING = 600.0  # the same before the first row: weights are fetched and the learning rate is searched
# What is shown of a run elsewhere than among its settings, or differs between any two.
NOT_SETTINGS = ("task", "data", "digest", "classes", "model")


class Watched:
    """One training run, read again whenever its files have changed.

    Args:
        run: As the catalog knows it.
        folder: Where its files are.
    """

    def __init__(self, run: Run, folder: Path) -> None:
        self.run, self.folder = run, folder
        self.follower = Follower(folder / METRICS)
        self._kept: dict[str, tuple[float, dict[str, Any]]] = {}
        self._placed: list[Row] = []
        self._generation = 0

    def look(self) -> dict[str, Any]:
        """Return what there is to see of the run, without its curves, as plain JSON values."""
        rows = self.rows()
        result, plan = self._json(RESULT), self._json(PLAN)
        parameters = self.run.parameters
        last = rows[-1] if rows else {}
        monitor, best, metrics = _best(rows, result)
        return {
            "run": self.run.id,
            "task": str(parameters.get("task", "")),
            "model": self.run.model,
            "question": self.run.question,
            "data": str(parameters.get("data", "")),
            "digest": str(parameters.get("digest", "")),
            "started": self.run.started,
            "state": self._state(result),
            "silent": self._silent(),
            "monitor": monitor,
            "best": best,
            "metrics": metrics,
            "images": result.get("images"),
            "validation": result.get("validation"),
            "seconds": result.get("seconds", last.get("seconds")),
            "step": result.get("steps", last.get("step")),
            "total": plan.get("total"),
            "stopped": str(result.get("stopped", "")),
            "start": str(result.get("start", "")),
            "skipped": result.get("skipped", 0),
            "notes": [str(note) for note in (*result.get("notes", ()), *plan.get("notes", ()))],
            "speed": _speed(rows),
            "size": _size(self.folder / MODEL),
            "settings": _settings(parameters, plan),
            "damaged": self.follower.damaged,
            "rows": len(rows),
            "generation": self.follower.generation,
        }

    def rows(self) -> list[Row]:
        """Return the rows of the curves, each with the time and the epoch of its step."""
        while not self.follower.look():
            pass
        if self._generation != self.follower.generation:
            self._generation, self._placed = self.follower.generation, []
        batch = _per_step(self._json(PLAN))
        for row in self.follower.rows[len(self._placed) :]:
            self._placed.append(_place(row, self._placed[-1] if self._placed else {"step": 0.0}, batch))
        return self._placed

    def _state(self, result: dict[str, Any]) -> State:
        if not self.folder.is_dir():
            return "gone"
        if result:
            return "finished"
        patience = QUIET if self.follower.rows else BEGINNING
        return "running" if self._silent() < patience else "stopped"

    def _silent(self) -> float:
        """Return the seconds since the last sign of life."""
        changed = [self.run.started]
        for name in SIGNS:
            try:
                changed.append((self.folder / name).stat().st_mtime)
            except OSError:
                continue
        return max(0.0, time.time() - max(changed))

    def _json(self, name: str) -> dict[str, Any]:
        """Return a JSON object of the folder; {} where there is none that can be read."""
        path = self.folder / name
        try:
            changed = path.stat().st_mtime
            kept = self._kept.get(name)
            if kept is None or kept[0] != changed:
                found = json.loads(path.read_text(encoding="utf-8"))
                self._kept[name] = kept = (changed, found if isinstance(found, dict) else {})
            return kept[1]
        except (OSError, ValueError):
            return {}


def _place(row: Row, before: Row, batch: int | None) -> Row:
    """Return a row with the seconds and the epoch of its step, from its speed where it does not say them."""
    steps = (row["step"] or 0.0) - (before["step"] or 0.0)
    speed = row.get("images_per_second")
    seconds, epoch = before.get("seconds") or 0.0, before.get("epoch") or 0.0
    if speed and batch:
        seconds += steps * batch / speed
    return {"seconds": seconds, "epoch": epoch, **row}


def _best(rows: list[Row], result: dict[str, Any]) -> tuple[str, float | None, dict[str, float]]:
    """Return the metric that chooses the weights, its best value, and all metrics of that evaluation.

    It is the first that an evaluation reports.
    """
    metrics = _numbers(result.get("metrics"))
    if not metrics:
        seen = [{k.removeprefix(VALIDATION): v for k, v in row.items() if k.startswith(VALIDATION)} for row in rows]
        known = [found for found in map(_numbers, seen) if found]
        monitor = next(iter(known[0])) if known else ""
        metrics = max((one for one in known if monitor in one), key=lambda one: one[monitor], default={})
    monitor = next(iter(metrics), "")
    return monitor, metrics.get(monitor), metrics


def _numbers(metrics: Any) -> dict[str, float]:
    if not isinstance(metrics, dict):
        return {}
    return {str(k): v for k, v in metrics.items() if isinstance(v, int | float) and v == v and abs(v) != float("inf")}


def _speed(rows: list[Row]) -> float | None:
    """Return the images a second of training: the middle of what was reported."""
    found = sorted(value for row in rows if (value := row.get("images_per_second")) is not None)
    return found[len(found) // 2] if found else None


def _size(folder: Path) -> int | None:
    """Return the bytes of the exported model; None where there is none."""
    try:
        return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) or None
    except OSError:
        return None


def _per_step(plan: dict[str, Any]) -> int | None:
    """Return the images of one change of weights."""
    try:
        return int(plan["batch"]) * int(plan["accumulate"])
    except (KeyError, TypeError, ValueError):
        return None


def _settings(parameters: dict[str, Any], plan: dict[str, Any]) -> dict[str, Any]:
    """Return what decides the result: as asked, and as found where nothing was asked."""
    asked = {name: value for name, value in parameters.items() if name not in NOT_SETTINGS}
    found = {name: plan[name] for name in ("batch", "rate", "accumulate") if name in plan}
    return {name: value if isinstance(value, int | float) else str(value) for name, value in _told(asked | found)}


def _told(settings: dict[str, Any]) -> list[tuple[str, Any]]:
    return [(name, value) for name, value in settings.items() if value is not None and value != ""]
