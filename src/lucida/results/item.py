"""What every result is made of: statements about the image and its objects, as the catalog keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, Self


@dataclass(frozen=True)
class Item:
    """One statement.

    Attributes:
        label: A class, or a text; None where there is none.
        score: Probability that it is right, 0 to 1; None where none is known.
        detail: More, as plain JSON values: {"box": [left, top, right, bottom]}.
    """

    label: str | None = None
    score: float | None = None
    detail: dict[str, Any] = field(default_factory=dict)


class Result(Protocol):
    """What a model says of one image.

    The first of its items speaks of the image as a whole, and is always there, so that an image in which nothing was
    found is told from one that was not looked at; the others are its objects, in order.
    """

    task: ClassVar[str]

    def items(self) -> tuple[Item, ...]:
        """Return it as statements."""
        ...

    @classmethod
    def of_items(cls, items: Sequence[Item]) -> Self:
        """Return the result that these statements came from.

        Raises:
            InputError: They are not of this kind.
        """
        ...

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        ...
