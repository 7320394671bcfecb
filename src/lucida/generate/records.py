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


@dataclass(frozen=True)
class Past:
    """What was asked before.

    Attributes:
        run: Id of the run.
        model: Name of the model.
        request: As `Order.to_json` wrote it.
        images: Content id and seed of each picture, in order of seeds.
        time: When it was first asked, seconds since 1970.
    """

    run: str
    model: str
    request: dict[str, Any]
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
    return any(run.verb == VERB and run.model == spec.name for run in catalog.runs.all(QUESTION))


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
    rows = [row for row in catalog.annotations.rows(question=QUESTION) if row.image.startswith(image) and row.detail]
    if not rows or not image:
        raise InputError(
            f"No picture {image!r} was drawn for this catalog.",
            expected="the content id of a picture of `lucida generate`, or its PNG file",
            got=image,
        )
    return rows[-1].detail


def history(catalog: Catalog, limit: int = 50) -> list[Past]:
    """Return what was asked, the newest first.

    Args:
        catalog: Where.
        limit: At most so many.
    """
    found = []
    runs = [run for run in catalog.runs.all(QUESTION) if run.verb == VERB]
    for run in reversed(runs):
        rows = sorted(
            ((row.image, int(row.detail["seed"]), row) for row in catalog.annotations.rows(run=run.id)
             if "seed" in row.detail),
            key=lambda one: one[1],
        )  # fmt: skip
        if not rows:
            continue
        request = dict(rows[0][2].detail["request"])
        found.append(Past(run.id, run.model, request, [(id, seed) for id, seed, _ in rows], run.started))
        if len(found) >= limit:
            break
    return found


def rate(catalog: Catalog, image: str, stars: int, actor: str = "") -> None:
    """Keep what a person thinks of a picture; a later answer of theirs counts instead of the one before.

    Args:
        catalog: Where it is.
        image: Content id.
        stars: 1 to 5.
        actor: Who says so.

    Raises:
        InputError: Not so many stars, or no such image.
    """
    if not 1 <= stars <= STARS:
        raise InputError("A rating is not one.", expected=f"1 to {STARS} stars", got=str(stars))
    run = catalog.runs.start("rate", question=RATING, parameters={"stars": STARS})
    before = catalog.annotations.rows(question=RATING, run=run.id, image=image)
    number = max((row.sequence for row in before if row.actor == actor), default=0) + 1
    catalog.annotations.append(
        [Annotation(image=image, question=RATING, run=run.id, actor=actor, sequence=number, kind="answer",
                    label=str(stars), detail={"verdict": "right"})]
    )  # fmt: skip


def ratings(catalog: Catalog, images: Iterable[str]) -> dict[str, int]:
    """Return the stars of those of some images that have any."""
    wanted = set(images)
    current = catalog.annotations.current(RATING)
    return {one.image: int(one.label) for one in current if one.image in wanted and one.label}
