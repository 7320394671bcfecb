"""The beginning of a review of objects: what is asked about is fixed, then the seed is drawn; or one is taken up."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from lucida.review.check import POPULATION
from lucida.review.objects.units import Unit, population_of
from lucida.review.population import freeze
from lucida.whole import whole

if TYPE_CHECKING:
    from lucida.catalog import Catalog, Run
    from lucida.review.objects.terms import ObjectTerms

IMAGES: Final = "images.parquet"


def under_way(catalog: Catalog, source: Run, terms: ObjectTerms, seed: int | None) -> Run | None:
    """Return the review of a run with these terms that was begun last; None without one."""
    wanted = asdict(terms) | {"asked_seed": seed}
    for run in sorted(catalog.runs.all(question=source.question), key=lambda r: r.started, reverse=True):
        same = run.verb == "review" and run.parent == source.id
        same = same and all(run.parameters.get(name) == value for name, value in wanted.items())
        if same and (catalog.runs.folder(run.id) / POPULATION).exists():
            return run
    return None


def begin(
    catalog: Catalog,
    source: Run,
    terms: ObjectTerms,
    units: Sequence[Unit],
    images: Sequence[str],
    *,
    unit: str,
    seed: int | None,
) -> Run:
    """Freeze what a review is about, and start its run.

    Args:
        catalog: Where it lies.
        source: The run that has drawn the objects.
        terms: What is to be proven.
        units: The objects.
        images: Every image that the run has looked at.
        unit: "boxes" or "masks".
        seed: An explicit one makes a simulation.
    """
    population, frozen = population_of(units), freeze(list(images), [""] * len(images), [0.0] * len(images))
    parameters: dict[str, Any] = asdict(terms) | {
        # The seed is drawn after the objects and their scores are fixed: nothing could be fitted to it.
        "seed": secrets.token_hex(16) if seed is None else seed,
        "asked_seed": seed,
        "simulation": seed is not None,
        "digest": population.digest(),
        "images": frozen.digest(),
        "unit": unit,
    }
    run = catalog.runs.start(
        "review",
        question=source.question,
        model=source.model,
        revision=source.revision,
        parameters=parameters,
        parent=source.id,
    )
    # The population comes last: once it is there, the review has begun.
    for what, name in ((frozen, IMAGES), (population, POPULATION)):
        with whole(catalog.runs.folder(run.id) / name) as partial:
            what.save(partial)
    return run
