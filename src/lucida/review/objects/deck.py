"""The cards of a review of objects: one object among the others of its image, or a whole image with what stands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from lucida.review.objects.cards import ObjectCard, Phase, Shape
from lucida.review.objects.overlap import OVERLAP, overlaps
from lucida.review.objects.units import Unit, read_statement, split

if TYPE_CHECKING:
    from lucida.catalog import Catalog
    from lucida.review.objects.found import Finding

HINTS: Final = 20  # objects of the model that are offered as what may be missing in an image

Standing = dict[str, list[tuple[str, str]]]  # image -> id and statement of each object that stands in it


class Deck:
    """Make the cards of one review.

    Args:
        catalog: Knows the images.
        finding: The first stage: its objects, and what was said of them.
    """

    def __init__(self, catalog: Catalog, finding: Finding) -> None:
        self.catalog, self.finding = catalog, finding
        self._inside: dict[str, list[Unit]] = {}
        for unit in finding.units.values():
            self._inside.setdefault(unit.image, []).append(unit)

    def inside(self, image: str) -> list[Unit]:
        """Return the objects under review in one image."""
        return self._inside.get(image, [])

    def of_object(self, id: str, phase: Phase) -> ObjectCard:
        """Return the card that asks about one object."""
        unit = self.finding.units[id]
        others = tuple(_shape(other) for other in self.inside(unit.image) if other is not unit)
        return self._card(id, unit.image, phase, unit, others, ())

    def of_image(self, image: str, phase: Phase, standing: Standing) -> ObjectCard:
        """Return the card that asks what is missing in one image."""
        stand = standing.get(image, [])
        others = tuple(self._standing(id, said) for id, said in stand)
        ids = {id for id, _ in stand}
        left = [one for one in self.inside(image) if one.id not in ids and not self._refused(one.id)]
        hints = tuple(_shape(one) for one in _likely(left, [shape.box for shape in others]))
        return self._card(image, image, phase, None, others, hints)

    def stands(self, standing: Standing, image: str, item: int) -> Unit | None:
        """Return an object as it stands in an image, with what a person has corrected; None where it does not."""
        for id, said in standing.get(image, ()):
            if split(id)[1] == item:
                shape, unit = self._standing(id, said), self.finding.units[id]
                left, top, right, bottom = shape.box
                return Unit(image, item, shape.label, unit.score, (left, top, right, bottom), shape.mask)
        return None

    def _card(
        self,
        id: str,
        image: str,
        phase: Phase,
        unit: Unit | None,
        others: tuple[Shape, ...],
        hints: tuple[Shape, ...],
    ) -> ObjectCard:
        record = self.catalog.images.get(image)
        path = self.catalog.images.name(image)
        return ObjectCard(id, image, path, record.width, record.height, phase, unit, others, hints)

    def _standing(self, id: str, said: str) -> Shape:
        values, unit = read_statement(said), self.finding.units[id]
        # The place as the model gave it, where nobody has moved it: a statement holds it rounded.
        if said == unit.statement:
            return Shape(unit.label, unit.box, unit.mask, unit.item)
        mask = self.finding.masks.get(said, unit.mask) if "mask" in values else None
        return Shape(values["label"], tuple(values["box"]), mask, unit.item)

    def _refused(self, id: str) -> bool:
        answer = self.finding.session.log.standing.get(id)
        return answer is not None and answer.verdict == "wrong"


def _likely(units: Sequence[Unit], stand: Sequence[Sequence[float]]) -> list[Unit]:
    """Return the surest of some objects that lie apart from what stands and from each other: few enough to be seen."""
    chosen: list[Unit] = []
    for unit in sorted(units, key=lambda unit: -unit.score):
        taken = [*stand, *(one.box for one in chosen)]
        if len(chosen) < HINTS and (not taken or overlaps([unit.box], taken).max() < OVERLAP):
            chosen.append(unit)
    return chosen


def _shape(unit: Unit) -> Shape:
    return Shape(unit.label, unit.box, unit.mask)
