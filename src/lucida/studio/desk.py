"""The desk between the page and the review: one answer at a time, in order, each exactly once.

Every accepted change ends a *turn*. The page names the turn, the image and the proposal it shows; what is meant for
another turn is refused, so two tabs or a slow network can never put an answer on an image nobody looked at. What is
sent again with the same key (an answer whose acknowledgement was lost) is acknowledged again and not counted twice.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal, TypeVar
from urllib.parse import quote

from lucida.errors import LucidaError
from lucida.studio.protocol import Card, Review, Status, Verdict

AHEAD = 8  # images the browser fetches early: measured to hide the network at ten answers a second
CHOICES = 9  # number keys
KEYS_KEPT = 256  # acknowledged keys; a page has one answer under way, so a few for each open tab would do
STATUS = (
    *("answers", "taught", "suggest_freeze"),
    *("reviews", "errors_found", "total", "kept", "accepted", "bound", "rate_left", "max_error", "confidence"),
    *("advice", "reason"),
)

T = TypeVar("T")
Kind = Literal["answer", "undo", "freeze", "stop", "pause"]


@dataclass(frozen=True)
class Act:
    """What the page asks for.

    Attributes:
        key: Chosen by the page, different for each act, the same when the act is sent again.
        turn: The turn the page shows.
        kind: What to do.
        image: The image shown, for an answer.
        proposal: The proposal shown, for an answer.
        verdict: right, wrong or unsure, for an answer.
        label: The person's label when the proposal is wrong; None when no class fits.
        box: Where an object is, when it was drawn anew.
        mask: Its pixels as run lengths, when they were.
        objects: Each object that was missed in an image: label, and box or mask.
        wrong: Each object that stands in it and is wrong: item, and label, box or mask where it is something else.
    """

    key: str
    turn: int
    kind: Kind
    image: str | None = None
    proposal: str | None = None
    verdict: Verdict | None = None
    label: str | None = None
    box: tuple[float, ...] | None = None
    mask: dict[str, Any] | None = None
    objects: tuple[dict[str, Any], ...] = ()
    wrong: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class Reply:
    """What became of an act.

    Attributes:
        outcome: done; again (it was done before); stale (meant for another turn: nothing was done); failed.
        view: What there is to see now.
        error: The four parts of the error, when it failed.
    """

    outcome: Literal["done", "again", "stale", "failed"]
    view: dict[str, Any]
    error: dict[str, str] | None = None


class Desk:
    """Hold one review for any number of tabs.

    Calls on the review are made in one thread of its own: they keep their order, and the page stays responsive while
    a model is refitted. Images are read in threads of their own, so that reading never holds up an answer.

    Args:
        review: The review.
        ahead: How many coming images the page is told of.
        answers: Hand the review back after so many answers; None for no limit.
    """

    def __init__(self, review: Review, *, ahead: int = AHEAD, answers: int | None = None) -> None:
        self.review, self.ahead, self.answers = review, ahead, answers
        self.turn = 0
        self.ended: Literal["", "paused", "handed"] = ""
        self.listeners: set[Callable[[int], None]] = set()
        self._seen: dict[str, Any] | None = None
        self._classes: list[str] | None = None
        self._given: list[tuple[Verdict, str | None]] = []
        self._done_keys: OrderedDict[str, None] = OrderedDict()
        self._one = ThreadPoolExecutor(1, thread_name_prefix="review")
        self._readers = ThreadPoolExecutor(2, thread_name_prefix="images")

    # ---- for the event loop ---------------------------------------------------------------------------------------

    async def view(self) -> dict[str, Any]:
        """Return what there is to see now, as plain JSON values."""
        return await self._run(self._view)

    async def act(self, act: Act) -> Reply:
        """Do what the page asks for, once, and return what there is to see then."""
        before = self.turn
        reply = await self._run(functools.partial(self._act, act))
        if self.turn != before:
            for listener in tuple(self.listeners):
                listener(self.turn)
        return reply

    async def upcoming(self) -> dict[str, Any]:
        """Return the addresses of the images that come next, and the turn for which this holds.

        Apart from the view: choosing them costs several times as much as the next card, and the person who has
        answered waits for that card only.
        """
        return await self._run(self._upcoming)

    async def classes(self) -> list[str]:
        """Return every class known by now."""
        return await self._run(self._known_classes)

    async def image(self, image: str) -> tuple[bytes, str]:
        """Return the bytes and the media type of one image.

        Raises:
            LucidaError: If there is no such image, or it cannot be read any more.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, self.review.image, image)

    @property
    def over(self) -> bool:
        """Whether there is nothing left to do on this page."""
        return bool(self.ended) or self.review.phase == "done"

    def close(self) -> None:
        """Wait for the call under way, so that no answer is cut in half, and end the threads."""
        self._one.shutdown(wait=True)
        self._readers.shutdown(wait=True, cancel_futures=True)

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._one, work)

    # ---- in the review's thread -----------------------------------------------------------------------------------

    def _act(self, act: Act) -> Reply:
        if act.key in self._done_keys:
            return Reply("again", self._view())
        if act.turn != self.turn or self.over:
            return Reply("stale", self._view())
        try:
            if not self._do(act):
                return Reply("stale", self._view())
        except LucidaError as error:
            self.turn += 1  # the review may have changed before it failed: every page looks again
            return Reply("failed", self._view(), error.to_json())
        except Exception as error:
            logging.getLogger("lucida.studio").exception("The review failed")
            self.turn += 1
            what = f"The review failed: {type(error).__name__}: {error}"
            return Reply("failed", self._view(), LucidaError(what, hint="see the terminal").to_json())
        self.turn += 1
        self._done_keys[act.key] = None
        if len(self._done_keys) > KEYS_KEPT:
            self._done_keys.popitem(last=False)
        return Reply("done", self._view())

    def _do(self, act: Act) -> bool:
        """Do one act; False when it is meant for something else than what is asked now."""
        if act.kind == "answer":
            return self._answer(act)
        if act.kind == "undo":
            if self.review.undo() is not None and self._given:
                self._given.pop()
        elif act.kind == "freeze":
            if self.review.phase != "teach":
                return False
            self.review.freeze()
            self._given.clear()  # what was taught cannot be taken back any more
            self._classes = None
        elif act.kind == "stop":
            if self.answers is not None:
                return False  # the review goes on after this page
            self.review.stop()
        else:
            self.ended = "paused" if self.answers is None else "handed"
        return True

    def _answer(self, act: Act) -> bool:
        card = self._view()["card"]
        if card is None or (card["image"], card["proposal"]) != (act.image, act.proposal) or act.verdict is None:
            return False
        label = (act.label or "").strip() or None
        verdict: Verdict = "right" if label == card["proposal"] and act.verdict == "wrong" else act.verdict
        if verdict == "right":
            label = card["proposal"]
        elif verdict == "unsure":
            label = None
        self.review.answer(card["image"], verdict, label)
        self._given.append((verdict, label))
        if label is not None and label not in self._known_classes():
            self._classes = None
        if self.answers is not None and len(self._given) >= self.answers:
            self.ended = "handed"
        return True

    def _known_classes(self) -> list[str]:
        # Kept from turn to turn: with many images, asking for them costs more than the answer.
        if self._classes is None:
            self._classes = list(self.review.classes)
        return self._classes

    def _upcoming(self) -> dict[str, Any]:
        cards = [] if self.over else self.review.upcoming(self.ahead)
        images = [image for card in cards for image in (card.image, card.like) if image]
        return {"turn": self.turn, "upcoming": [url_of(image) for image in images[: self.ahead]]}

    def _view(self) -> dict[str, Any]:
        # Made once a turn: asking the review again may swap in a refitted model, and with it change the proposal
        # under the eyes of the person who is about to answer it.
        if self._seen is None or self._seen["turn"] != self.turn:
            self._seen = self._look()
        return self._seen

    def _look(self) -> dict[str, Any]:
        # Status comes first, since it may change the next card.
        status = self.review.status()
        card = None if self.over else self.review.next()
        return {
            "turn": self.turn,
            "phase": self.review.phase,
            "ended": self.ended,
            "left": None if self.answers is None else self.answers - len(self._given),
            "question": self.review.question,
            "unit": self.review.unit,
            "asked": self.review.asked,
            "card": None if card is None else _card(card, self._known_classes()),
            "undo": dict(zip(("verdict", "label"), self._given[-1], strict=True)) if self._given else None,
            "status": _status(status),
        }


def url_of(image: str) -> str:
    """Return the address of an image on the page."""
    return f"/image/{quote(image, safe='')}"


def _card(card: Card, classes: list[str]) -> dict[str, Any]:
    return {
        "image": card.image,
        "url": url_of(card.image),
        "path": card.path,
        "proposal": card.proposal,
        "score": float(card.score),
        "choices": choices(card, classes),
        "reason": card.reason,
        "by": card.by,
        "agree": card.agree,
        "said": card.said,
        "like": url_of(card.like) if card.like else "",
    }


def choices(card: Card, classes: list[str], limit: int = CHOICES) -> list[tuple[str, float | None]]:
    """Return what the number keys stand for: the proposal, the runner-ups, then other classes by name.

    Args:
        card: The image asked.
        classes: All classes.
        limit: How many keys there are.

    Returns:
        Labels with their probabilities in [0, 1]; None for a class the model gave none.
    """
    ranked: dict[str, float | None] = {card.proposal: float(card.score)}
    for label, score in card.runner_ups:
        ranked.setdefault(label, float(score))
    for label in sorted(classes):
        ranked.setdefault(label, None)
    return list(ranked.items())[:limit]


def _status(status: Status) -> dict[str, Any]:
    return {name: getattr(status, name) for name in STATUS} | {
        "curve": corners([(int(r), int(k)) for r, k, _ in status.curve]),
        "expected": [(int(n), float(share)) for n, share in status.expected],
    }


def corners(curve: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return only the points of a step curve where it changes, and its last, so that it stays small.

    Args:
        curve: (reviews, kept), reviews never falling.
    """
    kept: list[tuple[int, int]] = []
    for i, point in enumerate(curve):
        if i == 0 or i == len(curve) - 1 or point[1] != curve[i - 1][1]:
            kept.append(point)
    return kept
