"""What the studio asks of a review: the shape of `lucida.review.workflow.Review`, and nothing more of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Protocol

Phase = Literal["teach", "check", "done"]
Verdict = Literal["right", "wrong", "unsure"]


class Card(Protocol):
    """One image to be judged; see `lucida.review.cards.Card`."""

    @property
    def image(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def proposal(self) -> str: ...
    @property
    def score(self) -> float: ...
    @property
    def runner_ups(self) -> Sequence[tuple[str, float]]: ...
    @property
    def reason(self) -> str: ...
    @property
    def by(self) -> str: ...
    @property
    def agree(self) -> tuple[int, int] | None: ...
    @property
    def said(self) -> str: ...
    @property
    def like(self) -> str: ...


class Status(Protocol):
    """Where a review stands; see `lucida.review.cards.ReviewStatus`."""

    @property
    def answers(self) -> int: ...
    @property
    def taught(self) -> int: ...
    @property
    def reviews(self) -> int: ...
    @property
    def errors_found(self) -> int: ...
    @property
    def total(self) -> int: ...
    @property
    def kept(self) -> int: ...
    @property
    def accepted(self) -> int: ...
    @property
    def bound(self) -> float: ...
    @property
    def rate_left(self) -> float: ...
    @property
    def max_error(self) -> float: ...
    @property
    def confidence(self) -> float: ...
    @property
    def curve(self) -> Sequence[tuple[int, int, float]]: ...
    @property
    def expected(self) -> Sequence[tuple[int, float]]: ...
    @property
    def suggest_freeze(self) -> bool: ...
    @property
    def advice(self) -> str: ...
    @property
    def reason(self) -> str: ...


class Review(Protocol):
    """One review of one question. An answer is on disk before `answer` returns."""

    @property
    def question(self) -> str: ...
    @property
    def classes(self) -> Sequence[str]: ...
    @property
    def phase(self) -> Phase: ...
    def next(self) -> Card | None:
        """Return the image asked now, the same one until it is answered."""

    def upcoming(self, k: int, /) -> Sequence[Card]:
        """Return up to k cards that come next if nothing changes."""

    def answer(self, image: str, verdict: Verdict, label: str | None = None, /) -> None:
        """Take one answer."""

    def undo(self) -> Card | None:
        """Take back the last answer and return its card; None when there is none."""

    def freeze(self) -> None:
        """End the teach phase."""

    def stop(self) -> object:
        """End the review; whatever is proven by then is kept."""

    def status(self) -> Status:
        """Return where the review stands."""

    def image(self, image: str, /) -> tuple[bytes, str]:
        """Return the bytes of an image and their media type, as a browser can show them."""


class Differences(Protocol):
    """Where two label runs differ; see `lucida.review.differences.Differences`."""

    def look(self) -> dict[str, Any]:
        """Read the catalog anew and return what there is to see, as plain JSON values."""

    def rows(self, kind: str, start: int, count: int, /) -> list[dict[str, Any]]:
        """Return some of the images of one kind, or of all kinds ("")."""

    def image(self, image: str, /) -> tuple[bytes, str]:
        """Return the bytes of an image and their media type, as a browser can show them."""
