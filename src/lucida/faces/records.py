"""A face, and whose it is, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

QUESTION: Final = "person"  # what the names answer in the catalog
UNKNOWN: Final = "unknown"  # whose face nobody has said, and which is like no other
NOBODY: Final = ""  # said by a person of what is no face
LIKENESS: Final = 0.363  # cosine from which SFace's authors call two faces one person's
SMALLEST: Final = 32  # pixels of the shorter side of a face, from which its vector tells anything

Box = tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class Face:
    """One face in one image.

    Attributes:
        image: Content id.
        item: Its number in the image, from 1.
        score: How sure it is a face, 0 to 1.
        box: Left, top, right, bottom, in pixels.
        points: Eyes, nose and corners of the mouth, float32 (5, 2), in pixels.
        vector: Of length one, float32 (d,); None for a face that is too small to be told from others.
        group: Number of its group; 0 for none.
        said: Whose it is, as a person said in a review; None where nobody did.
    """

    image: str
    item: int
    score: float
    box: Box
    points: NDArray[np.float32]
    vector: NDArray[np.float32] | None = None
    group: int = 0
    said: str | None = None

    def name(self, names: Mapping[int, str]) -> str:
        """Return whose it is, as far as a person has said so; "" where none has."""
        if self.said is not None:
            return "" if self.said == UNKNOWN else self.said
        return names.get(self.group, "")

    def label(self, names: Mapping[int, str]) -> str:
        """Return what the catalog says of it: a name, the number of its group, or that nobody knows."""
        return self.name(names) or (group_label(self.group) if self.group and self.said is None else UNKNOWN)


def group_label(number: int) -> str:
    """Return what the catalog says of faces whose group has no name."""
    return f"group {number}"


def labelled_group(label: str) -> int:
    """Return the number of the group that a label speaks of; 0 where it is a name."""
    word, _, number = label.partition(" ")
    return int(number) if word == "group" and number.isdecimal() else 0
