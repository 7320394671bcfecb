"""One label run: start or go on, ask the labeller, write what it proposes in batches."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from lucida.catalog import Annotation
from lucida.label.verb import LabelResult
from lucida.progress import track

if TYPE_CHECKING:
    from lucida.catalog import Catalog, Run
    from lucida.label.labeller import Labeller, Proposal


def run_label(catalog: Catalog, labeller: Labeller, *, question: str) -> LabelResult:
    """Label every image that this run has not labelled yet.

    Args:
        catalog: An open catalog.
        labeller: What proposes the labels.
        question: What is asked.

    Raises:
        ModelError: The model cannot run or be reached, or cannot do what is asked of it.
        InputError: The labeller refuses what it was given.
        ImageError: None of the images can be read any more.
    """
    began = time.monotonic()
    about: dict[str, Any] = {
        "question": question,
        "model": labeller.model,
        "revision": labeller.revision,
        "parameters": parameters_of(catalog, question, labeller.model, labeller.revision, labeller.parameters()),
    }
    known = catalog.runs.find("label", **about)
    before = catalog.runs.missing(known.id) if known else catalog.images.ids()
    labeller.check(catalog, before, catalog.runs.folder(known.id) if known else None)
    run = catalog.runs.start("label", **about)
    labeller.learn(catalog, catalog.runs.folder(run.id))
    given = labeller.taught(catalog)
    todo = catalog.runs.missing(run.id)
    ask = [image for image in todo if image not in given]
    problems: dict[str, str] = {}
    new = len(todo) - len(ask)
    with track("Labelling", len(todo), done=new) as step:
        catalog.annotations.append(_taught(run, [image for image in todo if image in given], given))
        for proposals in labeller.propose(catalog, ask):
            new += catalog.annotations.append(_annotations(run, proposals))
            problems |= {proposal.image: proposal.problem for proposal in proposals if proposal.found is None}
            step(len(proposals))
    left = len(todo) - new
    if not left:
        catalog.runs.finish(run.id)
    return LabelResult(
        run=run.id,
        images=catalog.images.count() - left,
        seconds=round(time.monotonic() - began, 3),
        question=question,
        classes=tuple(labeller.classes),
        new=new,
        taught=len(given),
        skipped=len(problems),
        accuracy=labeller.accuracy,
        engine=labeller.engine,
        cost=labeller.cost,
        notes=(*labeller.notes, *skipped_notes(catalog, problems)),
    )


def parameters_of(
    catalog: Catalog, question: str, model: str, revision: str, parameters: dict[str, Any]
) -> dict[str, Any]:
    """Return the parameters of the run: those of the latest run of the question, if it is the same, go on with it.

    Going back to parameters of an older run asks for its labels to count again: that is a new run too.
    """
    earlier = [run for run in catalog.runs.all(question) if run.verb == "label"]
    same = [
        {k: v for k, v in run.parameters.items() if k != "again"} == parameters
        and (run.model, run.revision) == (model, revision)
        for run in earlier
    ]
    if not any(same):
        return parameters
    again = earlier[-1].parameters.get("again") if same[-1] else len(earlier)
    return {**parameters, **({"again": again} if again else {})}


def _taught(run: Run, ids: Sequence[str], given: dict[str, str]) -> Iterator[Annotation]:
    now = time.time()
    for image in ids:
        yield Annotation(image, run.question, run.id, kind="taught", label=given[image], time=now)


def _annotations(run: Run, proposals: Sequence[Proposal]) -> Iterator[Annotation]:
    now = time.time()
    for proposal in proposals:
        found = proposal.found
        if found is None:
            continue
        detail = {"runner_up": [list(pair) for pair in found.runner_up], **proposal.detail}
        yield Annotation(
            proposal.image, run.question, run.id, label=found.label, score=found.score, detail=detail, time=now
        )


def skipped_notes(catalog: Catalog, skipped: dict[str, str]) -> Iterator[str]:
    """Say which images were skipped, and why."""
    shown = list(skipped)[:5]
    names = catalog.images.names(shown)
    for image in shown:
        yield f"Skipped {names[image]}: {skipped[image]}"
    if len(skipped) > len(shown):
        yield f"… and {len(skipped) - len(shown):,} more."
