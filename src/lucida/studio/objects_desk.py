"""The desk of a review of objects: what is asked is a box, or an image in which boxes are missing."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, cast

from lucida.review.objects.cards import Correction
from lucida.studio.desk import AHEAD, CHOICES, Act, Desk, corners, url_of

if TYPE_CHECKING:
    from lucida.studio.protocol import ObjectCard, ObjectReview, Review


def _said(one: dict[str, Any]) -> Correction:
    return Correction(one.get("label"), one.get("box"), one.get("mask"))


def desk_of(review: Review | ObjectReview, answers: int | None = None) -> Desk:
    """Return the desk that fits a review."""
    if hasattr(review, "look"):
        return ObjectDesk(cast("ObjectReview", review), answers=answers)
    return Desk(review, answers=answers)


class ObjectDesk(Desk):
    """Hold one review of objects for any number of tabs; see `Desk`.

    Args:
        review: The review.
        ahead: How many coming images the page is told of.
        answers: Hand the review back after so many answers; None for no limit.
    """

    def __init__(self, review: ObjectReview, *, ahead: int = AHEAD, answers: int | None = None) -> None:
        super().__init__(cast("Review", review), ahead=ahead, answers=answers)
        self.objects = review
        self._stage = review.phase

    def _do(self, act: Act) -> bool:
        done = super()._do(act)
        if self.objects.phase != self._stage:
            self._stage = self.objects.phase
            self._given.clear()  # what was settled cannot be taken back any more
        return done

    def _answer(self, act: Act) -> bool:
        card = self._view()["card"]
        if card is None or card["id"] != act.image or act.verdict is None:
            return False
        label = (act.label or "").strip() or None
        if card["unit"] is not None:
            self.objects.answer(card["id"], act.verdict, label, act.box, act.mask)
        else:
            missed = None if act.verdict == "unsure" else [_said(one) for one in act.objects]
            # Without a class or a place, a person says that there is no such object.
            wrong = [(one["item"], None if _said(one) == Correction() else _said(one)) for one in act.wrong]
            self.objects.look(card["id"], missed, wrong)
            counts = [f"+{len(act.objects)}"] * bool(act.objects) + [f"−{len(act.wrong)}"] * bool(act.wrong)
            label = " ".join(counts) or None
        self._given.append((act.verdict, label))
        self._classes = None
        if self.answers is not None and len(self._given) >= self.answers:
            self.ended = "handed"
        return True

    def _upcoming(self) -> dict[str, Any]:
        cards = [] if self.over else self.objects.upcoming(self.ahead)
        urls = list(dict.fromkeys(url_of(card.image) for card in cards))
        return {"turn": self.turn, "upcoming": urls}

    def _look(self) -> dict[str, Any]:
        status = asdict(self.objects.status())
        status["curve"] = corners([(int(r), int(k)) for r, k, _ in status["curve"]])
        card = None if self.over else self.objects.next()
        return {
            "turn": self.turn,
            "kind": "objects",
            "phase": self.objects.phase,
            "ended": self.ended,
            "left": None if self.answers is None else self.answers - len(self._given),
            "question": self.objects.question,
            "unit": self.objects.unit,
            "asked": "",
            "card": None if card is None else self._card(card),
            "undo": dict(zip(("verdict", "label"), self._given[-1], strict=True)) if self._given else None,
            "status": status,
        }

    def _card(self, card: ObjectCard) -> dict[str, Any]:
        unit = None if card.unit is None else card.unit.to_json()
        return {
            "id": card.id,
            "image": card.image,
            "url": url_of(card.image),
            "path": card.path,
            "width": card.width,
            "height": card.height,
            "unit": unit,
            "others": [one.to_json() for one in card.others],
            "hints": [one.to_json() for one in card.hints],
            "classes": self._ranked(unit["label"] if unit is not None else None),
        }

    def _ranked(self, first: str | None) -> list[str]:
        """Return what the number keys stand for: the class of the object asked about, then all others by name."""
        known = self._known_classes()
        return list(dict.fromkeys([*([first] if first is not None else []), *known]))[:CHOICES]
