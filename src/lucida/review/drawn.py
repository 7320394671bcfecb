"""What past checks drew at random, as samples for the comparison of two labellers.

A check does not read its population evenly: it reads the sets of its epochs, the confident ones first and deeper. So
its answers as a whole are no random sample, and whoever is better on easy images would seem better on all. But each
set was fixed before its order was drawn, and the completely answered prefix of that order, among the images of the set
on which the two labellers differ, is a random sample of them without replacement. Images outside of the set are taken
as they are known, and those not known as the worst case. The pilot, and images that were taught, were chosen: they are
known, and say nothing of others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING

import numpy as np

from lucida.evidence.chain import SHARES
from lucida.evidence.paired import Sample
from lucida.review.check import POPULATION
from lucida.review.journal import history, spoken
from lucida.review.population import Population
from lucida.review.terms import Terms

if TYPE_CHECKING:
    from lucida.catalog import Catalog, Run
    from lucida.evidence.order import Ints
    from lucida.review.session import Session

SETS = 6  # of an epoch at most: each one more costs all of them evidence
STEP = 0.75  # each of them holds at most this share of the images of the next larger one
FEWEST = 5  # images on which the labellers differ; fewer prove nothing


def past_checks(catalog: Catalog, question: str) -> Iterator[tuple[Run, Session]]:
    """Yield each check of a question with its evidence as it stands now, in order of starting. Nothing is written."""
    names = [field.name for field in fields(Terms)]
    for run in catalog.runs.all(question=question):
        path = catalog.runs.folder(run.id) / POPULATION
        if run.verb != "review" or not path.exists():
            continue
        terms = Terms(**{name: run.parameters[name] for name in names})
        drawn = not run.parameters["simulation"]
        session = terms.session(Population.load(path), seed=run.parameters["seed"], drawn=drawn)
        for kind, entry in history(spoken(catalog, question, run.id)):
            if kind == "answer":
                session.answer(entry.image, entry.verdict, label=entry.label)
            else:
                session.undo()
        yield run, session


def samples_of(session: Session, values: Mapping[str, int], differing: frozenset[str], *, share: float) -> list[Sample]:
    """Return what one check says of the images on which two labellers differ.

    Args:
        session: The check, with its answers.
        values: For images on which they differ and whose right label is known: +1 where B alone is right, -1 where
            A alone is, 0 where neither is.
        differing: All images on which they differ; fixed without regard to the order of this check.
        share: Of the level, for this check; see `lucida.evidence.paired.Sample`.
    """
    found: list[Sample] = []
    for group in session.groups:
        for number, started in enumerate(group.selection.started):
            epoch = started.epoch
            rows = group.rows[epoch.order].tolist()
            ids = [session.population.ids[row] for row in rows]
            mask = np.array([image in differing for image in ids], dtype=np.bool_)
            order = [image for image, differs in zip(ids, mask.tolist(), strict=True) if differs]
            stratum = epoch.stratum[mask]
            rungs = choose_sets(np.cumsum(np.bincount(stratum, minlength=epoch.rungs)))
            each = share * SHARES[number] / len(session.groups) / max(len(rungs), 1)
            for rung in rungs:
                within = [image for image, at in zip(order, stratum.tolist(), strict=True) if at <= rung]
                found.append(_sample(within, values, differing, each))
    return found


def choose_sets(sizes: Ints) -> list[int]:
    """Choose the sets of an epoch that are looked at, by what was fixed before its first answer.

    Args:
        sizes: How many images on which the labellers differ each set holds, never falling.

    Returns:
        Numbers of sets, the largest first.
    """
    chosen: list[int] = []
    for rung in range(len(sizes) - 1, -1, -1):
        smaller = not chosen or sizes[rung] <= STEP * sizes[chosen[-1]]
        if smaller and sizes[rung] >= FEWEST and len(chosen) < SETS:
            chosen.append(rung)
    return chosen


def _sample(within: list[str], values: Mapping[str, int], differing: frozenset[str], share: float) -> Sample:
    prefix: list[int] = []
    for image in within:
        if image not in values:
            break
        prefix.append(values[image])
    outside = differing - set(within)
    known = [values[image] for image in outside if image in values]
    return Sample(np.array(prefix, np.int64), len(within), sum(known), len(outside) - len(known), share)


def share_of(number: int) -> float:
    """Return the part of the level for the check of this number, 1 the first: all together at most 1, however many."""
    return 1 / (number * (number + 1))
