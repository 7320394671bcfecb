"""What labelling would take, before it is done: images to see, images to ask about, and dollars at most."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from lucida.label.asking import AskLabeller
from lucida.label.several import Several
from lucida.label.vectors import VectorLabeller

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lucida.catalog import Catalog
    from lucida.label.labeller import Labeller


@dataclass(frozen=True)
class Share:
    """What one model would do.

    Attributes:
        model: Its name.
        images: Images that it would see or be asked about; in a cascade at most.
        cost: US dollars that this usually costs; None where its price is not known.
        at_most: US dollars that it costs at most, every question asked again as often as may be.
        note: What a person must know, such as where images are sent.
    """

    model: str
    images: int
    cost: float | None = 0.0
    at_most: float | None = 0.0
    note: str = ""

    def __str__(self) -> str:
        return f"{self.model}: {self.images:,} images, {dollars(self.cost, self.at_most)}. {self.note}".rstrip()


@dataclass(frozen=True)
class LabelPlan:
    """What labelling would take.

    Attributes:
        images: Images in the catalog.
        shares: What each model would do.
        cost: US dollars that all of it usually costs; None where a price is not known.
        at_most: US dollars that it costs at most.
    """

    images: int
    shares: tuple[Share, ...]
    cost: float | None
    at_most: float | None

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)

    def __str__(self) -> str:
        whole = f"{self.images:,} images, {dollars(self.cost, self.at_most)}. Nothing was labelled or sent."
        return "\n".join([whole, *map(str, self.shares), "The same command without --plan does it."])


def dollars(usual: float | None, most: float | None) -> str:
    """Say a price in words."""
    if usual is None or most is None:
        return "at a price that is not known"
    return f"about ${usual:,.2f}, at most ${most:,.2f}" if most else "free"


def plan_label(catalog: Catalog, labeller: Labeller) -> LabelPlan:
    """Quote a label run. Nothing is sent, and no run is started."""
    members = labeller.members if isinstance(labeller, Several) else [labeller]
    shares = tuple(_share(catalog, member) for member in members)
    return LabelPlan(
        catalog.images.count(), shares, _sum(share.cost for share in shares), _sum(share.at_most for share in shares)
    )


def _sum(costs: Iterable[float | None]) -> float | None:
    known = list(costs)
    return None if None in known else round(sum(cost for cost in known if cost), 6)


def _share(catalog: Catalog, member: Labeller) -> Share:
    images = catalog.images.count()
    if isinstance(member, AskLabeller):
        usual, most = member.expect(images)
        return Share(member.model, images, usual, most, member.spec.note)
    if isinstance(member, VectorLabeller):
        return Share(member.model, len(catalog.vectors.missing(member.key)))
    return Share(member.model, images, None, None)
