"""What the catalog keeps of pictures that were drawn: the request of each, what people think of it, what was asked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lucida.catalog.records import Annotation, ImageRecord
from lucida.catalog.sources.found import Found
from lucida.errors import CatalogError, InputError
from lucida.images import content_id

if TYPE_CHECKING:
    from pathlib import Path

    from lucida.catalog import Catalog
    from lucida.catalog.records import Run
    from lucida.models.spec import Spec

VERB: Final = "generate"
QUESTION: Final = "prompt"
RATING: Final = "rating"
STARS: Final = 5
ALIKE: Final = 100  # images whose ids may begin alike


@dataclass(frozen=True)
class Past:
    """What was asked before.

    Attributes:
        run: Id of the run.
        model: Name of the model.
        request: As `Order.to_json` wrote it.
        count: How many pictures were drawn.
        images: Content id and seed of the first ones.
        time: Of the latest picture, seconds since 1970.
    """

    run: str
    model: str
    request: dict[str, Any]
    count: int
    images: list[tuple[str, int]]
    time: float


def start(catalog: Catalog, spec: Spec, request: dict[str, Any]) -> Run:
    """Start the run of a request; the same request by the same model goes on with the run that is there.

    Args:
        catalog: Where.
        spec: The model.
        request: As `Order.to_json` wrote it.
    """
    # A path may change, and the image or LoRA stays the same: it is known by its bytes.
    decides = {name: _without_path(value) for name, value in request.items()}
    return catalog.runs.start(VERB, question=QUESTION, model=spec.name, revision=spec.revision, parameters=decides)


def _without_path(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: inner for name, inner in value.items() if name != "path"} if value.get("id") else value
    return [_without_path(one) for one in value] if isinstance(value, list) else value


def used_before(catalog: Catalog, spec: Spec) -> bool:
    """Tell whether a model has drawn for this catalog."""
    return spec.name in catalog.runs.models(QUESTION, VERB)


def drawn(catalog: Catalog, run: str) -> dict[int, str]:
    """Return the content id of each picture of a run, by its seed."""
    return {int(row.detail["seed"]): row.image for row in catalog.annotations.rows(run=run) if "seed" in row.detail}


def keep(catalog: Catalog, run: Run, path: Path, data: bytes, story: dict[str, Any], size: tuple[int, int]) -> str:
    """Bring a written picture into the catalog with its story; return its content id.

    Raises:
        CatalogError: The file is gone already, or the catalog cannot be written.
    """
    found = Found.of_file(path)
    if not isinstance(found, Found):
        raise CatalogError("A picture is gone.", expected=str(path), got=found.reason)
    id = content_id(data)
    catalog.intake.record([(found, ImageRecord(id, *size, "PNG", "RGB", len(data)))])
    detail = {**story, "synthetic": True}
    label = str(story["request"].get("prompt", "")) or None
    # The seed is the number of the statement: the same bytes may be drawn by two seeds of a model without chance.
    number = int(story["seed"]) % 2**62
    row = Annotation(image=id, question=QUESTION, run=run.id, sequence=number, label=label, detail=detail)
    catalog.annotations.append([row])
    return id


def place(catalog: Catalog, path: Path, id: str, size: tuple[int, int], length: int) -> None:
    """Note one more place of a picture that the catalog knows."""
    found = Found.of_file(path)
    if isinstance(found, Found):
        catalog.intake.record([(found, ImageRecord(id, *size, "PNG", "RGB", length))])


def story(catalog: Catalog, image: str) -> dict[str, Any]:
    """Return model, seed and request of a picture.

    Args:
        catalog: Where it is.
        image: Its content id, or the beginning of it.

    Raises:
        InputError: It was not drawn here.
    """
    ids = catalog.images.beginning(image, ALIKE) if image else []
    said = (
        row for id in ids for row in catalog.annotations.rows(image=id, question=QUESTION) if "request" in row.detail
    )
    row = max(said, key=lambda row: row.time, default=None)
    if row is None:
        raise InputError(
            f"No picture {image!r} was drawn for this catalog.",
            expected="the content id of a picture of `lucida generate`, or its PNG file",
            got=image,
        )
    return row.detail


def history(catalog: Catalog, limit: int = 50, *, shown: int = 6) -> list[Past]:
    """Return what was asked, that of the latest picture first.

    Args:
        catalog: Where.
        limit: At most so many.
        shown: Pictures of each that are named, the first ones.
    """
    found = []
    for id, count, time in catalog.annotations.lately(QUESTION, VERB, limit):
        rows = [row for row in catalog.annotations.rows(run=id, limit=shown) if "seed" in row.detail]
        if rows:
            pictures = [(row.image, int(row.detail["seed"])) for row in rows]
            told = rows[0].detail
            found.append(Past(id, told["model"], dict(told["request"]), count, pictures, time))
    return found


def rate(catalog: Catalog, image: str, stars: int, actor: str = "") -> None:
    """Keep what a person thinks of a picture; a later answer of theirs counts instead of the one before.

    Args:
        catalog: Where it is.
        image: Content id.
        stars: 1 to 5; 0 takes back what they said.
        actor: Who says so.

    Raises:
        InputError: Not so many stars, or no such image.
    """
    if not 0 <= stars <= STARS:
        raise InputError("A rating is not one.", expected=f"1 to {STARS} stars; 0 for none", got=str(stars))
    run = catalog.runs.start("rate", question=RATING, parameters={"stars": STARS})
    before = [row for row in catalog.annotations.rows(run=run.id, image=image) if row.actor == actor]
    number = max((row.sequence for row in before), default=0) + 1

    def said(number: int, **more: Any) -> Annotation:
        return Annotation(image=image, question=RATING, run=run.id, actor=actor, sequence=number, **more)

    if stars:
        rows = [said(number, kind="answer", label=str(stars), detail={"verdict": "right"})]
    else:
        # Of all that stood: else the answer before it would count again.
        gone = {row.detail["sequence"] for row in before if row.kind == "undo"}
        stood = [row.sequence for row in before if row.kind == "answer" and row.sequence not in gone]
        rows = [said(number + i, kind="undo", detail={"sequence": one}) for i, one in enumerate(stood)]
    catalog.annotations.append(rows)


def ratings(catalog: Catalog, images: Iterable[str]) -> dict[str, int]:
    """Return the stars of those of some images that have any."""
    return {image: int(label) for image, label in catalog.annotations.answered(RATING, images).items()}
