"""The units of a review of objects: what a run has drawn, as text that a certificate can be about."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from lucida.errors import InputError
from lucida.results import run_lengths
from lucida.review.population import Population, freeze

if TYPE_CHECKING:
    from lucida.catalog import Annotation, Catalog, Run

Box = tuple[float, float, float, float]
BACKGROUND = "background"  # the class by which segmentation names what is no object: nobody is asked about that
MARK = "#"  # between an image and the number of an object in it
SMALLEST = 1.0  # pixels: the side of a box that a person may draw
LONGEST = 200  # characters of a class


@dataclass(frozen=True)
class Unit:
    """One object as a run has drawn it.

    Attributes:
        image: Content id.
        item: Number of the object within the image, from 1 on.
        label: Its class.
        score: Probability that it is right; 0 where the model gives none.
        box: Left, top, right, bottom in pixels.
        mask: Its pixels as run lengths (`lucida.results.run_lengths`); None where only the box is known.
    """

    image: str
    item: int
    label: str
    score: float
    box: Box
    mask: dict[str, Any] | None = None

    @property
    def id(self) -> str:
        """The name of the unit in a population."""
        return f"{self.image}{MARK}{self.item}"

    @property
    def statement(self) -> str:
        """What the run says, as text."""
        return statement(self.label, self.box, self.mask)

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        found: dict[str, Any] = {"item": self.item, "label": self.label, "score": self.score, "box": list(self.box)}
        return found if self.mask is None else {**found, "mask": self.mask}


def statement(label: str, box: Sequence[float], mask: dict[str, Any] | None = None) -> str:
    """Write what is said of an object as one text: compact JSON of its box, its class, the SHA-256 of its mask."""
    values: dict[str, Any] = {"box": [round(float(side), 2) for side in box], "label": label}
    if mask is not None:
        pixels = json.dumps(mask, sort_keys=True, separators=(",", ":"))
        values["mask"] = sha256(pixels.encode()).hexdigest()
    return json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def read_statement(text: str) -> dict[str, Any]:
    """Return box and class of what `statement` wrote."""
    values: dict[str, Any] = json.loads(text)
    return values


def gather(catalog: Catalog, source: Run) -> tuple[list[Unit], list[str]]:
    """Return every object that a run has drawn, and every image that it has looked at, in order of adding.

    Raises:
        InputError: It has drawn none.
    """
    return _gathered(catalog.annotations.rows(run=source.id, kind="proposal"), source)


def of_image(catalog: Catalog, source: Run, image: str) -> list[Unit]:
    """Return the objects that a run has drawn in one image."""
    rows = catalog.annotations.rows(image=image, run=source.id, kind="proposal")
    return [_unit(row) for row in sorted(rows, key=lambda row: row.item) if row.item and row.label != BACKGROUND]


def _gathered(rows: Sequence[Annotation], source: Run) -> tuple[list[Unit], list[str]]:
    images = list(dict.fromkeys(row.image for row in rows if row.item == 0))
    place = {image: i for i, image in enumerate(images)}
    units = [_unit(row) for row in rows if row.item and row.label != BACKGROUND]
    if not units:
        raise InputError(
            f"The run {source.id} has found no object in any image.",
            expected="boxes or masks to review",
            got=f"{len(images):,} images, no object in them",
            hint="lucida label again with another --model or other --classes",
        )
    return sorted(units, key=lambda unit: (place.get(unit.image, 0), unit.item)), images


def _unit(row: Annotation) -> Unit:
    mask = row.detail.get("mask")
    box = row.detail.get("box") or (run_lengths.extent(mask)[1] if mask is not None else None)
    if box is None:
        raise InputError(
            f"The run {row.run} has objects without a place in the image.",
            expected="a box or a mask for each",
            got=f"{row.label!r} without either",
            hint="review a run of --task detect or segment",
        )
    left, top, right, bottom = (float(side) for side in box)
    return Unit(row.image, row.item, row.label or "", row.score or 0.0, (left, top, right, bottom), mask)


def population_of(units: Sequence[Unit]) -> Population:
    """Freeze the objects of a run."""
    return freeze([unit.id for unit in units], [unit.statement for unit in units], [unit.score for unit in units])


def split(unit: str) -> tuple[str, int]:
    """Return image and number of what `Unit.id` gave."""
    image, _, item = unit.rpartition(MARK)
    return image, int(item)


def checked_box(box: Sequence[float], width: int, height: int) -> Box:
    """Return a box that a person has drawn, within the image, left before right and top before bottom.

    Raises:
        InputError: It is none.
    """
    fits = len(box) == 4 and all(isinstance(side, int | float) and math.isfinite(side) for side in box)
    across = sorted(min(max(float(side), 0.0), width) for side in (box[0], box[2])) if fits else [0.0, 0.0]
    down = sorted(min(max(float(side), 0.0), height) for side in (box[1], box[3])) if fits else [0.0, 0.0]
    if min(across[1] - across[0], down[1] - down[0]) < SMALLEST:
        raise InputError(
            "This is no box within the image.",
            expected=f"left, top, right, bottom in pixels, at least {SMALLEST:g} apart, within {width} x {height}",
            got=str(list(box))[:80],
            hint="draw it again",
        )
    return (round(across[0], 2), round(down[0], 2), round(across[1], 2), round(down[1], 2))


def checked_mask(mask: object, width: int, height: int) -> dict[str, Any]:
    """Return a mask that a person has drawn, as `lucida.results.run_lengths.encode` writes it.

    Raises:
        InputError: It is none, of another size than the image, or empty.
    """
    try:
        found = run_lengths.checked(mask, width, height)
        got = "no pixel at all"
    except ValueError as error:
        found, got = {}, str(error)
    if not found or not run_lengths.extent(found)[0]:
        raise InputError(
            "This is no mask of the image." if not found else "Nothing is left of the mask.",
            expected=f"run lengths down the columns that fill {width} x {height} pixels, at least one of them set",
            got=got[:80],
            hint="draw it again; where there is no such object, say so instead",
        )
    return found


def checked_label(label: str) -> str:
    """Return the name of a class as a person gave it, without space around it.

    Raises:
        InputError: It is empty or too long.
    """
    name = "".join(c if c.isprintable() else " " for c in label).strip()
    if not 0 < len(name) <= LONGEST:
        raise InputError(
            "An object needs a class.", expected=f"a name of 1 to {LONGEST} characters", got=repr(label[:40])
        )
    return name
