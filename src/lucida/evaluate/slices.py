"""How a model fares on parts of the images: by source, time, size, state; the worst first."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lucida.evaluate.figure import Figure
    from lucida.evaluate.judged import Judged

SMALL: Final = 30  # images below which a slice says little
MOST_VALUES: Final = 40  # a key with more is no grouping but a name
_SIZES: Final = (64, 128, 256, 512, 1024, 2048)  # bounds of the shorter side in pixels


@dataclass(frozen=True)
class Slice:
    """Images that have something in common.

    Attributes:
        key: What they are grouped by: "source", "image size".
        value: What they have in common.
        images: How many.
        figure: The leading figure of these; None where they say nothing of it.
    """

    key: str
    value: str
    images: int
    figure: Figure | None

    @property
    def small(self) -> bool:
        """Tell whether there are too few images to say much."""
        return self.images < SMALL

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        figure = self.figure.to_json() if self.figure else None
        return {"key": self.key, "value": self.value, "images": self.images, "small": self.small, "figure": figure}


def slices_of(judged: Judged, *, seed: int = 0) -> tuple[Slice, ...]:
    """Return the leading figure on every part of the images, by key, the worst part of each key first.

    Keys that part nothing are left out: with one value only, with more than 40, or with no figure for two of them.
    """
    metric = judged.metrics[0]
    found: list[Slice] = []
    for key, values in _groups(judged).items():
        names = sorted(set(values) - {""})
        if not 2 <= len(names) <= MOST_VALUES:
            continue
        column = np.array(values)
        parts = [(name, column == name) for name in names]
        rows = [Slice(key, name, int(here.sum()), metric.figure(here, repeats=400, seed=seed)) for name, here in parts]
        if sum(row.figure is not None for row in rows) < 2:
            continue
        worst = -1 if metric.less else 1
        found += sorted(rows, key=lambda row: worst * row.figure.value if row.figure else np.inf)
    return tuple(found)


def _groups(judged: Judged) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = defaultdict(lambda: [""] * len(judged.samples))
    for row, sample in enumerate(judged.samples):
        for key, value in sample.slices.items():
            groups[key][row] = value
    return {**groups, "image size": sizes_of(judged.predicted.sizes)}


def sizes_of(sizes: NDArray[np.int64]) -> list[str]:
    """Return what each image counts as, by its shorter side, of widths and heights (n, 2)."""
    names = [f"under {_SIZES[0]} px", *(f"{a} to {b - 1} px" for a, b in pairwise(_SIZES))]
    names.append(f"{_SIZES[-1]} px or more")
    return [names[place] for place in np.searchsorted(_SIZES, sizes.min(axis=1), side="right")]
