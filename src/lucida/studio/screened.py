"""The screening queue: what policies said of all images, and what is left for a person to decide."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from lucida.catalog import Catalog, Run

VERDICTS: Final = ("unsure", "breaks", "ok")  # in the order in which a person looks at them
OK: Final = "ok"


def queues(catalog: Catalog) -> list[dict[str, Any]]:
    """Return the screening questions, the latest first: counts of verdicts, and the command that reviews them.

    Args:
        catalog: An open catalog.
    """
    found = []
    for question in _screenings(catalog):
        said = verdicts(catalog, question)
        counts = {verdict: len(images) for verdict, images in said.items()}
        command = f"lucida review --question {shlex.quote(question)} --per-class"
        found.append({"question": question, "counts": counts, "command": command})
    return found


def verdicts(catalog: Catalog, question: str) -> dict[str, list[str]]:
    """Return the images of each verdict, in order of adding; where a person has decided, that counts.

    Args:
        catalog: An open catalog.
        question: Name of a policy.
    """
    run = _screenings(catalog).get(question)
    said: dict[str, str] = {}
    if run is not None:
        table = catalog.annotations.table(run.id)
        # The first statement of an image is its verdict; the others are rules.
        for image, detail in zip(table.ids, table.details, strict=True):
            said.setdefault(image, str(detail.get("verdict", "")))
    for one in catalog.annotations.current(question, state="reviewed"):
        if one.label is not None:
            said[one.image] = "ok" if one.label == OK else "breaks"
    found: dict[str, list[str]] = {verdict: [] for verdict in VERDICTS}
    for image in catalog.images.ids():
        if (verdict := said.get(image)) in found:
            found[verdict].append(image)
    return found


def _screenings(catalog: Catalog) -> dict[str, Run]:
    every = [run for run in catalog.runs.all() if run.parameters.get("mode") == "screened"]
    latest = {run.question: run for run in every}
    return dict(sorted(latest.items(), key=lambda pair: -every.index(pair[1])))
