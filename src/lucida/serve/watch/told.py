"""What is told of a watch, from its records."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lucida.evidence.drift import VECTORS
from lucida.serve.watch import accuracy as counted
from lucida.serve.watch import bodies

if TYPE_CHECKING:
    from lucida.serve.watch.ledger import Alarm
    from lucida.serve.watch.watcher import Watcher

_ABOUT = {VECTORS: "the kernel test of vectors", "distance": "distance to the nearest known images"}
_LONGEST = 200  # characters of an answer in short
OFF = bodies.WatchAnswer(
    phase="off", problem="", model="", task="", classes=[], false_alarms=0.0, reference=None, images=0, passed=0,
    failed=0, keep_images=False, kept_bytes=0, changed=[], curves=[], alarms=[], accuracy=None,
)  # fmt: skip


def tell(watcher: Watcher) -> bodies.WatchAnswer:
    """Return what is known; called in a thread."""
    watcher.write()
    drift, settings = watcher.drift, watcher.settings
    alarms = drift.ledger.alarms(drift.watch.number) if drift is not None else []
    open_ = [alarm for alarm in alarms if alarm.closed is None]
    reference = watcher.reference
    compared = None
    if drift is not None:
        about = reference.about if reference is not None else "the first images that came"
        compared = bodies.Compared(
            given=settings.reference, about=about, note=drift.watch.note, images=len(drift.reference),
            wanted=drift.wanted, began=when(drift.watch.began),
        )  # fmt: skip
    return bodies.WatchAnswer(
        phase="alarm" if open_ and watcher.phase == "watching" else watcher.phase,
        problem=watcher.problem,
        model=watcher.served.name,
        task=watcher.service.name,
        classes=list(watcher.served.spec.gives.classes[:1000]),
        false_alarms=settings.false_alarms,
        reference=compared,
        images=drift.rows if drift is not None else 0,
        passed=watcher.passed,
        failed=watcher.failed,
        keep_images=watcher.kept.allowed,
        kept_bytes=watcher.kept.bytes,
        changed=list(dict.fromkeys(word for alarm in open_ for word in alarm.body["changed"])),
        curves=_curves(watcher),
        alarms=[_alarm(watcher, one) for one in alarms],
        accuracy=_accuracy(watcher) if watcher.accuracy.rate else None,
    )


def _curves(watcher: Watcher) -> list[bodies.Curve]:
    drift = watcher.drift
    if drift is None or drift.drift is None:
        return []
    points = drift.ledger.curve(drift.watch.number)
    now = drift.drift.evidence()
    return [
        bodies.Curve(
            name=name,
            about=_ABOUT.get(name, name),
            now=round(max(value, -99.0), 2),
            crossed=name in drift.drift.crossed,
            points=[(when(time), row, held[name]) for row, time, held in points if name in held],
        )
        for name, value in now.items()
    ]


def _alarm(watcher: Watcher, alarm: Alarm) -> bodies.Alarm:
    body = alarm.body
    images = [
        bodies.ChangedImage(**{**one, "time": when(one["time"])}, kept=watcher.kept.has(one["image"]))
        for one in body["images"]
    ]
    return bodies.Alarm(
        id=alarm.id, time=when(alarm.time), since=when(body["since"]), open=alarm.closed is None,
        changed=body["changed"], signals=body["signals"], classes=body["classes"], rows=body["rows"], images=images,
        queue=alarm.queue, expired=body.get("expired", []),
    )  # fmt: skip


def _accuracy(watcher: Watcher) -> bodies.Accuracy:
    days = watcher.accuracy.days()
    today = counted.today(days)
    return bodies.Accuracy(
        rate=watcher.accuracy.rate,
        confidence=1 - counted.LEVEL,
        today=day_of(today) if today else None,
        days=[day_of(one) for one in days],
        waiting=waiting(watcher),
    )


def waiting(watcher: Watcher) -> list[bodies.DrawnAnswer]:
    """Return the answers that a person is asked about next."""
    found = []
    for one in watcher.accuracy.waiting():
        score = one.answer.get("score")
        found.append(
            bodies.DrawnAnswer(
                number=one.number, image=one.image, time=when(one.time), request=one.request, task=one.task,
                label=str(one.answer.get("label") or ""), score=None if score is None else float(score),
                text=_short(one.answer), kept=watcher.kept.has(one.image),
            )
        )  # fmt: skip
    return found


def _short(answer: dict[str, Any]) -> str:
    """Return an answer in a line: what a person can judge beside the image."""
    if isinstance(answer.get("text"), str):
        return str(answer["text"])[:_LONGEST]
    objects = answer.get("objects")
    if isinstance(objects, list):
        return ", ".join(str(one.get("label")) for one in objects)[:_LONGEST]
    tags = answer.get("tags")
    return json.dumps(tags, ensure_ascii=False)[:_LONGEST] if tags else ""


def day_of(one: counted.Day) -> bodies.Day:
    """Return what is told of a day."""
    return bodies.Day(
        day=one.day, rate=one.rate, answers=one.total, drawn=one.drawn, right=one.right, wrong=one.wrong,
        unsure=one.unsure, unanswered=one.unanswered, low=round(one.low, 5), high=round(one.high, 5),
    )  # fmt: skip


def when(seconds: float) -> str:
    """Return a moment as text."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
