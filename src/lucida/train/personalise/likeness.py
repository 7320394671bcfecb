"""How alike the pictures of a checkpoint are to the photos, and how far it has learned them by heart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lucida.data.duplicates import group
from lucida.data.looks import Looks
from lucida.images import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]
    Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Figures:
    """What the pictures of one checkpoint show.

    Attributes:
        step: After how many changes of weights; 0 before any.
        likeness: Mean cosine, by the embedded encoder, of pictures of what was learned with the photos; -1 to 1.
        variety: 1 less the mean cosine of these pictures with each other: towards 0 they are all the same.
        drift: How much more alike the photos pictures of the plain class have become than those of the untaught
            model; above 0 the model has begun to draw this one thing for all of its class.
        copies: Share of the pictures that are near-identical to a photo.
        score: likeness - copies - drift, where it is above 0: the checkpoint with the highest is proposed.
    """

    step: int
    likeness: float
    variety: float
    drift: float
    copies: float
    score: float

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)

    def __str__(self) -> str:
        when = f"step {self.step:,}" if self.step else "untaught"
        return (
            f"{when}: likeness {self.likeness:.3f}, variety {self.variety:.3f}, drift {self.drift:+.3f},"
            f" copies {self.copies:.0%}, score {self.score:.3f}"
        )


class Judge:
    """Compares pictures with the photos that were learned from.

    Args:
        photos: The photos.
        untaught: Pictures of the class by the model before it was taught.
    """

    def __init__(self, photos: Sequence[Pixels], untaught: Sequence[Pixels]) -> None:
        from lucida.models.registry import find

        self._spec = find("embedded")
        self._model = self._spec.load("fp32")
        self._photos = list(photos)
        self._known = self._vectors(self._photos)
        self._before = self._alike(self._vectors(untaught))

    def figures(self, step: int, pictures: Sequence[Pixels], plain: Sequence[Pixels]) -> Figures:
        """Return the figures of a checkpoint.

        Args:
            step: After how many changes of weights.
            pictures: Of what was learned.
            plain: Of the plain class, drawn with the seeds of the untaught ones.
        """
        vectors = self._vectors(pictures)
        likeness, drift = self._alike(vectors), self._alike(self._vectors(plain)) - self._before
        pairs = (vectors @ vectors.T)[np.triu_indices(len(vectors), 1)]
        copies = self._copies(pictures, vectors)
        score = likeness - copies - max(0.0, drift)
        variety = 1 - float(pairs.mean()) if len(pairs) else 0.0
        return Figures(step, *(round(value, 6) for value in (likeness, variety, drift, copies, score)))

    def _alike(self, vectors: Floats) -> float:
        return float((vectors @ self._known.T).mean())

    def _copies(self, pictures: Sequence[Pixels], vectors: Floats) -> float:
        every = [*self._photos, *pictures]
        looks = Looks.empty(len(every))
        for row, pixels in enumerate(every):
            looks.put(row, Image(pixels, "RGB"))
        numbers = group(looks, vectors=np.concatenate([self._known, vectors]))
        known = set(numbers[: len(self._photos)])
        return sum(number in known for number in numbers[len(self._photos) :]) / max(1, len(pictures))

    def _vectors(self, pictures: Sequence[Pixels]) -> Floats:
        batch = np.stack([self._spec.needs.prepare(Image(np.ascontiguousarray(one), "RGB")) for one in pictures])
        vectors = self._model.embed(batch)
        parts = [vectors[:, part] for part in self._spec.gives.compared] or [vectors]
        units = [part / np.maximum(np.linalg.norm(part, axis=1, keepdims=True), 1e-12) for part in parts]
        return np.asarray(np.concatenate(units, axis=1) / len(units) ** 0.5, np.float32)


def proposed(rows: Sequence[Figures]) -> Figures | None:
    """Return the checkpoint with the highest score, the earliest of equals; None of none."""
    return max(rows, key=lambda row: (row.score, -row.step), default=None)
