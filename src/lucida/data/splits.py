"""Divide images into train, validation and test so that near-identical ones stay together.

Each group of near-identical images goes to one split as a whole; classes are spread in the proportions asked, and
the same images with the same seed always come out the same, whatever order they stand in.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm

from lucida.errors import InputError

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
EXAMPLE = "train=0.8,validation=0.1,test=0.1"


@dataclass(frozen=True)
class Share:
    """One split: its name and its share of the images, in (0, 1]."""

    name: str
    share: Fraction


def parse(text: str) -> list[Share]:
    """Read `train=0.8,validation=0.1,test=0.1`; shares add up to 1, or to 100 as percentages.

    Raises:
        InputError: A share that is no number above 0, a name twice, or shares that do not add up.
    """
    shares: list[Share] = []
    for part in text.split(","):
        name, sign, value = (piece.strip() for piece in part.partition("="))
        if not sign or not _NAME.fullmatch(name):
            raise _wrong(text, f"{part.strip()!r}, which is not NAME=SHARE with a name of letters, digits and _")
        try:
            share = Fraction(value.removesuffix("%"))
        except (ValueError, ZeroDivisionError):
            raise _wrong(text, f"the share {value!r}") from None
        if share <= 0:
            raise _wrong(text, f"the share {value!r}")
        shares.append(Share(name, share))
    if len({s.name.casefold() for s in shares}) < len(shares):
        raise _wrong(text, "the same name twice")
    total = sum((s.share for s in shares), Fraction(0))
    for whole in (1, 100):
        # Thirds written as 0.333 are meant to add up.
        if abs(total / whole - 1) <= Fraction(1, 100):
            return [Share(s.name, s.share / total) for s in shares]
    raise _wrong(text, f"shares that add up to {float(total):g}")


def _wrong(text: str, got: str) -> InputError:
    return InputError(
        f"The splits {text!r} cannot be read.",
        expected="NAME=SHARE, separated by commas, shares above 0 that add up to 1",
        got=got,
        hint=f"--splits {EXAMPLE}",
    )


def assign(
    ids: Sequence[str], labels: Sequence[str], groups: Sequence[int], shares: Sequence[Share], *, seed: int = 0
) -> list[str]:
    """Return the name of the split of each image.

    No split ends up with more than its share by a whole group, and within that the classes are spread as evenly as
    their sizes allow. Large groups are placed first, in the split with the most room.

    Args:
        ids: Content ids, all different.
        labels: The class of each image.
        groups: The group of each image; images of one group stay together.
        shares: The splits; their shares add up to 1.
        seed: Another seed gives another division.
    """
    scale = lcm(*(s.share.denominator for s in shares))
    weights = [int(s.share * scale) for s in shares]
    room = [w * len(ids) for w in weights]
    class_room = {label: [w * count for w in weights] for label, count in Counter(labels).items()}

    result = [""] * len(ids)
    for members in _order(ids, labels, groups, seed):
        found = Counter(labels[i] for i in members)
        # Only splits with room left may win: that alone keeps the totals within one group of the ask.
        best = max(
            (s for s in range(len(shares)) if room[s] > 0),
            key=lambda s: (sum(n * class_room[c][s] for c, n in found.items()), room[s], -s),
        )
        room[best] -= scale * len(members)
        for label, count in found.items():
            class_room[label][best] -= scale * count
        for i in members:
            result[i] = shares[best].name
    return result


def _order(ids: Sequence[str], labels: Sequence[str], groups: Sequence[int], seed: int) -> list[list[int]]:
    """Return the groups, largest first; among equals by turns of their classes, each class in the seed's order."""
    members: dict[int, list[int]] = defaultdict(list)
    for i, group in enumerate(groups):
        members[group].append(i)

    def draw(rows: list[int]) -> str:
        return hashlib.sha256(f"{seed}\n{min(ids[i] for i in rows)}".encode()).hexdigest()

    drawn = sorted((draw(rows), rows) for rows in members.values())
    turns: Counter[tuple[int, str]] = Counter()
    keyed = []
    for key, rows in drawn:
        label = min(labels[i] for i in rows)
        turn = turns[len(rows), label]
        turns[len(rows), label] += 1
        keyed.append(((-len(rows), turn, key), rows))
    return [rows for _, rows in sorted(keyed, key=lambda pair: pair[0])]
