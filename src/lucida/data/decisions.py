"""What people said of pairs of images: the same picture, or not. Kept in the catalog, and heeded wherever images are
grouped: in the splits of training and export, in cleaning, and in search.

    decide(catalog, one, other, same=False)      # never again one group
    decisions(catalog)                           # what counts today
    decide(catalog, one, other, same=None)       # taken back

A decision is an answer to the question "duplicates" about the image with the smaller id, without a label; the latest
one counts. What is answered in the review of `lucida clean` is a decision as well, about the two images that are shown.
"""

from __future__ import annotations

import getpass
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from lucida.data.groups import NONE
from lucida.errors import InputError

if TYPE_CHECKING:
    from lucida.catalog import Annotation, Catalog

QUESTION: Final = "duplicates"
# The review of `lucida clean`: its question, the label for nothing wrong, and those that speak of a second image.
CLEAN: Final = "clean"
FINE: Final = "fine"
DOUBLED: Final = ("duplicate", "near-duplicate", "across splits")

Pair = tuple[str, str]
Statement = tuple[float, int, Pair, bool | None]  # time, sequence, images, whether they are the same picture


@dataclass(frozen=True)
class Decisions:
    """What counts today.

    Attributes:
        same: Content ids of two images that are the same picture, the smaller id first.
        different: Those that are not.
    """

    same: frozenset[Pair] = frozenset()
    different: frozenset[Pair] = frozenset()

    def rows(self, ids: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return both as row numbers, (m, 2) each, of the images that are there.

        Args:
            ids: Content id of each row; of identical ones the first stands for all.
        """
        if not self.same and not self.different:
            return NONE, NONE
        row = {image: number for number, image in reversed(list(enumerate(ids)))}

        def there(pairs: Iterable[Pair]) -> NDArray[np.int64]:
            found = [(row[one], row[other]) for one, other in sorted(pairs) if one in row and other in row]
            return np.array(found, np.int64).reshape(-1, 2)

        return there(self.same), there(self.different)

    def known(self, one: str, other: str) -> bool:
        """Return whether somebody decided on these two."""
        return (pair := _pair(one, other)) in self.same or pair in self.different


def decide(catalog: Catalog, one: str, other: str, *, same: bool | None, actor: str | None = None) -> None:
    """Write down whether two images are the same picture; it is on disk when this returns.

    Args:
        catalog: An open catalog.
        one: Content id.
        other: Content id.
        same: Whether they are; None takes back what was said.
        actor: Who says so; the name of the user by default.

    Raises:
        InputError: They are one image, or the catalog does not know one of them.
    """
    from lucida.catalog import Annotation

    first, second = _pair(one, other)
    for image in (first, second):
        catalog.images.get(image)
    if first == second:
        raise InputError(
            "An image is always the same picture as itself.",
            expected="two images",
            got=f"twice {catalog.images.name(first)}",
            hint="files of identical bytes are one image to a catalog",
        )
    run = catalog.runs.start("clean", question=QUESTION, parameters={"mode": "clean", "about": "pairs"})
    said = catalog.annotations.rows(question=QUESTION)
    sequence = max((row.sequence + 1 for row in said), default=0)
    detail = {"other": second, "same": same}
    who = actor if actor is not None else _user()
    # Another process may have taken the number just now.
    while not catalog.annotations.append(
        [Annotation(first, QUESTION, run.id, actor=who, sequence=sequence, kind="answer", detail=detail)]
    ):
        sequence += 1


def decisions(catalog: Catalog) -> Decisions:
    """Return what people said of pairs of images, the latest statement of each pair."""
    said = sorted([*_direct(catalog), *_reviewed(catalog)], key=lambda one: one[:2])
    latest = {pair: same for _, _, pair, same in said}
    return Decisions(
        frozenset(pair for pair, same in latest.items() if same),
        frozenset(pair for pair, same in latest.items() if same is False),
    )


def _direct(catalog: Catalog) -> Iterator[Statement]:
    for row in catalog.annotations.rows(question=QUESTION, kind="answer"):
        yield row.time, row.sequence, _pair(row.image, row.detail["other"]), row.detail["same"]


def _reviewed(catalog: Catalog) -> Iterator[Statement]:
    """Yield what the answers in the review of `lucida clean` say of the two images shown."""
    rows = catalog.annotations.rows(question=CLEAN)
    undone = {(row.image, row.run, row.actor, row.detail["sequence"]) for row in rows if row.kind == "undo"}
    asked: dict[str, Annotation] = {}
    for row in rows:
        if row.kind == "proposal":
            asked[row.image] = row
        shown = asked.get(row.image)
        other = str(shown.detail.get("like", "")) if shown is not None and shown.label in DOUBLED else ""
        taken_back = (row.image, row.run, row.actor, row.sequence) in undone
        if row.kind == "answer" and other and not taken_back:
            same = _meant(row)
            if same is not None:
                yield row.time, row.sequence, _pair(row.image, other), same


def _meant(answer: Annotation) -> bool | None:
    verdict = answer.detail.get("verdict")
    if verdict == "right" or answer.label in DOUBLED:
        return True
    # Another label, such as "blurred", leaves open whether it is doubled.
    return False if verdict == "wrong" and answer.label in (FINE, None) else None


def _pair(one: str, other: str) -> Pair:
    return (one, other) if one < other else (other, one)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "someone"
