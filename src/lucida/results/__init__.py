"""What models say of an image, as typed values.

Every result turns into statements (`items`), which is what the catalog keeps, and back (`of_items`).
"""

from __future__ import annotations

from typing import Final

from lucida.results.classes import Classification, Tags
from lucida.results.embedding import Embedding
from lucida.results.item import Item, Result
from lucida.results.objects import Detections, Oddness, Segmentation
from lucida.results.screening import Finding, Screening
from lucida.results.text import Description, Line, Reading, Text

__all__ = [
    "RESULTS",
    "Classification",
    "Description",
    "Detections",
    "Embedding",
    "Finding",
    "Item",
    "Line",
    "Oddness",
    "Reading",
    "Result",
    "Screening",
    "Segmentation",
    "Tags",
    "Text",
]

# What a run of each task says of an image.
RESULTS: Final[dict[str, type[Result]]] = {
    "embed": Embedding,
    "classify": Classification,
    "tag": Tags,
    "detect": Detections,
    "segment": Segmentation,
    "anomaly": Oddness,
    "caption": Text,
    "answer": Text,
    "read": Reading,
    "describe": Description,
    "screen": Screening,
}
