"""What follows from an alarm: its images become a review queue and then a training set, and certificates expire."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from lucida.errors import InputError, LucidaError
from lucida.serve.intake import Sent
from lucida.serve.looking import Job, Look

if TYPE_CHECKING:
    from pathlib import Path

    from lucida.catalog import Catalog
    from lucida.data import Samples
    from lucida.serve.sharing import Served
    from lucida.serve.watch.ledger import Alarm, Row
    from lucida.serve.watch.watcher import Watcher

MOST: Final = 500  # images of a queue
SOURCE: Final = "live"  # where the catalog says that they come from


@dataclass(frozen=True)
class Queued:
    """A review queue.

    Attributes:
        question: Under which it is reviewed: `lucida review --question …`.
        run: The run whose proposals are reviewed.
        images: In it.
        lost: Images that changed and are not kept.
    """

    question: str
    run: str
    images: int
    lost: int


def queue_alarm(watcher: Watcher, alarm: Alarm, most: int = MOST) -> Queued:
    """Make a review queue of the images that changed: they come into the catalog, with what the served model says.

    Asked again, images that came since are added to the same queue. Called in a thread.

    Args:
        watcher: That raised the alarm.
        alarm: The alarm.
        most: Images, at most; those that the alarm names come first.

    Raises:
        InputError: No catalog is served, the model names no classes, or no image that changed is kept.
    """
    catalog, drift = watcher.catalog, watcher.drift
    if catalog is None or drift is None:
        raise InputError(
            "There is no catalog to which images could be added.", expected="lucida serve --catalog FOLDER", got="none",
            hint="lucida add makes one",
        )  # fmt: skip
    _refuse_without_classes(watcher.served)
    rows = drift.changed_images(alarm, most)
    held = [(row, data) for row in rows if (data := watcher.kept.read(row.image)) is not None]
    if not held:
        raise InputError(
            "None of the images that changed is kept, so nobody can be shown one.",
            expected="images of the catalog, or kept ones",
            got=f"{len(rows):,} that were sent and not kept",
            hint="watch: {keep_images: yes} in serve.yaml keeps those that come from now on",
        )
    question = alarm.queue or f"drift-{alarm.id}"
    run = catalog.runs.start(
        "label",
        question=question,
        model=watcher.served.found.name,
        revision=watcher.served.spec.revision,
        parameters={"mode": "drift", "alarm": alarm.id, "classes": list(watcher.served.spec.gives.classes)},
    )
    take_in(catalog, held)
    count = _label(watcher, catalog, run.id, question, held)
    catalog.runs.finish(run.id)
    drift.ledger.put_alarm(replace(alarm, queue=question))
    return Queued(question, run.id, count, len(rows) - len(held))


def take_in(catalog: Catalog, held: Sequence[tuple[Row, bytes]]) -> None:
    """Add live images to a catalog, under the source "live"; those that it has stay as they are.

    Args:
        catalog: The catalog.
        held: Each with its bytes.
    """
    from lucida.catalog.ingest import Ingest
    from lucida.catalog.sources import Found

    known = set(catalog.images.ids())
    found = []
    for row, data in held:
        if row.image not in known:
            name = f"{SOURCE}/{time.strftime('%Y-%m-%d', time.gmtime(row.time))}/{row.image}"
            found.append(Found(name, f"{SOURCE}:{row.image}", row.image, len(data), int(row.time * 1e9), data))
    Ingest(catalog, workers=1).run(found)


def _label(
    watcher: Watcher, catalog: Catalog, run: str, question: str, held: Sequence[tuple[Row, bytes]]
) -> int:  # fmt: skip
    from lucida.catalog import Annotation

    missing = set(catalog.runs.missing(run))
    rows: list[Annotation] = []
    for row, data in held:
        if row.image not in missing:
            continue
        try:
            said = _said(watcher, row.image, data)
        except LucidaError:
            continue
        detail = {"runner_up": said["runner_up"]} if said.get("runner_up") else {}
        score = said.get("score")
        rows.append(
            Annotation(image=row.image, question=question, run=run, label=said["label"], score=score, detail=detail)
        )
    catalog.annotations.append(rows)
    return len(catalog.annotations.table(run).ids)


def _said(watcher: Watcher, image: str, data: bytes) -> dict[str, Any]:
    """Return what the served model says now: an answer from before may be of another revision."""
    job = Job(watcher.service, watcher.served, watcher.wish, Sent(image, data))
    found: dict[str, Any] = json.loads(Look(job, watcher.limits, watcher.read)())
    return found


def _refuse_without_classes(served: Served) -> None:
    if "classify" not in [service.name for service in served.services] or not served.spec.gives.classes:
        raise InputError(
            f"{served.name} names no classes of its own, so there is nothing to review with a key for each.",
            expected="a model that classifies",
            got=", ".join(service.name for service in served.services),
            hint="lucida add the images and lucida label them",
        )


def training_set(catalog: Catalog, question: str) -> Samples:
    """Return what people said of a queue as examples; `lucida train classify --question QUESTION` reads the same.

    Args:
        catalog: The catalog.
        question: Of the queue.

    Raises:
        UnknownName: There is no such queue.
        InputError: Nobody has answered yet.
    """
    from lucida.data.catalog import read_answers

    found = read_answers(catalog, question)
    if not len(found):
        raise InputError(
            "Nobody has answered anything in this queue yet.", expected="answers", got=question,
            hint=f"lucida review --question {question}",
        )  # fmt: skip
    return found


def expire_certificates(watcher: Watcher, alarm: Alarm) -> list[Path]:
    """Mark the certificates of what is served as expired; return them.

    That is the certificate whose population is the reference, and those of the catalog about labels of this model.

    Args:
        watcher: That raised the alarm.
        alarm: The alarm.
    """
    from lucida.review.expiry import certificates_of, expire

    found: list[Path] = []
    if watcher.reference is not None and watcher.reference.certificate is not None:
        found.append(watcher.reference.certificate)
    if watcher.catalog is not None:
        served = watcher.served
        found += certificates_of(watcher.catalog, {served.given, served.found.name})
    found = list(dict.fromkeys(path.resolve() for path in found))
    for path in found:
        expire(path, ", ".join(alarm.body["changed"]), alarm=alarm.id, when=alarm.time)
    return found
