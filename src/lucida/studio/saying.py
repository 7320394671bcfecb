"""What every run said of one image, and what people said of that, as the Look page shows it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lucida.catalog import fold
from lucida.catalog.records import MISSED
from lucida.results import RESULTS, Item, run_lengths

if TYPE_CHECKING:
    from lucida.catalog import Annotation, Catalog, Run
    from lucida.catalog.records import CurrentObject

FOLDED: Final = ("detect", "segment", "outline", "read")  # tasks whose objects people correct one by one
MASK_SIDE: Final = 640  # pixels of a mask as sent: the browser draws it larger
PLACES: Final = ("box", "corners", "mask", "boxes")  # where an object is
_DAMAGED = (KeyError, ValueError, TypeError, IndexError, AttributeError)  # a statement of another program


def said_of(catalog: Catalog, image: str) -> list[dict[str, Any]]:
    """Return what was said of an image: a part for each question, the latest first, with its runs.

    Args:
        catalog: An open catalog.
        image: Content id.
    """
    runs = {run.id: (number, run) for number, run in enumerate(catalog.runs.all())}
    questions: dict[str, list[Annotation]] = {}
    for row in catalog.annotations.rows(image=image):
        if not row.question.startswith("search: ") and row.run in runs:
            questions.setdefault(row.question, []).append(row)
    parts = [_part(catalog, image, question, rows, runs) for question, rows in questions.items()]
    found = [part for part in parts if part["runs"] or part["people"] or part["looked"]]
    return sorted(found, key=lambda part: -max((run["number"] for run in part["runs"]), default=-1))


def _part(
    catalog: Catalog, image: str, question: str, rows: list[Annotation], runs: dict[str, tuple[int, Run]]
) -> dict[str, Any]:
    stated: dict[str, dict[int, Annotation]] = {}
    for row in rows:
        if row.kind in ("proposal", "taught"):
            stated.setdefault(row.run, {})[row.item] = row
    order = sorted(stated, key=lambda run: -runs[run][0])
    layers = []
    for place, name in enumerate(order):
        number, run = runs[name]
        task = _task(run)
        statements = [Item(row.label, row.score, row.detail) for _, row in sorted(stated[name].items())]
        shown = [_shown(item.label, item.score, item.detail) for item in statements[1:]]
        gone = 0
        if place == 0 and task in FOLDED:
            today = catalog.annotations.current_objects(question, image=image)
            gone = len(shown) - sum(not one.added for one in today)
            shown = [_today(one) for one in today]
        layers.append(
            {
                "run": run.id,
                "number": number,
                "model": run.model,
                "task": task,
                "asked": str((run.parameters.get("questions") or [""])[-1]),
                "started": run.started,
                "latest": place == 0,
                "whole": _whole(task, statements),
                "objects": [one for one in shown if one is not None],
                "gone": gone,
            }
        )
    proposal = stated[order[0]].get(0) if order else None
    undone = {(row.run, row.actor, row.detail.get("sequence")) for row in rows if row.kind == "undo"}
    looked = any(_looked(row) and (row.run, row.actor, row.sequence) not in undone for row in rows)
    people = _people(rows, proposal.label if proposal else None)
    return {
        "question": question,
        "people": people,
        "kept": _kept(catalog, question, image, rows),
        "looked": looked,
        "runs": layers,
    }


def _task(run: Run) -> str:
    return str(run.parameters.get("task") or "classify")


def _people(rows: Sequence[Annotation], proposal: str | None) -> dict[str, Any] | None:
    """Return what people say of the image as a whole; None where they say nothing."""
    answers = [row for row in rows if row.item == 0 and row.kind == "answer" and not _looked(row)]
    undone = {(row.run, row.actor, row.detail.get("sequence")) for row in rows if row.item == 0 and row.kind == "undo"}
    votes = [
        fold.Vote(row.time, row.sequence, row.actor, row.detail.get("verdict"), row.label, 0)
        for row in answers
        if (row.run, row.actor, row.sequence) not in undone
    ]
    verdict = fold.people(votes, proposal)
    if verdict is None or not verdict.sure:
        return None
    return {"label": verdict.label, "same": verdict.label == proposal, "disagreement": verdict.disagreement}


def _kept(catalog: Catalog, question: str, image: str, rows: Sequence[Annotation]) -> dict[str, Any] | None:
    """Return the label that a certificate keeps for the image as a whole; None where none that holds does."""
    if not any(row.kind == "certified" and row.item == 0 for row in rows):
        return None
    today = catalog.annotations.of_image(question, image)
    return {"label": today.label} if today is not None and today.kept else None


def _looked(row: Annotation) -> bool:
    """Tell whether a person says here that nothing was missed in the image, or what was."""
    return row.item == 0 and row.kind == "answer" and row.detail.get("phase") == MISSED


# ---- the image as a whole ------------------------------------------------------------------------------------------


def _whole(task: str, statements: Sequence[Item]) -> dict[str, Any]:
    """Return what is said of the image as a whole, as words and figures; with its kind."""
    first = statements[0]
    try:
        kind, read = _WHOLE.get(task, ("none", lambda items: {}))
        return {"kind": kind, **read(statements)}
    except _DAMAGED:
        return {"kind": "text", "text": first.label or "", "score": first.score}


def _result(task: str) -> Callable[[Sequence[Item]], dict[str, Any]]:
    return lambda items: RESULTS[task].of_items(items).to_json()


def _class(items: Sequence[Item]) -> dict[str, Any]:
    first = items[0]
    # A class of its own may be None: a model that would not choose.
    return {**_result("classify")(items), "score": first.score, "reason": str(first.detail.get("reason", ""))}


def _paid(task: str) -> Callable[[Sequence[Item]], dict[str, Any]]:
    return lambda items: {**_result(task)(items), "cost": items[0].detail.get("cost")}


def _shares(items: Sequence[Item]) -> dict[str, Any]:
    return {"shares": dict(items[0].detail.get("shares", {}))}


_WHOLE: Final[dict[str, tuple[str, Callable[[Sequence[Item]], dict[str, Any]]]]] = {
    "classify": ("class", _class),
    "tag": ("tags", _result("tag")),
    "segment": ("shares", _shares),
    "anomaly": ("odd", _result("anomaly")),
    "caption": ("text", _paid("caption")),
    "answer": ("text", _paid("answer")),
    "describe": ("description", _result("describe")),
    "screen": ("verdict", _result("screen")),
}


# ---- its objects ---------------------------------------------------------------------------------------------------


def _shown(label: str | None, score: float | None, detail: dict[str, Any], by: str = "") -> dict[str, Any] | None:
    """Return an object as the page draws it; None where it has no place in the image."""
    if not any(name in detail for name in PLACES):
        return None
    try:
        shown: dict[str, Any] = {"label": label or "", "score": score, "by": by}
        for name in ("box", "track"):
            if name in detail:
                shown[name] = detail[name]
        for name in ("corners", "boxes"):
            if name in detail:
                shown[name] = [[float(value) for value in part] for part in detail[name]]
        if "mask" in detail:
            shown["mask"] = _mask(detail["mask"])
        return shown
    except _DAMAGED:
        return None


def _today(one: CurrentObject) -> dict[str, Any] | None:
    by = "added" if one.added else "corrected" if one.state == "reviewed" and one.score is None else ""
    by = by or {"reviewed": "confirmed", "accepted": "certified"}.get(one.state, "")
    return _shown(one.label, one.score, one.detail, by)


def _mask(shape: dict[str, Any]) -> dict[str, Any] | None:
    """Return a mask cut to where it is and thinned out, as run lengths with their place in the image."""
    pixels = run_lengths.decode(shape)
    down, across = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
    if not len(down):
        return None
    top, left = int(down[0]), int(across[0])
    cut = pixels[top : int(down[-1]) + 1, left : int(across[-1]) + 1]
    step = max(1, math.ceil(max(cut.shape) / MASK_SIDE))
    cut = cut[::step, ::step]
    return {**run_lengths.encode(cut), "place": [left, top, cut.shape[1] * step, cut.shape[0] * step]}
