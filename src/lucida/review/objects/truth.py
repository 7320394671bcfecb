"""Answers from a COCO file instead of a person: for scripts and tests.

A box is right where a true box of its class overlaps it by half (intersection over union) and no surer box has taken
that one; with another class it is wrong, and the true class is given. What no box that stands takes was missed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lucida.errors import InputError
from lucida.progress import track
from lucida.review.objects.overlap import OVERLAP, overlaps

if TYPE_CHECKING:
    from lucida.catalog import Catalog
    from lucida.review.objects.cards import ObjectCard
    from lucida.review.objects.workflow import ObjectReview

True_ = tuple[str, tuple[float, ...]]  # class and box of a true object


def read_truth(path: Path, catalog: Catalog) -> dict[str, list[True_]]:
    """Read the true boxes by content id.

    Args:
        path: A COCO file: {"images": [...], "annotations": [...], "categories": [...]}.
        catalog: Where the images are looked up by the names in it.

    Raises:
        InputError: It is none, or it names no image of the catalog.
    """
    try:
        body = json.loads(path.read_text("utf-8"))
        names = {one["id"]: str(one["file_name"]) for one in body["images"]}
        classes = {one["id"]: str(one["name"]) for one in body["categories"]}
        found = catalog.images.resolve_all(list(names.values()))
        image_of = {id: found[name][0] for id, name in names.items() if found.get(name)}
        truth: dict[str, list[True_]] = {image: [] for image in image_of.values()}
        for note in body["annotations"]:
            if note["image_id"] in image_of and not note.get("iscrowd"):
                left, top, width, height = (float(side) for side in note["bbox"])
                box = (left, top, left + width, top + height)
                truth[image_of[note["image_id"]]].append((classes[note["category_id"]], box))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} holds no true boxes.",
            expected='a COCO file: {"images": [...], "annotations": [...], "categories": [...]}',
            got=f"{type(error).__name__}: {error}",
            hint="for boxes, --answers takes a COCO file; for labels, a CSV with the columns path,label",
        ) from error
    if not truth:
        raise InputError(
            f"No image that {path} names is in the catalog.",
            expected="file names of images in the catalog",
            got=", ".join(map(repr, list(names.values())[:3])) or "no image",
            hint="lucida add the images first",
        )
    return truth


def match(drawn: Sequence[True_], truth: Sequence[True_]) -> list[int | None]:
    """Return which true object each drawn one takes, the first first; None where it takes none."""
    if not drawn or not truth:
        return [None] * len(drawn)
    share = overlaps([box for _, box in drawn], [box for _, box in truth])
    share *= np.array([[name == true for true, _ in truth] for name, _ in drawn])
    taken: list[int | None] = []
    for row in share:
        best = int(row.argmax())
        taken.append(best if row[best] >= OVERLAP else None)
        if taken[-1] is not None:
            share[:, best] = 0.0
    return taken


def answer_from(review: ObjectReview, truth: dict[str, list[True_]], card: ObjectCard) -> None:
    """Answer one card; an image that the file does not name is "unsure"."""
    known = truth.get(card.image)
    if card.unit is None:
        drawn = [(shape.label, shape.box) for shape in card.others]
        missed: list[Any] | None = None
        if known is not None:
            taken = set(match(drawn, known))
            missed = [one for i, one in enumerate(known) if i not in taken]
        review.look(card.image, missed)
    elif known is None:
        review.answer(card.id, "unsure")
    else:
        inside = sorted(review.inside(card.image), key=lambda unit: -unit.score)
        taken_by = match([(unit.label, unit.box) for unit in inside], known)
        if taken_by[inside.index(card.unit)] is not None:
            review.answer(card.id, "right")
        else:
            free = [known[i] for i in range(len(known)) if i not in taken_by]
            other = next((name for name, box in free if overlaps([card.unit.box], [box])[0, 0] >= OVERLAP), None)
            review.answer(card.id, "wrong", other)


def answer_all(review: ObjectReview, truth: dict[str, list[True_]]) -> None:
    """Answer a whole review."""
    with track("Checking", None, unit="answers") as step:
        while (card := review.next()) is not None:
            answer_from(review, truth, card)
            step()
