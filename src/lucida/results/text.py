"""Words about an image, and words in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from lucida.results.item import Item

Point = tuple[float, float]


@dataclass(frozen=True)
class Text:
    """A caption, or the answer to a question.

    Attributes:
        text: In the model's words; not to be trusted as markup.
        score: Probability that it is right, 0 to 1; None where the model says none.
        reason: Why, in the model's words; "" where it gave none.
        data: What the text holds where JSON to a schema was asked for; None where it was not.
        before: Questions that were asked of the image before, and their answers.
    """

    task: ClassVar[str] = "caption"
    text: str
    score: float | None = None
    reason: str = ""
    data: Any = None
    before: tuple[tuple[str, str], ...] = ()

    def items(self) -> tuple[Item, ...]:
        """Return it as one statement."""
        return (Item(self.text, self.score, self._more()),)

    def _more(self) -> dict[str, Any]:
        more = {"reason": self.reason, "data": self.data, "before": [list(pair) for pair in self.before]}
        return {name: value for name, value in more.items() if value not in ("", None, [])}

    @classmethod
    def of_items(cls, items: Sequence[Item]) -> Text:
        """Return what this statement came from."""
        first, detail = items[0], items[0].detail
        before = tuple((str(question), str(answer)) for question, answer in detail.get("before", ()))
        return cls(first.label or "", first.score, str(detail.get("reason", "")), detail.get("data"), before)

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"text": self.text, **({} if self.score is None else {"score": self.score}), **self._more()}


@dataclass(frozen=True)
class Line:
    """A line of text in an image.

    Attributes:
        text: What it says.
        score: Probability that it is read rightly, 0 to 1.
        corners: Its four corners in pixels of the image, from top left clockwise as the text runs.
    """

    text: str
    score: float
    corners: tuple[Point, ...]

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom in pixels."""
        across, down = zip(*self.corners, strict=True)
        return min(across), min(down), max(across), max(down)


@dataclass(frozen=True)
class Reading:
    """The text that stands in an image.

    Attributes:
        lines: In the order of reading.
    """

    task: ClassVar[str] = "read"
    lines: tuple[Line, ...]

    def __len__(self) -> int:
        return len(self.lines)

    @property
    def text(self) -> str:
        """All of it, a line each."""
        return "\n".join(line.text for line in self.lines)

    def items(self) -> tuple[Item, ...]:
        """Return it as statements: all the text, then a line each with its corners."""
        lines = (
            Item(line.text, round(line.score, 6), {"corners": [list(point) for point in line.corners]})
            for line in self.lines
        )
        return (Item(self.text, None, {"count": len(self)}), *lines)

    @classmethod
    def of_items(cls, items: Sequence[Item]) -> Reading:
        """Return what these statements came from."""
        return cls(
            tuple(
                Line(
                    item.label or "", item.score or 0.0, tuple((float(x), float(y)) for x, y in item.detail["corners"])
                )
                for item in items[1:]
            )
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        lines = [
            {"text": line.text, "score": round(line.score, 4), "corners": [list(point) for point in line.corners]}
            for line in self.lines
        ]
        return {"text": self.text, "lines": lines}


@dataclass(frozen=True)
class Description:
    """What stands beside an image where it is published.

    Attributes:
        title: A few words.
        alternative: What somebody who cannot see the image should be told, a sentence or two.
        keywords: What it can be found by.
        scene: Where it plays: "beach", "kitchen"; "" if unknown.
    """

    task: ClassVar[str] = "describe"
    title: str
    alternative: str
    keywords: tuple[str, ...] = ()
    scene: str = ""

    def items(self) -> tuple[Item, ...]:
        """Return it as one statement, the alternative text."""
        return (
            Item(self.alternative, None, {"title": self.title, "keywords": list(self.keywords), "scene": self.scene}),
        )

    @classmethod
    def of_items(cls, items: Sequence[Item]) -> Description:
        """Return what this statement came from."""
        detail = items[0].detail
        keywords = tuple(str(word) for word in detail.get("keywords", ()))
        return cls(str(detail.get("title", "")), items[0].label or "", keywords, str(detail.get("scene", "")))

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "title": self.title,
            "alternative": self.alternative,
            "keywords": list(self.keywords),
            "scene": self.scene,
        }
