"""Work that is cheaper together: alike images that wait are looked at in one call of the model.

Whoever is alone does not wait for company: what waits already is taken together, and more is waited for only where the
plan says so, which pays on accelerators. What is wrong with one image stays with it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from contextvars import Context
from typing import Any, NamedTuple, Protocol

Outcome = tuple[Any, BaseException | None]


class Batching(NamedTuple):
    """How many images of one model are looked at together.

    Attributes:
        most: At most; 1 for one at a time.
        linger: Seconds that one which could have company waits for it, at most.
    """

    most: int = 1
    linger: float = 0.0


class Together(Protocol):
    """Work that may be done together with its kin."""

    @property
    def kin(self) -> Hashable:
        """Works with an equal one may be done together."""
        ...

    @property
    def batching(self) -> Batching:
        """With how many, and for how long they are waited for."""
        ...

    def before(self) -> None:
        """Do what each does for itself, first."""
        ...

    def among(self, works: Sequence[Any]) -> None:
        """Do what is cheaper together, for all of them."""
        ...

    def after(self) -> Any:
        """Do the rest, and return what comes of it."""
        ...


class Asked(NamedTuple):
    """One of the works that are done together.

    Attributes:
        work: The work.
        context: Of the request that it is for.
        wanted: Tells whether somebody still waits for it.
    """

    work: Together
    context: Context
    wanted: Callable[[], bool]


def do_together(asked: Sequence[Asked]) -> list[Outcome]:
    """Do works together; what one of them raises stops none of the others.

    Returns:
        What came of each, or what it raised; neither where nobody waits for it any more.
    """
    found: list[Outcome] = [(None, None)] * len(asked)
    ready: list[int] = []
    for row, one in enumerate(asked):
        if not one.wanted():
            continue
        try:
            one.context.run(one.work.before)
            ready.append(row)
        except BaseException as error:
            found[row] = (None, error)
    for row, wrong in _among([asked[row].work for row in ready], ready):
        try:
            found[row] = (None, wrong) if wrong is not None else (asked[row].context.run(asked[row].work.after), None)
        except BaseException as error:
            found[row] = (None, error)
    return found


def _among(works: Sequence[Together], rows: Sequence[int]) -> list[tuple[int, BaseException | None]]:
    """Do the common part; return for each row what it raised."""
    if not works:
        return []
    try:
        works[0].among(works)
        return [(row, None) for row in rows]
    except BaseException as error:
        if len(works) == 1:
            return [(rows[0], error)]
    # One of them may be to blame: each alone.
    return [found for work, row in zip(works, rows, strict=True) for found in _among([work], [row])]
