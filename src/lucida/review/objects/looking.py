"""The second stage: what is missing in each image, and what turns out wrong there? Each answer in the catalog first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lucida.errors import InputError
from lucida.review.objects.cards import Correction
from lucida.review.objects.certificate import standing_objects
from lucida.review.objects.found import correction, placed
from lucida.review.objects.journal import MISSED, Drawn, Entry, Line, Noticed, ObjectJournal
from lucida.review.objects.missed import Looks, Struck
from lucida.review.objects.noticed import After, after_looking
from lucida.review.objects.units import MARK, checked_label, statement

if TYPE_CHECKING:
    from lucida.catalog import Catalog, Run
    from lucida.review.cards import Verdict
    from lucida.review.certificate import Certificate
    from lucida.review.objects.deck import Deck

MOST = 1000  # objects that a person may add to one image


class Looking:
    """The second stage of one review run.

    Args:
        catalog: The catalog; answers are written to it before a call returns.
        run: The review run.
        found: What the first stage has settled.
        looks: The evidence, with nothing answered yet.
        journal: The answers of the run.
        deck: The objects of each image.

    Attributes:
        standing: The objects that stand, by image: fixed before the order of the images is read.
        curve: (looked, images_bound) after each image.
    """

    def __init__(
        self, catalog: Catalog, run: Run, found: Certificate, looks: Looks, journal: ObjectJournal, deck: Deck
    ) -> None:
        self.catalog, self.run, self.found, self.looks = catalog, run, found, looks
        self.journal, self.deck = journal, deck
        self.standing = standing_objects(found)
        self.curve = [(0, len(looks))]
        self._after: tuple[list[Struck], After] | None = None

    def take_up(self, log: Sequence[Line]) -> None:
        """Count what was answered before."""
        for kind, entry in log:
            if entry.phase == MISSED:
                self._count(kind, entry)

    @property
    def over(self) -> bool:
        """Whether nothing is left to ask.

        Where no object stands, all of them are missing: there is nothing to be measured. Where what turned out wrong
        has refuted what was kept, the person may want to take that back, so the end is theirs.
        """
        return not self.standing or (bool(self.looks.reason) and not self.left.withdrawn)

    @property
    def left(self) -> After:
        """What is left of the first stage after all that was seen in images."""
        struck = self.looks.struck
        if self._after is None or self._after[0] != struck:
            self._after = struck, after_looking(self.found, self.looks)
        return self._after[1]

    @property
    def stand(self) -> int:
        """How many objects stand, without those that were taken away here."""
        return sum(map(len, self.standing.values())) - sum(one.label is None for one in self.looks.struck)

    def answer(
        self, image: str, missed: Sequence[Correction] | None, wrong: Sequence[tuple[int, Correction | None]]
    ) -> None:
        """Write down what was missed in an image and what turned out wrong, then count it; see `ObjectReview.look`."""
        if missed is not None and len(missed) > MOST:
            raise InputError("Too many objects.", expected=f"at most {MOST:,} in an image", got=f"{len(missed):,}")
        record = self.catalog.images.get(image)
        added = [
            placed(checked_label(one.label or ""), one.box, one.mask, record.width, record.height)
            for one in missed or ()
        ]
        noticed = [] if missed is None else self._noticed(image, wrong)
        verdict: Verdict = "unsure" if missed is None else "wrong" if added else "right"
        self._count("answer", self.journal.look(image, verdict, added, self._free_number(image), noticed))

    def undo(self) -> str | None:
        """Take back the last answer; returns its image."""
        taken = self.journal.undo(MISSED)
        for entry in taken:
            self._count("undo", entry)
        return taken[-1].image if taken else None

    def _count(self, kind: str, entry: Entry) -> None:
        if kind == "undo":
            self.looks.undo()
        else:
            said = [_statement(one) for one in entry.added]
            struck = [_struck(entry.image, one) for one in entry.wrong]
            self.looks.answer(entry.image, None if entry.verdict == "unsure" else said, struck)
        self.curve.append((len(self.looks.standing), self.looks.images_bound))

    def _noticed(self, image: str, wrong: Sequence[tuple[int, Correction | None]]) -> list[Noticed]:
        found: dict[int, Noticed] = {}
        for item, fixed in wrong:
            unit = self.deck.stands(self.standing, image, item)
            if unit is None or item in found:
                raise InputError(
                    f"The object {item} does not stand in this image.",
                    expected="the number of each object that is wrong, once",
                    got=f"{item} in the image {image[:12]!r}",
                    hint="the card's `others` are those that stand",
                )
            instead = None if fixed is None else correction(self.catalog, unit, fixed)
            # A correction that corrects nothing says nothing.
            if instead is None or (instead.label, instead.box, instead.mask) != (unit.label, unit.box, unit.mask):
                found[item] = Noticed(item, instead)
        return list(found.values())

    def _free_number(self, image: str) -> int:
        """Return the number after all that the run, and people in any review, have given to objects of an image."""
        rows = self.catalog.annotations.rows(image=image, question=self.run.question)
        return 1 + max((row.item for row in rows if row.run == self.run.parent or row.kind == "answer"), default=0)


def _statement(one: Drawn) -> str:
    return statement(one.label, one.box, one.mask)


def _struck(image: str, one: Noticed) -> Struck:
    return Struck(f"{image}{MARK}{one.item}", None if one.instead is None else _statement(one.instead))
