"""One label run: start or go on, see the images, learn, write proposals in batches."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from lucida.catalog import Annotation
from lucida.errors import ImageError
from lucida.label.verb import LabelResult
from lucida.progress import track
from lucida.results import Classification
from lucida.runs.vectors import compute, vector_key

if TYPE_CHECKING:
    from lucida.catalog import Catalog, Run
    from lucida.label.sources import Source
    from lucida.models.spec import Precision, Spec
    from lucida.runs.vectors import Computed

BATCH = 10_000


def run_label(
    catalog: Catalog, spec: Spec, source: Source, *, question: str, precision: Precision = "auto"
) -> LabelResult:
    """Label every image that this run has not labelled yet.

    Args:
        catalog: An open catalog.
        spec: The model.
        source: What labels come from.
        question: What is asked.
        precision: Arithmetic of the model.

    Raises:
        ModelError: The model cannot run, or cannot do what the source needs.
        InputError: The source refuses what it was given.
        ImageError: None of the images can be read any more.
    """
    began = time.monotonic()
    key = vector_key(spec, source.output, precision)
    parameters = {**source.parameters(), "classes": source.classes, "precision": precision, "vectors": key}
    # A run that has started voids earlier certificates: it starts only once the model is known to work.
    computed = compute(catalog, spec, output=source.output, precision=precision)
    if computed.skipped and len(computed.skipped) == computed.images:
        raise _unreadable(catalog, computed)
    run = _start(catalog, spec, question, parameters)
    source.learn(catalog, spec, precision, catalog.runs.folder(run.id), key)
    todo = [image for image in catalog.runs.missing(run.id) if image not in computed.skipped]
    given = source.taught(catalog)
    with track("Labelling", len(todo)) as step:
        for start in range(0, len(todo), BATCH):
            rows = list(_annotations(catalog, run, source, key, todo[start : start + BATCH], given))
            catalog.annotations.append(rows)
            step(len(rows))
    catalog.runs.finish(run.id)
    return LabelResult(
        run=run.id,
        images=computed.images - len(computed.skipped),
        seconds=round(time.monotonic() - began, 3),
        question=question,
        classes=tuple(source.classes),
        new=len(todo),
        taught=len(given),
        skipped=len(computed.skipped),
        accuracy=source.accuracy,
        notes=(*source.notes, *_skipped(catalog, computed.skipped)),
    )


def _start(catalog: Catalog, spec: Spec, question: str, parameters: dict[str, Any]) -> Run:
    """Go on with the latest run of the question if it is the same; else start a new one.

    Going back to parameters of an older run asks for its labels to count again: that is a new run too.
    """
    earlier = [run for run in catalog.runs.all(question) if run.verb == "label"]
    same = [
        {k: v for k, v in run.parameters.items() if k != "again"} == parameters
        and (run.model, run.revision) == (spec.name, spec.revision)
        for run in earlier
    ]
    if any(same):
        again = earlier[-1].parameters.get("again") if same[-1] else len(earlier)
        parameters = {**parameters, **({"again": again} if again else {})}
    return catalog.runs.start(
        "label", question=question, model=spec.name, revision=spec.revision, parameters=parameters
    )


def _annotations(
    catalog: Catalog, run: Run, source: Source, key: str, ids: Sequence[str], given: dict[str, str]
) -> Iterator[Annotation]:
    probabilities = source.predict(catalog.vectors.get(key, ids))
    now = time.time()
    for image, found in zip(ids, Classification.from_probabilities(probabilities, source.classes), strict=True):
        if image in given:
            yield Annotation(image, run.question, run.id, kind="taught", label=given[image], time=now)
            continue
        detail = {"runner_up": [list(pair) for pair in found.runner_up]}
        yield Annotation(image, run.question, run.id, label=found.label, score=found.score, detail=detail, time=now)


def _unreadable(catalog: Catalog, computed: Computed) -> ImageError:
    image, reason = next(iter(computed.skipped.items()))
    return ImageError(
        f"None of the {computed.images:,} images can be read any more.",
        expected="the files where they were when they were added",
        got=f"{catalog.images.name(image)}: {reason}",
        hint="put the files back, or lucida add FOLDER where they are now",
    )


def _skipped(catalog: Catalog, skipped: dict[str, str]) -> Iterator[str]:
    shown = list(skipped)[:5]
    names = catalog.images.names(shown)
    for image in shown:
        yield f"Skipped {names[image]}: {skipped[image]}"
    if len(skipped) > len(shown):
        yield f"… and {len(skipped) - len(shown):,} more."
