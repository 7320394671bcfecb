"""Boxes, masks, texts of every image of the catalog: what a model sees, kept as statements of its objects."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from lucida.catalog import Annotation
from lucida.errors import ImageError, InputError
from lucida.label.job import parameters_of, skipped_notes
from lucida.label.verb import LabelResult
from lucida.models.chat import Usage
from lucida.models.threads import available_cores
from lucida.progress import track
from lucida.runs.local import map_batches
from lucida.runs.seeing import Seen, Seer
from lucida.runs.spending import NOT_ASKED

if TYPE_CHECKING:
    from lucida.catalog import Catalog, Run

BATCH = 8  # images that are looked at together, and lost together if the machine dies


def run_seeing(catalog: Catalog, seer: Seer, *, question: str) -> LabelResult:
    """Look at every image that this run has not seen yet.

    Args:
        catalog: An open catalog.
        seer: The model, what is asked of it, and what the run may cost.
        question: Name of what is asked.

    Raises:
        ModelError: The model cannot run.
        InputError: There is no image, or the limit of cost cannot be kept.
    """
    began = time.monotonic()
    spec = seer.spec
    if seer.wish.task == "embed":
        raise InputError(
            "Vectors are no statements about images.",
            expected="a task that says something",
            got="embed",
            hint="lucida search makes the vectors of a catalog and keeps them; lucida predict --task embed shows them",
        )
    if not catalog.images.count():
        raise InputError("The catalog holds no image.", expected="images", got="none", hint="lucida add FOLDER")
    parameters = parameters_of(
        catalog, question, spec.name, spec.revision, {"mode": "seen", **seer.wish.to_json(), "encoder": "embedded"}
    )
    # Before a run starts: one that has started voids earlier certificates of the question.
    model, budget = seer.model, seer.budget
    known = catalog.runs.find(
        "label", question=question, model=spec.name, revision=spec.revision, parameters=parameters
    )
    if seer.talks and budget.limit is not None:
        # The limit is of the whole run, of which an earlier call may have paid a part.
        budget.spent = _spent(catalog, known.id) if known else 0.0
        budget.check(model)
    run = catalog.runs.start("label", question=question, model=spec.name, revision=spec.revision, parameters=parameters)
    todo = catalog.runs.missing(run.id)
    batch, workers = (1, model.workers) if seer.talks else (BATCH, available_cores())
    problems: dict[str, str] = {}
    usage, new, objects = Usage(), 0, 0

    def work(ids: tuple[str, ...]) -> list[tuple[str, Seen]]:
        return [] if budget.over else _see(catalog, seer, ids)

    with track("Looking", catalog.images.count(), done=catalog.images.count() - len(todo)) as step:
        for found in map_batches(work, todo, batch=batch, workers=workers):
            catalog.annotations.append(_annotations(run, found))
            for image, seen in found:
                usage += seen.usage
                if seen.result is not None:
                    new += 1
                    objects += len(seen.result.items()) - 1
                elif seen.problem != NOT_ASKED:
                    problems[image] = seen.problem
            step(len(found))
    left = len(todo) - new
    if not left:
        catalog.runs.finish(run.id)
    notes = list(seer.notes)
    if budget.over:
        notes.append(
            f"Stopped at ${budget.spent:.4f} of ${budget.limit:g}: {left - len(problems):,} images left; the same"
            " command with a higher --max-cost goes on."
        )
    return LabelResult(
        run=run.id,
        images=catalog.images.count() - left,
        seconds=round(time.monotonic() - began, 3),
        question=question,
        classes=seer.classes,
        new=new,
        skipped=len(problems),
        engine=model.engine if todo else "",
        cost=usage.cost,
        task=seer.wish.task,
        objects=objects,
        notes=(*notes, *skipped_notes(catalog, problems)),
    )


def _spent(catalog: Catalog, run: str) -> float:
    """Return what a run has cost so far, in US dollars."""
    return float(sum(row.detail.get("cost", 0.0) for row in catalog.annotations.rows(run=run) if row.item == 0))


def _see(catalog: Catalog, seer: Seer, ids: Sequence[str]) -> list[tuple[str, Seen]]:
    read = catalog.images.reader(ids)
    files: list[tuple[str, bytes]] = []
    failed: dict[str, Seen] = {}
    for image in ids:
        try:
            files.append((image, read(image)))
        except ImageError as error:
            failed[image] = Seen(problem=error.line())
    said = dict(zip((image for image, _ in files), seer.see([data for _, data in files]), strict=True)) if files else {}
    return [(image, failed.get(image) or said[image]) for image in ids]


def _annotations(run: Run, found: Sequence[tuple[str, Seen]]) -> Iterator[Annotation]:
    now = time.time()
    for image, seen in found:
        for number, item in enumerate(seen.result.items() if seen.result is not None else ()):
            detail: dict[str, Any] = dict(item.detail)
            if number == 0 and seen.usage.cost is not None:
                detail["cost"] = round(seen.usage.cost, 8)
            yield Annotation(
                image, run.question, run.id, item=number, label=item.label, score=item.score, detail=detail, time=now
            )
