"""The second stage: images are drawn, a person says what no box marks; how much is missed at most?

Images are drawn uniformly without replacement, in an order fixed by the seed after the boxes were settled. Two numbers
are bounded at all times at once, each with half of the level: in how many images something is missed, and how many
objects an image are missed, counted up to a cap. Boxes of one image may err together: an image is one draw.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from lucida.errors import InputError
from lucida.evidence.finite import Mixture, most_wrong, most_wrong_seen
from lucida.evidence.means import upper_mean
from lucida.evidence.order import HashOrder
from lucida.evidence.selection import Reason

STAGE = "missed"
HOPELESS = 4.0  # over the rate that is allowed: after so many images more than that is taken as out of reach

Seen = Literal["seen", "unsure", "undone"]
SEEN: tuple[Seen, ...] = ("seen", "unsure", "undone")


@dataclass(frozen=True)
class Struck:
    """An object that stands in an image and turned out wrong there.

    Attributes:
        id: Of the object.
        label: What there is instead, a statement; None where there is no such object.
    """

    id: str
    label: str | None = None


@dataclass(frozen=True)
class Look:
    """One line of the log: an image, and what was missed in it.

    Attributes:
        id: Content id.
        verdict: "seen", "unsure" (counts as if as many were missed as are counted at most), or "undone".
        objects: What was missed, each a statement (`lucida.review.objects.units.statement`).
        wrong: What turned out wrong; it proves nothing of the images (see `lucida.review.objects.noticed`).
    """

    id: str
    verdict: Seen
    objects: tuple[str, ...] = ()
    wrong: tuple[Struck, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {**asdict(self), "objects": list(self.objects), "wrong": [asdict(one) for one in self.wrong]}

    @classmethod
    def of_json(cls, values: Mapping[str, Any]) -> Look:
        """Return what `to_json` gave."""
        wrong = tuple(Struck(**one) for one in values["wrong"])
        return cls(values["id"], values["verdict"], tuple(values["objects"]), wrong)


class Looks:
    """Ask which objects were missed, one image after another.

    Args:
        ids: All images, any text.
        seed: Of the order.
        level: The chance that either bound is ever wrong, within (0, 1).
        cap: An image counts for at most so many missed objects.
        max_missed: The share of images in which something may be missed; the stage ends when it is proven.
        max_looks: The most images to ask for; None for all.

    Attributes:
        order: The images in the order in which they are asked.
        lines: Every answer in the order in which it came.
        standing: The answers that count, by image.
    """

    def __init__(
        self,
        ids: Sequence[str],
        seed: int | str,
        *,
        level: float,
        cap: int,
        max_missed: float,
        max_looks: int | None = None,
    ) -> None:
        self.level, self.cap, self.max_missed = level, cap, max_missed
        self.max_looks = len(ids) if max_looks is None else min(max_looks, len(ids))
        self.order = [ids[row] for row in HashOrder(seed, ids).order(STAGE, np.arange(len(ids))).tolist()]
        self.lines: list[Look] = []
        self.standing: dict[str, Look] = {}
        self._known = frozenset(ids)
        self._bounds: tuple[int, float] | None = None

    def __len__(self) -> int:
        return len(self.order)

    # ---- asking and answering -------------------------------------------------------------------------------------

    def next(self) -> str | None:
        """Return the image to ask for, None when the stage has ended."""
        upcoming = self.peek(1)
        return upcoming[0] if upcoming else None

    def peek(self, count: int) -> list[str]:
        """List the images that come next."""
        if self.reason:
            return []
        start = len(self.read())
        window = self.order[start : start + count + len(self.standing)]
        return [image for image in window if image not in self.standing][:count]

    def answer(self, id: str, objects: Iterable[str] | None, wrong: Iterable[Struck] = ()) -> None:
        """Take what was missed in an image, as statements, and what turned out wrong; None for "unsure".

        Raises:
            InputError: The image is none of these.
        """
        if id not in self._known:
            raise InputError(
                f"There is no image {id[:12]!r} among those under review.",
                expected="an image that was there when the review began",
                got=repr(id),
                hint="begin a new review for images that were added since",
            )
        if id in self.standing:
            raise InputError(
                f"The image {id[:12]!r} was answered already.",
                expected="one answer an image",
                got="a second one",
                hint="take the first one back",
            )
        look = Look(id, "unsure") if objects is None else Look(id, "seen", tuple(objects), tuple(wrong))
        self.lines.append(look)
        self.standing[id] = look
        self._bounds = None

    def undo(self) -> str | None:
        """Take the last answer back that stands, and return its image; None without one."""
        last = next(reversed(self.standing), None)
        if last is None:
            return None
        del self.standing[last]
        self.lines.append(Look(last, "undone"))
        self._bounds = None
        return last

    def replay(self, lines: Iterable[Look]) -> None:
        """Take a stored log, oldest first.

        Raises:
            InputError: A line does not fit.
        """
        for line in lines:
            if line.verdict == "undone":
                if self.undo() != line.id:
                    raise InputError(f"The answer on {line.id[:12]!r} was taken back, but it was not the last.")
            else:
                self.answer(line.id, None if line.verdict == "unsure" else line.objects, line.wrong)

    # ---- what is known --------------------------------------------------------------------------------------------

    def read(self) -> list[int]:
        """Return what was missed in each image of the completely answered beginning of the order, up to the cap."""
        counts: list[int] = []
        for image in self.order:
            look = self.standing.get(image)
            if look is None:
                break
            counts.append(self.cap if look.verdict == "unsure" else min(len(look.objects), self.cap))
        return counts

    @property
    def with_missed(self) -> int:
        """Images among those answered in which something was missed, or that were undecidable."""
        return sum(look.verdict == "unsure" or bool(look.objects) for look in self.standing.values())

    @property
    def marked(self) -> int:
        """Objects that people have added."""
        return sum(len(look.objects) for look in self.standing.values())

    @property
    def struck(self) -> list[Struck]:
        """Objects that turned out wrong."""
        return [one for look in self.standing.values() for one in look.wrong]

    @property
    def images_bound(self) -> int:
        """In so many of all images something is missed at most."""
        return self._both()[0]

    @property
    def total_bound(self) -> int:
        """So many objects are missed at most in all images together, each image counted up to the cap."""
        return math.floor(self._both()[1] * self.cap * len(self) + 1e-6)

    @property
    def mean_bound(self) -> float:
        """So many objects an image are missed at most."""
        return self.total_bound / len(self) if len(self) else 0.0

    @property
    def reason(self) -> Reason:
        """Why the stage has ended, "" while it goes on."""
        looked, total = len(self.standing), len(self)
        if looked >= total:
            return "exhausted"
        if looked and self.images_bound <= most_wrong(self.max_missed, total):
            return "target"
        if looked >= self.max_looks:
            return "max-reviews"
        hopeless = self.with_missed > self.max_missed * looked and looked >= HOPELESS / self.max_missed
        return "no-gain" if hopeless else ""

    def _both(self) -> tuple[int, float]:
        if self._bounds is None:
            counts, size, level = self.read(), len(self), self.level / 2
            mixture = Mixture.below(self.max_missed)
            images = most_wrong_seen([count > 0 for count in counts], size, level=level, mixture=mixture)
            share = upper_mean([count / self.cap for count in counts], level=level, size=size) if size else 0.0
            self._bounds = images, share
        return self._bounds


def advise(looks: Looks) -> str:
    """Say in a sentence that more is missing than asked for, "" where it is not."""
    looked = len(looks.standing)
    if looked < 10 or looks.with_missed <= looks.max_missed * looked:
        return ""
    return (
        f"Something was missed in {looks.with_missed:,} of {looked:,} images, more than the"
        f" {100 * looks.max_missed:g} % asked for: what is proven by now holds whenever you stop."
    )


def looks_needed(max_missed: float, level: float, total: int) -> int:
    """Return how many images must be looked at to prove the share, if nothing is missed in any of them."""
    mixture, looked = Mixture.below(max_missed), 0
    allowed = most_wrong(max_missed, total)
    low, high = 0, total
    while low < high:  # more images without a miss never prove less
        looked = (low + high) // 2
        if most_wrong_seen([False] * looked, total, level=level / 2, mixture=mixture) <= allowed:
            high = looked
        else:
            low = looked + 1
    return low
