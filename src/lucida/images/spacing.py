"""How far apart the pixels of many images lie."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from statistics import median
from typing import Final

from lucida.images.pixels import Spacing

APART: Final = 1 / 3  # by more than this share two spacings differ so much that things look larger or smaller


def usual_spacing(found: Iterable[Spacing | None]) -> Spacing | None:
    """Return the median of those that are known, in the unit that most of them have; None where there are none."""
    known = [one for one in found if one is not None]
    if not known:
        return None
    unit = Counter(one.unit for one in known).most_common(1)[0][0]
    alike = [one for one in known if one.unit == unit]
    return Spacing(median(one.down for one in alike), median(one.across for one in alike), unit)


def far_apart(one: Spacing, other: Spacing) -> bool:
    """Tell whether two spacings differ by more than a third of the first, or have different units."""
    if one.unit != other.unit:
        return True
    pairs = ((one.down, other.down), (one.across, other.across))
    return any(abs(theirs - ours) > APART * ours for ours, theirs in pairs)


def in_words(one: Spacing) -> str:
    """Return "0.7 mm", or "0.7 x 0.5 mm" where rows and columns lie differently."""
    same = one.down == one.across
    return f"{one.down:.4g} {one.unit}" if same else f"{one.down:.4g} x {one.across:.4g} {one.unit}"
