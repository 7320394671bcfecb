"""What the catalog says of faces: names as ordinary annotations, and what people corrected in a review."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from lucida.catalog import Annotation
from lucida.faces.records import NOBODY, QUESTION, labelled_group

if TYPE_CHECKING:
    from lucida.catalog import Catalog, Run
    from lucida.faces.records import Face
    from lucida.faces.store import FaceStore

MARK = "faces"  # among the parameters of a run: it came from here


def runs_of(catalog: Catalog) -> list[Run]:
    """Return the runs that said whose faces these are, in order of starting."""
    return [run for run in catalog.runs.all(QUESTION) if MARK in run.parameters]


def heed(catalog: Catalog, store: FaceStore) -> int:
    """Keep what people corrected in a review of the latest run; return how many faces that changes."""
    runs = runs_of(catalog)
    if not runs:
        return 0
    latest = catalog.runs.latest(QUESTION, "label")
    if latest is None or latest.id != runs[-1].id:
        # Another model has spoken since: its numbers are of other objects.
        return 0
    placed = set(catalog.images.ids())
    today = {(one.image, one.item): one for one in catalog.annotations.current_objects(QUESTION) if not one.added}
    said: dict[tuple[str, int], str] = {}
    moved: dict[tuple[str, int], int] = {}
    for row in catalog.annotations.rows(run=latest.id, kind="proposal"):
        if not row.item or row.image not in placed:
            continue
        key, label = (row.image, row.item), row.label
        one = today.get(key)
        if one is None:
            said[key] = NOBODY
        elif one.state == "reviewed" and one.label != label:
            number = labelled_group(one.label)
            if number:
                moved[key] = number
            else:
                said[key] = one.label
    store.say(said)
    store.group(moved)
    return len(said) + len(moved)


def publish(catalog: Catalog, store: FaceStore, model: str, revision: str) -> str:
    """Write whose faces there are as annotations, where anything is new; return the run.

    Earlier runs that nobody has reviewed are erased: they would say of people what does not hold any more.
    """
    names, facts = store.names(), store.facts()
    faces = [face for face in store.faces(vectors=False) if face.said != NOBODY]
    placed = set(catalog.images.ids())
    seen = sorted(store.seen() & placed)
    rows = [(face.image, face.item, face.label(names)) for face in faces]
    state = hashlib.sha256(repr((seen, rows, revision)).encode()).hexdigest()[:16]
    before = runs_of(catalog)
    if before and facts.get("state") == state:
        return before[-1].id
    number = int(facts.get("number", "0")) + 1
    parameters = {"mode": "seen", "task": "detect", MARK: number, "encoder": "embedded",
                  "classes": sorted({label for _, _, label in rows})}  # fmt: skip
    run = catalog.runs.start("label", question=QUESTION, model=model, revision=revision, parameters=parameters)
    catalog.annotations.append(_annotations(run, seen, [face for face in faces if face.image in placed], names))
    catalog.runs.finish(run.id)
    store.note({"state": state, "number": str(number)})
    leaning = {one.parent for one in catalog.runs.all()}
    catalog.runs.erase([one.id for one in before if one.id not in leaning])
    return run.id


def _annotations(run: Run, images: Sequence[str], faces: Sequence[Face], names: dict[int, str]) -> Iterator[Annotation]:
    now = time.time()
    of_image = {image: list(found) for image, found in groupby(faces, key=lambda face: face.image)}
    for image in images:
        found = of_image.get(image, [])
        yield Annotation(image, QUESTION, run.id, detail={"count": len(found)}, time=now)
        for face in found:
            # How sure it is a face says nothing of whose it is.
            detail = {"box": list(face.box), "points": face.points.round(2).tolist()}
            yield Annotation(image, QUESTION, run.id, item=face.item, label=face.label(names), detail=detail, time=now)


def unsay(catalog: Catalog) -> int:
    """Erase all that was said of whose faces these are, reviews of it included; return how many runs that were."""
    every = catalog.runs.all()
    found = {run.id for run in runs_of(catalog)}
    for run in every:
        # In order of starting: what builds on a run comes after it.
        if run.parent in found:
            found.add(run.id)
    catalog.runs.erase(sorted(found))
    if found:
        catalog.text.erase()
    return len(found)
