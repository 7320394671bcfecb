"""What a person is shown in a review of objects: one object, or one whole image; and where the review stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from lucida.review.objects.units import Unit

Phase = Literal["check", "missed", "done"]


@dataclass(frozen=True)
class Shape:
    """An object that is shown, not asked about.

    Attributes:
        label: Its class.
        box: Left, top, right, bottom in pixels.
        mask: Its pixels as run lengths, where they are known.
        item: Its number in the image, where it stands and may be called wrong.
    """

    label: str
    box: tuple[float, ...]
    mask: dict[str, Any] | None = None
    item: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        found: dict[str, Any] = {"label": self.label, "box": list(self.box)}
        more = {"mask": self.mask, "item": self.item}
        return found | {name: value for name, value in more.items() if value is not None}


@dataclass(frozen=True)
class Correction:
    """What a person says that there is instead; nothing of it is checked yet.

    Attributes:
        label: The class; None for the one that it has.
        box: Left, top, right, bottom in pixels, where it was drawn anew.
        mask: Run lengths, where its pixels were; then the box is the one around them.
    """

    label: str | None = None
    box: Sequence[float] | None = None
    mask: object = None


@dataclass(frozen=True)
class ObjectCard:
    """What is asked now.

    Attributes:
        id: Name of what is asked: of an object, or of an image.
        image: Content id.
        path: The path as given when the image was added.
        width, height: Of the image, in pixels.
        phase: "check" asks about one object, "missed" about the whole image.
        unit: The object that is asked about; None for a whole image.
        others: Objects that stand in the image, or in the first stage all others that the model has drawn.
        hints: Objects that the model has drawn and that do not stand: they may be what was missed.
    """

    id: str
    image: str
    path: str
    width: int
    height: int
    phase: Phase
    unit: Unit | None
    others: tuple[Shape, ...]
    hints: tuple[Shape, ...] = ()


@dataclass(frozen=True)
class ObjectStatus:
    """Where a review of objects stands.

    Attributes:
        phase: check (are the objects right?), missed (what was missed?) or done.
        question: The question under review.
        unit: "boxes" or "masks".
        reviews: Objects answered.
        errors_found: Wrong or undecidable ones among them.
        total: Objects.
        kept: Objects proven by now.
        accepted: Kept ones that nobody had to look at.
        bound: At most this share of the kept is wrong.
        rate_left: The same for the accepted alone.
        max_error: The promise asked for.
        confidence: With this confidence, for all that is claimed together.
        curve: (reviews, kept, bound) after each change.
        images: Images.
        looked: Images looked at for what was missed.
        with_missed: Images among them in which something was missed.
        marked: Objects that were added.
        images_bound: In so many of all images something is missed at most.
        mean_bound: So many objects an image are missed at most.
        wrong_seen: Objects that were called wrong while whole images were looked at.
        withdrawn: Whether with these nothing is proven any more of what was kept.
        max_missed: The share of images that is allowed.
        cap: An image counts for so many missed objects at most.
        stand: Objects that stand if the first stage ends now, or have stood since; where none does, nobody looks
            for more.
        needed: Where there are too few objects for a proof to save answers, from how many on it would; else 0.
        missed_curve: (looked, images_bound) after each image.
        advice: What the program would do now, in a sentence; empty when there is nothing to say.
        reason: Why it ended; empty before.
        done: Whether nothing is left to ask.
    """

    phase: Phase
    question: str
    unit: str
    reviews: int
    errors_found: int
    total: int
    kept: int
    accepted: int
    bound: float
    rate_left: float
    max_error: float
    confidence: float
    curve: tuple[tuple[int, int, float], ...]
    images: int
    looked: int
    with_missed: int
    marked: int
    images_bound: int
    mean_bound: float
    wrong_seen: int
    withdrawn: bool
    max_missed: float
    cap: int
    stand: int
    needed: int = 0
    missed_curve: tuple[tuple[int, int], ...] = ()
    advice: str = ""
    reason: str = ""
    done: bool = False
