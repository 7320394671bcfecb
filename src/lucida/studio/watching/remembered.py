"""What the records of a server, in the catalog, still know of it when it does not run; nothing is written there."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, defaultdict
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from lucida.evidence.audit import share_of_judged

FILE: Final = "serve.sqlite"
LEVEL: Final = 0.05
POINTS: Final = 400
DAYS: Final = 30
_UNSEEN: Final[dict[str, Any]] = {
    "phase": "off", "model": "", "task": "", "classes": [], "problem": "", "images": 0, "passed": 0, "failed": 0,
    "keep_images": False, "false_alarms": LEVEL, "reference": None, "curves": [], "alarms": [], "changed": [],
}  # fmt: skip


def remembered(catalog: Path) -> dict[str, Any]:
    """Return what is known, in the shapes in which a server tells it.

    Args:
        catalog: Its folder.

    Returns:
        "watch", "routes" and "jobs"; None where nothing is known.
    """
    file, found = catalog / FILE, dict[str, Any](watch=None, routes=None, jobs=None)
    if not file.is_file():
        return found
    # A file of another version, or a damaged one, hides nothing else on the page.
    with suppress(sqlite3.Error), closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=2)) as records:
        records.row_factory = sqlite3.Row
        for name, read in (("watch", _watch), ("routes", _routes), ("jobs", _jobs)):
            with suppress(sqlite3.Error, ValueError, KeyError, TypeError):
                found[name] = read(records)
    return found


def _watch(records: sqlite3.Connection) -> dict[str, Any] | None:
    accuracy = _accuracy(records)
    watch = records.execute("SELECT * FROM watches ORDER BY number DESC LIMIT 1").fetchone()
    if watch is None:
        return None if accuracy is None else {**_UNSEEN, "accuracy": accuracy}
    about = json.loads(watch["about"])
    alarms = [_alarm(row) for row in records.execute(
        "SELECT * FROM watch_alarms WHERE watch = ? ORDER BY time DESC LIMIT 100", (watch["number"],))]  # fmt: skip
    rows = records.execute("SELECT * FROM watch_curve WHERE watch = ? ORDER BY row", (watch["number"],)).fetchall()
    reference = records.execute(
        "SELECT count(*) FROM watched_images WHERE watch = ? AND reference", (watch["number"],)
    ).fetchone()[0]
    crossed = {one["name"] for alarm in alarms for one in alarm["signals"]}
    return {
        **_UNSEEN,
        "phase": "alarm" if any(one["open"] for one in alarms) else "watching",
        "model": str(about.get("model", "")), "task": str(about.get("task", "")),
        "false_alarms": float(about.get("false_alarms", LEVEL)),
        "reference": {
            "given": str(about.get("reference", "")), "about": str(about.get("reference", "")), "note": watch["note"],
            "images": reference, "wanted": reference, "began": when(watch["began"]),
        },
        "images": rows[-1]["row"] if rows else 0,
        "curves": _curves(rows, crossed),
        "alarms": alarms,
        "changed": list(dict.fromkeys(word for one in alarms if one["open"] for word in one["changed"])),
        "accuracy": accuracy,
    }  # fmt: skip


def _curves(rows: list[sqlite3.Row], crossed: set[str]) -> list[dict[str, Any]]:
    step = max(1, -(-len(rows) // POINTS))
    points: dict[str, list[Any]] = defaultdict(list)
    for row in [*rows[:-1:step], *rows[-1:]]:
        for name, value in json.loads(row["evidence"]).items():
            points[name].append([when(row["time"]), row["row"], value])
    return [
        {"name": name, "about": name, "now": held[-1][2], "crossed": name in crossed, "points": held}
        for name, held in points.items()
    ]


def _alarm(row: sqlite3.Row) -> dict[str, Any]:
    body = json.loads(row["body"])
    return {
        "id": row["id"], "time": when(row["time"]), "since": when(body["since"]), "open": row["closed"] is None,
        "changed": body["changed"], "signals": body["signals"], "classes": body["classes"], "rows": body["rows"],
        "images": [{**one, "time": when(one["time"]), "kept": True} for one in body["images"]],
        "queue": row["queue"], "expired": body.get("expired", []),
    }  # fmt: skip


def _accuracy(records: sqlite3.Connection) -> dict[str, Any] | None:
    latest = "SELECT number, day, rate, total FROM watch_days ORDER BY day DESC, number DESC LIMIT ?"
    days = [_day(records, row) for row in records.execute(latest, (DAYS,)).fetchall()]
    if not days:
        return None
    today = datetime.now(UTC).date().isoformat()
    return {
        "rate": days[0]["rate"], "confidence": 1 - LEVEL, "days": days, "waiting": [],
        "today": next((one for one in days if one["day"] == today), None),
    }  # fmt: skip


def _day(records: sqlite3.Connection, row: sqlite3.Row) -> dict[str, Any]:
    said = "SELECT priority, coalesce(verdict, '') FROM watch_drawn WHERE day = ?"
    judged = [(priority, verdict) for priority, verdict in records.execute(said, (row["number"],))]
    low, high = share_of_judged(row["total"], row["rate"], judged, level=LEVEL) if row["total"] else (0.0, 1.0)
    counts = Counter(verdict for _, verdict in judged)
    return {
        "day": row["day"], "rate": row["rate"], "answers": row["total"], "drawn": len(judged), "right": counts["right"],
        "wrong": counts["wrong"], "unsure": counts["unsure"], "unanswered": counts[""], "low": low, "high": high,
    }  # fmt: skip


def _routes(records: sqlite3.Connection) -> list[dict[str, Any]] | None:
    names = {row[0]: None for row in records.execute("SELECT route FROM route_states")}
    for table in ("route_feedback", "route_changes"):
        names |= {row[0]: None for row in records.execute(f"SELECT DISTINCT route FROM {table} ORDER BY route")}
    return [_route(records, name) for name in names] or None


def _route(records: sqlite3.Connection, name: str) -> dict[str, Any]:
    judged = records.execute(
        "SELECT model, sum(right) AS right, count(*) AS count FROM route_feedback WHERE route = ? AND role = 'answer' "
        "GROUP BY model ORDER BY min(id)", (name,)
    ).fetchall()  # fmt: skip
    changes = records.execute("SELECT * FROM route_changes WHERE route = ? ORDER BY id DESC LIMIT 20", (name,))
    return {
        "name": name, "remembered": True,
        "judged": [{"model": row["model"], "right": row["right"], "judged": row["count"]} for row in judged],
        "changes": [{key: row[key] for key in ("at", "what", "why", "model")} for row in changes][::-1],
    }  # fmt: skip


def _jobs(records: sqlite3.Connection) -> list[dict[str, Any]] | None:
    rows = records.execute("SELECT * FROM jobs ORDER BY number DESC LIMIT 20").fetchall()
    return [
        {
            "id": row["id"], "task": row["task"], "model": row["model"], "state": row["state"],
            "created": when(row["created"]), "error": json.loads(row["problem"] or "null"), "notes": [],
            "progress": {
                "done": row["done"], "failed": row["failed"], "total": row["total"], "rate": None, "seconds_left": None,
                "share": (row["done"] + row["failed"]) / max(1, row["total"]),
            },
        }
        for row in rows
    ] or None  # fmt: skip


def when(seconds: float) -> str:
    """Return a moment as text."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
