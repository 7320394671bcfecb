"""What can be wrong with an image, and one case of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

Kind = Literal[
    "too dark", "too bright", "blurred", "nearly uniform", "tiny", "odd shape", "unreadable",
    "duplicate", "near-duplicate", "across splits", "wrong label",
]  # fmt: skip

MEANINGS: Final[dict[Kind, str]] = {
    "too dark": "even its bright parts are dark",
    "too bright": "even its dark parts are bright",
    "blurred": "it has no sharp edge",
    "nearly uniform": "it shows almost one colour",
    "tiny": "it has very few pixels",
    "odd shape": "it is far longer than wide, or wider than long",
    "unreadable": "it cannot be decoded",
    "duplicate": "another file has the same bytes",
    "near-duplicate": "another image is near-identical",
    "across splits": "an image of another split is near-identical: what is measured there is too good",
    "wrong label": "a head that has not learned from it sees another class",
}


@dataclass(frozen=True)
class Finding:
    """One thing that is probably wrong with one image.

    Attributes:
        row: Number of the image among those looked at.
        image: Content id; "" where the image cannot be read.
        path: Its name, for people.
        kind: What is wrong.
        score: How bad or how sure, 0 to 1; 0.5 lies on the threshold of what is measured.
        reason: Why, in a sentence, with the figures.
        label: The label it has, "" if none.
        suggestion: The class it is taken for, where the label is in doubt.
        others: Images it is like, by name.
        ranked: The likeliest classes with their probabilities, best first, where the label is in doubt.
        like: Content id of the image to be shown beside it; "" for none.
    """

    row: int
    image: str
    path: str
    kind: Kind
    score: float
    reason: str
    label: str = ""
    suggestion: str = ""
    others: tuple[str, ...] = ()
    ranked: tuple[tuple[str, float], ...] = ()
    like: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {**asdict(self), "others": list(self.others), "ranked": [list(pair) for pair in self.ranked]}
