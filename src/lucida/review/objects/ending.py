"""The end of a review of objects: its certificate is written, and what is kept is marked in the catalog."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lucida.catalog import Annotation
from lucida.review.check import CERTIFICATE
from lucida.review.journal import spoken
from lucida.review.objects.certificate import ObjectsCertificate, images_of, write_certificate

if TYPE_CHECKING:
    from lucida.catalog import Catalog, Run
    from lucida.review.certificate import Certificate
    from lucida.review.objects.journal import ObjectJournal
    from lucida.review.objects.missed import Looks
    from lucida.review.objects.units import Unit


def finish(
    catalog: Catalog,
    run: Run,
    found: Certificate,
    looks: Looks,
    *,
    images: Sequence[str],
    units: dict[str, Unit],
    journal: ObjectJournal,
    later: int,
) -> ObjectsCertificate:
    """Keep what is proven by now.

    Args:
        catalog: Where it is written.
        run: The review.
        found: What the first stage has settled.
        looks: The second stage.
        images: Every image of the review.
        units: The objects by their ids.
        journal: The answers.
        later: Images that were labelled since the review began.
    """
    certificate = write_certificate(
        found,
        looks if looks.standing else None,
        images_of(found, images),
        confidence=float(run.parameters["confidence"]),
        question=run.question,
        context=_context(run, journal, later),
        attempts=_attempts(catalog, run),
        ended=looks.reason,
    )
    certificate.save(catalog.runs.folder(run.id) / CERTIFICATE)
    population = found.population
    assert population is not None, "a certificate from a review"
    catalog.annotations.append(
        Annotation(
            image=unit.image,
            question=run.question,
            run=run.id,
            item=unit.item,
            kind="certified",
            label=unit.label,
            score=unit.score,
            detail={"source": str(run.parent)},
        )
        for unit in (units[population.ids[row]] for row in map(int, certificate.kept))
    )
    catalog.runs.finish(run.id)
    return certificate


def _context(run: Run, journal: ObjectJournal, later: int) -> dict[str, Any]:
    return {
        "run": run.id,
        "labelled_by": str(run.parent),
        "model": run.model,
        "revision": run.revision,
        "reviewers": sorted({entry.actor for entry in journal.entries}),
        "answers_carried_over": sum(entry.reused for entry in journal.entries),
        "images_added_later": later,
        "program": run.program,
        "frozen": _when(run.started),
        "written": _when(time.time()),
    }


def _attempts(catalog: Catalog, of: Run) -> list[dict[str, Any]]:
    """Return the ledger: every attempt on the same frozen objects, this one included."""
    ledger = []
    for run in sorted(catalog.runs.all(question=of.question), key=lambda r: r.started):
        if run.verb == "review" and run.parameters.get("digest") == of.parameters["digest"]:
            kept = [row for row in spoken(catalog, of.question, run.id) if row.kind == "answer"]
            names = ("max_error", "confidence", "max_missed", "simulation")
            terms = {name: run.parameters.get(name) for name in names}
            ledger.append({"run": run.id, "started": _when(run.started), **terms, "answers": len(kept)})
    return ledger


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
