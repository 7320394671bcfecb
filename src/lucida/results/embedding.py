"""Vectors that stand for images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Embedding:
    """A vector that stands for an image.

    Attributes:
        vector: float32 (d,).
        key: Model and revision; only vectors of equal keys may be compared.
    """

    vector: NDArray[np.float32]
    key: str

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"key": self.key, "vector": self.vector.tolist()}
