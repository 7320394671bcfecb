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
    def unit(self) -> str:
        """What is reviewed, in the plural: "labels", or texts such as "captions"."""

    @property
    def asked(self) -> str:
        """The question in words that a text answers; "" where there is none."""

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


class ObjectCard(Protocol):
    """One object or one image to be judged; see `lucida.review.objects.cards.ObjectCard`."""

    @property
    def id(self) -> str: ...
    @property
    def image(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...
    @property
    def unit(self) -> Shape | None: ...
    @property
    def others(self) -> Sequence[Shape]: ...
    @property
    def hints(self) -> Sequence[Shape]: ...


class Shape(Protocol):
    """An object in an image; see `lucida.review.objects.cards.Shape` and `lucida.review.objects.units.Unit`."""

    def to_json(self) -> dict[str, Any]: ...


class ObjectReview(Protocol):
    """One review of the objects of a run: is each right, then what was missed? Answers are on disk at once."""

    @property
    def question(self) -> str: ...
    @property
    def unit(self) -> str: ...
    @property
    def classes(self) -> Sequence[str]: ...
    @property
    def phase(self) -> Literal["check", "missed", "done"]: ...
    def next(self) -> ObjectCard | None:
        """Return what is asked now, the same until it is answered."""

    def upcoming(self, k: int, /) -> Sequence[ObjectCard]:
        """Return up to k cards that come next if nothing changes."""

    def answer(
        self,
        id: str,
        verdict: Verdict,
        label: str | None = None,
        box: tuple[float, ...] | None = None,
        mask: object = None,
        /,
    ) -> None:
        """Take one answer on an object."""

    def look(self, image: str, missed: Sequence[Any] | None, wrong: Sequence[tuple[int, Any]] = (), /) -> None:
        """Take what was missed in an image, None where it cannot be decided, and what stands there and is wrong."""

    def undo(self) -> ObjectCard | None:
        """Take back the last answer of this stage and return its card; None when there is none."""

    def freeze(self) -> None:
        """Do nothing: objects are not taught."""

    def stop(self) -> object:
        """End this stage; whatever is proven by then is kept."""

    def status(self) -> Any:
        """Return where the review stands, a dataclass; see `lucida.review.objects.cards.ObjectStatus`."""

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
