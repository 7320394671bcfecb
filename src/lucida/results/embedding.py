"""Vectors that stand for images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from lucida.results.item import Item

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Embedding:
    """A vector that stands for an image.

    Attributes:
        vector: float32 (d,).
        key: Model and revision; only vectors of equal keys may be compared.
    """

    task: ClassVar[str] = "embed"
    vector: NDArray[np.float32]
    key: str

    def items(self) -> tuple[Item, ...]:
        """Return it as a statement."""
        return (Item(detail=self.to_json()),)

    @classmethod
    def of_items(cls, items: Sequence[Item]) -> Embedding:
        """Return the vector that this statement came from."""
        detail = items[0].detail
        return cls(np.array(detail["vector"], np.float32), str(detail["key"]))

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"key": self.key, "vector": self.vector.tolist()}
