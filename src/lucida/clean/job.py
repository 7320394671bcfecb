"""One cleaning: every image looked at once, and all that is found, the worst first."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from lucida.clean.finding import Finding
from lucida.clean.likes import likes
from lucida.clean.looking import look_at
from lucida.clean.measures import beyond

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from lucida.clean.looking import Looked
    from lucida.data import Samples

    Vectors = Callable[[], NDArray[np.float32]]

Mislabels = Literal["auto", "yes", "no"]
# Below this there is nothing to learn a class from, and every second label would look wrong.
FEWEST = 40


def find(samples: Samples, vectors: Vectors, *, mislabels: Mislabels = "auto") -> tuple[list[Finding], list[str]]:
    """Return all findings, the worst first, and what a person should know.

    Args:
        samples: The images, with labels and splits where they have some.
        vectors: Returns the embedded encoder's vectors of all images, (n, d) float32, zeros where there is none.
        mislabels: Look for labels that are probably wrong: "yes", "no", or where cleanlab is installed.

    Raises:
        MissingExtra: They are to be looked for, and cleanlab is not installed.
    """
    looked = look_at([sample.read for sample in samples])
    wanted, notes = _wanted(samples, mislabels)
    seen = vectors() if len(samples) else np.zeros((0, 0), np.float32)
    groups = looked.groups(seen, samples.decided)
    found = [*_unreadable(samples, looked), *_measured(samples, looked), *likes(samples.items, looked.ids, groups)]
    if wanted:
        found += _wrong_labels(samples, looked, seen, groups)
    return sorted(found, key=lambda one: (-one.score, one.path, one.kind)), notes


def _wanted(samples: Samples, mislabels: Mislabels) -> tuple[bool, list[str]]:
    from lucida.clean.mislabels import can_look
    from lucida.errors import MissingExtra

    labelled = Counter(sample.target for sample in samples if isinstance(sample.target, str))
    if mislabels == "no":
        return False, []
    if sum(labelled.values()) < FEWEST or len(labelled) < 2:
        return False, [
            f"Wrong labels were not looked for: that takes {FEWEST} images with labels of two classes or more."
        ]
    if can_look():
        return True, []
    missing = MissingExtra("cleanlab", "clean", "Finding probable mislabels")
    if mislabels == "yes":
        raise missing
    return False, [f"Wrong labels were not looked for; for that: {missing.hint}"]


def _unreadable(samples: Samples, looked: Looked) -> Iterator[Finding]:
    for row, reason in sorted(looked.failed.items()):
        # Without readable bytes there is nothing to show: it stands in the list, not in a review.
        yield Finding(row, looked.ids[row], samples[row].name, "unreadable", 1.0, reason, _label(samples, row))


def _measured(samples: Samples, looked: Looked) -> Iterator[Finding]:
    for row, one, score, reason in beyond(looked.figures):
        yield Finding(row, looked.ids[row], samples[row].name, one.kind, score, reason, _label(samples, row))


def _wrong_labels(
    samples: Samples, looked: Looked, vectors: NDArray[np.float32], groups: list[int]
) -> Iterator[Finding]:
    from lucida.clean.mislabels import suspects
    from lucida.clean.vectors import parts

    rows = [row for row, sample in enumerate(samples) if isinstance(sample.target, str) and vectors[row].any()]
    labels = [_label(samples, row) for row in rows]
    # By content, so that the same images are judged alike wherever they lie; copies are told apart by their number.
    copies: Counter[str] = Counter()
    names = []
    for row in rows:
        names.append(f"{looked.ids[row]}\n{copies[looked.ids[row]]}")
        copies[looked.ids[row]] += 1
    for one in suspects(vectors[rows], labels, [groups[row] for row in rows], names, parts=parts()):
        row = rows[one.row]
        yield Finding(
            row=row,
            image=looked.ids[row],
            path=samples[row].name,
            kind="wrong label",
            score=round(1 - one.probability, 4),
            reason=f"labelled {one.label} ({one.probability:.0%}); without this label it is taken for {one.other}"
            f" ({one.other_probability:.0%})",
            label=one.label,
            suggestion=one.other,
            ranked=one.ranked,
        )


def _label(samples: Samples, row: int) -> str:
    target = samples[row].target
    return target if isinstance(target, str) else ""


def worst_of_each(findings: list[Finding]) -> list[Finding]:
    """Return one finding an image, the worst, its reason telling of all."""
    by_image: dict[str, list[Finding]] = {}
    for one in findings:
        if one.image and one.kind != "unreadable":
            by_image.setdefault(one.image, []).append(one)
    return [
        replace(
            found[0],
            reason="; ".join(dict.fromkeys(f"{one.kind}: {one.reason}" for one in found)),
            like=next((one.like for one in found if one.like), ""),
        )
        for found in by_image.values()
    ]
