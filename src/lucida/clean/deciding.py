"""Say that images are the same picture, or are not, from the command line."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lucida.data.decisions import decide
from lucida.errors import InputError

if TYPE_CHECKING:
    from lucida.catalog import Catalog


@dataclass(frozen=True)
class Decided:
    """What was written down.

    Attributes:
        same: Whether the images are the same picture; None where what was said is taken back.
        paths: The images.
    """

    same: bool | None
    paths: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"same": self.same, "paths": list(self.paths)}

    def __str__(self) -> str:
        names = ", ".join(self.paths)
        if self.same is None:
            return f"Taken back what was said of {names}: they are compared again."
        return f"Remembered: {names} are {'the same picture' if self.same else 'different pictures'}."


def decide_all(catalog: Catalog, names: Sequence[str], same: bool | None) -> Decided:
    """Write down of every two of the images whether they are the same picture; see `lucida.data.decisions.decide`.

    Args:
        catalog: An open catalog.
        names: Paths, file names or content ids, two or more.
        same: Whether they are; None takes back what was said.

    Raises:
        InputError: There are fewer than two, one is unknown, or several images are named alike.
    """
    ids = [_resolve(catalog, name) for name in names]
    if len(ids) < 2:
        raise InputError(
            "It takes two images to be the same or different.",
            expected="two names or more",
            got=", ".join(names) or "none",
            hint="lucida clean --different a.jpg b.jpg",
        )
    for one, other in itertools.combinations(ids, 2):
        decide(catalog, one, other, same=same)
    known = catalog.images.names(ids)
    return Decided(same, tuple(known[image] for image in ids))


def _resolve(catalog: Catalog, name: str) -> str:
    found = catalog.images.resolve(name) or ([name] if len(name) == 64 else [])
    if len(found) != 1:
        raise InputError(
            f"Several images are named {name!r}." if found else f"There is no image {name!r} in the catalog.",
            expected="the path of one image",
            got=", ".join(list(catalog.images.names(found[:3]).values())) or "no such path or file name",
            hint="give its whole path, as `lucida clean` prints it",
        )
    return found[0]
