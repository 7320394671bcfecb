"""Images that are there twice: the same bytes, or nearly the same picture, and what is bad about it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, TypeVar

from lucida.clean.finding import Finding, Kind

if TYPE_CHECKING:
    from lucida.data import Sample

Key = TypeVar("Key", bound=Hashable)
_SHOWN: Final = 20  # others named in a finding
# What counts more comes first in a review: a doubled label that differs is wrong for sure somewhere.
SCORES: Final = {"other label": 0.95, "across splits": 0.9, "duplicate": 0.8, "near-duplicate": 0.6}


def likes(samples: Sequence[Sample], ids: Sequence[str], groups: Sequence[int]) -> Iterator[Finding]:
    """Yield duplicates and near-duplicates; the first of each, in order of the images, is left alone.

    Args:
        samples: The images.
        ids: Content id of each; "" where it cannot be read.
        groups: Near-identical images share a number.
    """
    copies = {row: rows for image, rows in _together(ids).items() if image for row in rows[1:]}
    for row, rows in sorted(copies.items()):
        yield _finding(samples, ids, row, rows, exact=True)
    for members in _together(groups).values():
        distinct = [row for row in members if row not in copies]
        for row in distinct if len({samples[r].split for r in distinct}) > 1 else distinct[1:]:
            yield _finding(samples, ids, row, distinct, exact=False)


def _together(keys: Sequence[Key]) -> dict[Key, list[int]]:
    found: dict[Key, list[int]] = defaultdict(list)
    for row, key in enumerate(keys):
        found[key].append(row)
    return {key: rows for key, rows in found.items() if len(rows) > 1}


def _finding(samples: Sequence[Sample], ids: Sequence[str], row: int, rows: list[int], *, exact: bool) -> Finding:
    one, others = samples[row], [r for r in rows if r != row]
    away = [r for r in others if samples[r].split != one.split]
    differing = [r for r in others if _label(samples[r]) != _label(one) and _label(samples[r]) and _label(one)]
    how = "has the same bytes as" if exact else "is near-identical to"
    first = (away or differing or others)[0]
    parts = [f"it {how} {samples[first].name}"]
    if away:
        parts.append(f"which is of the split {samples[first].split or 'none'} (this one: {one.split or 'none'})")
    if differing:
        other = samples[differing[0]]
        parts.append(f"{other.name} is labelled {_label(other)}, this one {_label(one)}")
    if len(others) > 1:
        parts.append(f"{len(others):,} images are alike")
    kind: Kind = "across splits" if away else "duplicate" if exact else "near-duplicate"
    return Finding(
        row=row,
        image=ids[row],
        path=one.name,
        kind=kind,
        score=SCORES["other label" if differing else kind],
        reason="; ".join(parts),
        label=_label(one),
        others=tuple(samples[r].name for r in others[:_SHOWN]),
        # Of the same bytes there is nothing else to see.
        like="" if ids[first] == ids[row] else ids[first],
    )


def _label(sample: Sample) -> str:
    return sample.target if isinstance(sample.target, str) else ""
