"""What is reviewed: the newest run that answers a question, and what it proposes."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from lucida.errors import InputError, UnknownName
from lucida.review.kinds import unit_of
from lucida.review.population import Population, freeze

if TYPE_CHECKING:
    from lucida.catalog import Catalog, Run


def find_source(catalog: Catalog, question: str | None) -> Run:
    """Return the newest run whose proposals a review of this question would check.

    Raises:
        InputError: If nothing has been labelled yet.
        UnknownName: If nobody knows the question.
    """
    every = [r for r in catalog.runs.all() if r.verb in ("label", "teach")]
    runs = [r for r in every if r.finished is not None]
    if not runs and any(r.verb == "label" for r in every):
        raise InputError(
            "Labelling has begun in this catalog and has not ended yet.",
            expected="a finished run of `lucida label`",
            got="one that was interrupted, or that is at work now",
            hint="repeat the same lucida label command: it goes on where it stopped",
        )
    if not runs:
        raise InputError(
            "Nothing has been labelled in this catalog yet.",
            expected="proposals to review",
            got=f"{catalog.images.count():,} images without a label",
            hint='lucida label --examples FOLDER, or lucida label --classes "cat,dog"',
        )
    known = {r.question for r in runs}
    if question is not None and question not in known:
        raise UnknownName("question", question, sorted(known), hint="lucida label --question makes a new one.")
    cleaning = catalog.runs.cleaning()
    asked = [r for r in runs if r.question not in cleaning] or runs
    wanted = question or max(asked, key=lambda r: r.started).question
    return max((r for r in runs if r.question == wanted), key=lambda r: r.started)


def population_of(catalog: Catalog, source: Run, *, without: Collection[str]) -> Population:
    """Freeze the proposals of a run, except for the images in `without`: the taught ones.

    A text for which the model gave no score takes that of its least sure line, and 0 where it has no lines: then
    all texts of the run stand or fall together.
    """
    if unit_of(catalog, source) != "labels":
        return freeze(*_texts(catalog, source))
    ids, labels, scores, _ = catalog.annotations.table(source.id)
    rows = [i for i, image in enumerate(ids) if image not in without]
    return freeze([ids[i] for i in rows], [labels[i] for i in rows], [float(scores[i]) for i in rows])


def _texts(catalog: Catalog, source: Run) -> tuple[list[str], list[str], list[float]]:
    texts: dict[str, str] = {}
    scores: dict[str, float | None] = {}
    for row in catalog.annotations.rows(run=source.id, kind="proposal"):
        if row.item == 0:
            texts[row.image] = row.label or ""
            scores.setdefault(row.image, None)
        known = [score for score in (scores.get(row.image), row.score) if score is not None]
        scores[row.image] = min(known, default=None)
    return list(texts), list(texts.values()), [scores[image] or 0.0 for image in texts]
